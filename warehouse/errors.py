"""The errors a user may see. Each says what was found, where, what is allowed and what to do next.

Every error carries the exit code of the command line: 1 failed, 2 usage, 3 data problem, 4 not ready.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RepriseError(Exception):
    """Something went wrong that the user can understand and mend."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(RepriseError):
    """The command, an argument, a rule or the settings file is not as it must be."""

    exit_code = 2


class SettingsError(UsageError):
    """`reprise.toml` has keys or values that are not allowed; all of them are listed at once."""


class NotReadyError(RepriseError):
    """What was asked for needs something that is not there yet (no release, no such data)."""

    exit_code = 4


@dataclass(frozen=True)
class Problem:
    """One kind of problem in one file: where it was first met and how often.

    `line` is the line in a text file (the header is line 1) or the row number in a Parquet file; None where
    the whole file is meant. `found` never holds a whole personal value: ids and contacts are masked.
    """

    file: str
    line: int | None
    column: str | None
    found: str
    expected: str
    fix: str
    count: int = 1

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        what = f"{self.column} is {self.found}" if self.column else self.found
        others = "1 more line has" if self.count == 2 else f"{self.count - 1:,} more lines have"
        more = f" {others} this problem." if self.count > 1 else ""
        return f"{where}: {what}; expected {self.expected}. {self.fix}{more}".strip()


class DataProblemError(RepriseError):
    """The data break the contract at the door; `problems` holds all of them, not only the first."""

    exit_code = 3

    def __init__(self, message: str, problems: Sequence[Problem] = (), *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {p}" for p in self.problems), *([self.hint] if self.hint else [])])
