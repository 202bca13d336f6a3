"""Text cells that a spreadsheet does not take for a formula, and the way back.

A line of a cell that could start a formula, or that starts with an apostrophe, gets one apostrophe in front. Taking
one apostrophe off every line that has it gives the cell back exactly.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

# = + - @ and every character that compatibility normalisation turns into one of them, fullwidth forms included.
_STARTS = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−﬩⩴⩵⩶"
# Invisible characters do not protect: spreadsheets and people skip them.
_RISKY = rf"(?:^|[\r\n])(?:[\p{{Z}}\p{{C}}]*[{_STARTS}]|'|\t)|^[\r\n]"
_BREAK = re.compile(r"(\r\n|\r|\n)")


def quote_formulas(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The text column with an apostrophe where `quote` puts one; nulls stay null."""
    risky = pc.fill_null(pc.match_substring_regex(column, _RISKY), False)
    if not pc.any(risky).as_py():
        return column
    quoted = [quote(cell) for cell in column.filter(risky).to_pylist()]
    return pc.replace_with_mask(column.combine_chunks(), risky.combine_chunks(), pa.array(quoted, column.type))


def unquote_formulas(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undoes `quote_formulas`."""
    return pc.replace_substring_regex(column, r"(^|\r\n|\r|\n)'", r"\1")


def quote(cell: str) -> str:
    """One cell made safe."""
    parts = _BREAK.split(cell)
    lines = [part if place % 2 else _quote_line(part) for place, part in enumerate(parts)]
    if len(lines) > 1 and lines[0] == "":
        lines[0] = "'"
    return "".join(lines)


def unquote(cell: str) -> str:
    """One cell as it was."""
    return "".join(part.removeprefix("'") for part in _BREAK.split(cell))


def _quote_line(line: str) -> str:
    return f"'{line}" if line and pc.match_substring_regex(pa.scalar(line), _RISKY).as_py() else line
