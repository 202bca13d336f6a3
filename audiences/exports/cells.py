"""Text cells that a spreadsheet takes neither for a formula nor for a number or a date, and the way back.

A line of a cell that could start a formula, or that starts with an apostrophe, gets one apostrophe in front, and so
does a text that would be shown otherwise than it is written (007, 1234567890123, 12E3, 1-2, TRUE). Taking one
apostrophe off every line that has it gives the cell back exactly. Numbers are rounded for reading, by `readable`.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# = + - @ and every character that compatibility normalisation turns into one of them, fullwidth forms included.
_STARTS = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−﬩⩴⩵⩶"
# Invisible characters do not protect: spreadsheets and people skip them.
_RISKY = rf"(?:^|[\r\n])(?:[\p{{Z}}\p{{C}}]*[{_STARTS}]|'|\t)|^[\r\n]"
_DAY = r"\d{1,4} ?[-/.:] ?\d{1,4}(?: ?[-/.:] ?\d{1,4}){0,2}"
_CLOCK = r"\d{1,2}(?::\d{1,2}){0,2}(?:\.\d+)?"
_MONTH = (
    "(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|january|february|march|april|june|july|august|september|"
    "october|november|december)"
)
_CONVERTED = (
    r"(?i)^[\p{Z}]*(?:"
    r"[($€£¥￥]*[\d.,]*\d[\d.,]*(?:e[+-]?\d+)?\p{Z}?[%$€£¥￥)]*"
    rf"|{_DAY}(?:[ t]{_CLOCK})?|(?:{_DAY} )?{_CLOCK} ?[ap]m?|\d+ \d+/\d+"
    rf"|{_MONTH}[-./ ]*\d{{1,4}}(?:[-/, ]+\d{{1,4}})?|\d{{1,4}}[-./ ]*{_MONTH}(?:[-./, ]+\d{{1,4}})?"
    r"|\d{1,4}年(?:\d{1,2}月(?:\d{1,2}日)?)?|\d{1,2}月(?:\d{1,2}日)?|\d{1,2}[时点](?:\d{1,2}分)?(?:\d{1,2}秒)?"
    r"|true|false|#(?:n/a|null!|div/0!|value!|ref!|name\?|num!)"
    r")[\p{Z}]*$"
)
_SHOWN_AS_WRITTEN = r"^(?:0|[1-9]\d{0,10}|(?:0|[1-9]\d{0,5})\.\d{0,4}[1-9])$"
"""Of those the spreadsheet converts: whole numbers of up to 11 digits, and short decimals, look the same afterwards."""
_SMALLEST_ROUNDED, _LARGEST_ROUNDED = 1e-16, 2.0**53 / 1e6
"""Between these the powers of ten and the whole numbers of the rounding are exact; others are left as they are."""
_BREAK = re.compile(r"(\r\n|\r|\n)")


def quote_formulas(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The text column with an apostrophe where `quote` puts one; nulls stay null."""
    risky = pc.fill_null(pc.or_(pc.match_substring_regex(column, _RISKY), _changed(column)), False)
    if not pc.any(risky).as_py():
        return column
    quoted = [quote(cell) for cell in column.filter(risky).to_pylist()]
    return pc.replace_with_mask(column.combine_chunks(), risky.combine_chunks(), pa.array(quoted, column.type))


def unquote_formulas(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undoes `quote_formulas`."""
    return pc.replace_substring_regex(column, r"(^|\r\n|\r|\n)'", r"\1")


def quote(cell: str) -> str:
    """One cell made safe."""
    if _changed(pa.scalar(cell)).as_py():
        return f"'{cell}"
    parts = _BREAK.split(cell)
    lines = [part if place % 2 else _quote_line(part) for place, part in enumerate(parts)]
    if len(lines) > 1 and lines[0] == "":
        lines[0] = "'"
    return "".join(lines)


def unquote(cell: str) -> str:
    """One cell as it was."""
    return "".join(part.removeprefix("'") for part in _BREAK.split(cell))


def readable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats rounded to 6 decimals, those nearer to 0 than 0.1 to 6 significant digits; nulls stay null."""
    chunks = [pa.array(_rounded(chunk.to_numpy(zero_copy_only=False)), pa.float64(), mask=_nulls(chunk))
              for chunk in column.cast(pa.float64()).chunks]  # fmt: skip
    return pa.chunked_array(chunks, pa.float64())


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A whole number over a power of ten is the double nearest to that decimal, so it prints with no more digits."""
    size = np.abs(values)
    fit = (size >= _SMALLEST_ROUNDED) & (size <= _LARGEST_ROUNDED)
    places = np.full(len(values), 6)
    small = fit & (size < 0.1)
    places[small] = 5 - np.floor(np.log10(size[small]))
    scale = 10.0**places
    return np.where(fit, np.round(np.where(fit, values, 0) * scale) / scale, values)


def _nulls(chunk: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(chunk.is_null().to_numpy(zero_copy_only=False), dtype=bool)


def _changed(cells: pa.Scalar | pa.ChunkedArray) -> pa.Scalar | pa.ChunkedArray:
    """Whether a spreadsheet would show the text otherwise than it is written."""
    written = pc.match_substring_regex(cells, _SHOWN_AS_WRITTEN)
    return pc.and_not(pc.match_substring_regex(cells, _CONVERTED), written)


def _quote_line(line: str) -> str:
    return f"'{line}" if line and pc.match_substring_regex(pa.scalar(line), _RISKY).as_py() else line
