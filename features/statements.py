"""The SQL files: found, ordered by what they read, and given their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from features.engines import PARAMETER, Engine, Values
from features.windows import parameters

FOLDER = Path(__file__).parent / "sql"
_COMMENT = re.compile(r"--[^\n]*")
_NAME = re.compile(r"\b[a-z_][a-z0-9_]*\b")
_QUERY = re.compile(r"^(?:with )?[a-z_][a-z0-9_]* as \($", re.MULTILINE)
_FROM = re.compile(r"\n *from\b")
_READ = re.compile(r"\b(?:from|join)\s+([a-z_]+)")


@dataclass(frozen=True)
class Statement:
    """One SQL file: its name and its text, values written as `:name`."""

    name: str
    text: str

    @cached_property
    def body(self) -> str:
        """The text without comments."""
        return _COMMENT.sub("", self.text)

    @cached_property
    def values(self) -> frozenset[str]:
        """Names of the values it is given."""
        return frozenset(PARAMETER.findall(self.body))

    @cached_property
    def reads(self) -> frozenset[str]:
        """Names after `from` and `join`: tables, staging and its own common table expressions."""
        return frozenset(_READ.findall(self.body))

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The columns that its last select lists."""
        return last_select(self.body).names

    @cached_property
    def words(self) -> frozenset[str]:
        """Every name in it."""
        return frozenset(_NAME.findall(self.body))

    def narrowed(self, wanted: frozenset[str]) -> Statement:
        """The statement without the columns that nobody wants, so that what they are made of is not read either.

        Its common table expressions lose what is then no longer named after them.
        """
        text = _narrowed_select(self.body, wanted)
        for query in reversed([*_QUERY.finditer(text)]):
            start, end = query.end(), text.index("\n)", query.end())
            later = frozenset(_NAME.findall(text[end:]))
            text = text[:start] + _narrowed_select(text[start:end], later) + text[end:]
        return Statement(self.name, text)

    def keep(self, engine: Engine, as_of: date, values: Values | None = None) -> None:
        """Runs it as of a date and keeps the rows as a table of its name."""
        engine.keep(self.name, self.body, self.bound(as_of, values))

    def table(self, engine: Engine, as_of: date, values: Values | None = None) -> pa.Table:
        """Its rows as of a date."""
        return engine.rows(self.body, self.bound(as_of, values))

    def columns(self, engine: Engine, as_of: date, wanted: Sequence[str]) -> pa.Table:
        """These expressions of its columns as of a date."""
        sql = f"select {', '.join(wanted)} from ({self.body}) as {self.name}_rows"
        return engine.rows(sql, self.bound(as_of))

    def bound(self, as_of: date, values: Values | None = None) -> dict[str, object]:
        """The values it is given: those of the date, and what else it names."""
        further = values or {}
        return {**parameters(self.values, as_of), **{name: further[name] for name in self.values & further.keys()}}


@cache
def statements(kind: str) -> dict[str, Statement]:
    """The statements of one folder of `features/sql`, by name."""
    return {path.stem: Statement(path.stem, path.read_text("utf-8")) for path in sorted((FOLDER / kind).glob("*.sql"))}


POPULATION = frozenset(
    name for name, statement in statements("population").items() if " of a part " not in statement.text.splitlines()[0]
)
"""The tables counted over everybody; the others of their folder, which they read, are counted over each part."""


def staging_for(wanted: Iterable[Statement], *chosen: str) -> Sequence[Statement]:
    """The staging statements that `wanted` read, each after those it reads itself.

    `chosen` are statements of which a source takes one or the other: `acts_of_sales` makes the table `acts`.
    """
    return _staging_for(tuple(wanted), chosen)


@cache
def _staging_for(readers: tuple[Statement, ...], chosen: tuple[str, ...]) -> tuple[Statement, ...]:
    known = statements("staging") | statements("periods")
    known |= {name.partition("_of_")[0]: known[name] for name in chosen}
    ordered: dict[str, Statement] = {}

    def visit(name: str) -> None:
        if name in known and name not in ordered:
            for read in sorted(known[name].reads - {name}):
                visit(read)
            ordered[name] = Statement(name, known[name].text)

    for statement in readers:
        for name in sorted(statement.reads):
            visit(name)
    return _narrowed([*ordered.values()], readers)


def _narrowed(staging: Sequence[Statement], readers: Sequence[Statement]) -> tuple[Statement, ...]:
    """The staging statements with only the columns that a later one or a reader names."""
    later = list(readers)
    for statement in reversed(staging):
        wanted = frozenset[str]().union(*(reader.words for reader in later if statement.name in reader.reads))
        later.append(statement.narrowed(wanted))
    return tuple(later[len(readers) :][::-1])


@dataclass(frozen=True)
class LastSelect:
    """The last select outside brackets: the text before its list, the items of the list, and the text after it."""

    before: str
    items: tuple[str, ...]
    after: str

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it lists."""
        return tuple(_NAME.findall(item)[-1] for item in self.items)


def last_select(code: str) -> LastSelect:
    """Cuts a statement at the list of its last select."""
    flat = _outside_brackets(code)
    start = flat.rfind("select") + len("select")
    found = _FROM.search(flat, start)
    end = found.start() if found else len(flat)
    commas = [start - 1, *(n for n in range(start, end) if flat[n] == ","), end]
    items = tuple(code[a + 1 : b] for a, b in pairwise(commas))
    return LastSelect(code[:start], items, code[end:])


def _outside_brackets(code: str) -> str:
    """The text with blanks for what stands in brackets."""
    depth, outer = 0, []
    for character in code:
        depth -= character == ")"
        outer.append(character if depth == 0 else " ")
        depth += character == "("
    return "".join(outer)


def _narrowed_select(code: str, wanted: frozenset[str]) -> str:
    if "union all" in _outside_brackets(code):
        # The branches must go on having the same columns.
        return code
    last = last_select(code)
    kept = [item for item, name in zip(last.items, last.names, strict=True) if name in wanted]
    return last.before + ",".join(kept) + last.after
