"""Where the header of a text file stands, and what stands around its values: seen in a sample, proposed to settings."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from warehouse.headers import HEADERS, plain

LOOKED_AT = 20
_GUARDS = (('="…"', re.compile(r'="[^"]*"')), ("…\t", re.compile(r"[^\t]+\t")))
_SIGNS = ("¥", "￥", "$", "€", "£", "元")


def text_rows(text: str, separator: str) -> list[list[str]]:
    """The first records of a text."""
    return list(itertools.islice(csv.reader(io.StringIO(text), delimiter=separator), LOOKED_AT))


def header_lines(rows: Sequence[Sequence[str]], table: str, names: Collection[str]) -> dict[str, int]:
    """`skip_rows` and `header_rows` where the header is not the first line; `names` are known beside the usual ones.

    The header is the line with the most known names. A line right above it that fills several cells belongs to it.
    """
    known = {plain(word) for words in HEADERS[table].values() for word in words.split()} | set(map(plain, names))
    hits = [sum(_bare(cell) in known for cell in row) for row in rows]
    best = max(range(len(rows)), key=lambda i: (hits[i], -i), default=0)
    if not best or hits[best] < 2:
        return {}
    above = rows[best - 1]
    grouped = len(above) == len(rows[best]) and sum(bool(cell.strip()) for cell in above) > 1
    skipped = best - 1 if grouped else best
    return {**({"skip_rows": skipped} if skipped else {}), **({"header_rows": 2} if grouped else {})}


def _bare(cell: str) -> str:
    return plain(cell.strip().removeprefix('="').removesuffix('"'))


def marks(sample: Mapping[str, list[str]], money: Iterable[str]) -> dict[str, Any]:
    """`unwrap` and `money_marks` as the values of a sample show them; `money` names the columns of amounts."""
    texts = [text for values in sample.values() for text in values]
    guards = [mark for mark, pattern in _GUARDS if any(pattern.fullmatch(text) for text in texts)]
    amounts = [text.lstrip("+-") for name in money for text in sample.get(name, ())]
    signs = [f"{sign}…" for sign in _SIGNS if any(amount.startswith(sign) for amount in amounts)]
    signs += [f"…{sign}" for sign in _SIGNS if any(amount.endswith(sign) for amount in amounts)]
    return {**({"unwrap": guards} if guards else {}), **({"money_marks": signs} if signs else {})}
