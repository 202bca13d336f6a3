"""What reading gives and everything behind it takes: rows of text with their line numbers, block by block."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

LINE = "__line__"


@dataclass
class Ragged:
    """A row with more or fewer values than the header has names."""

    line: int
    found: int
    expected: int


@dataclass
class Batch:
    """Rows of a file as text, those that do not fall into its columns, and the share of the file read so far.

    `aside` counts rows that shaping has taken out already, by label; `told` what else is worth counting, by sentence.
    """

    rows: pa.Table
    ragged: list[Ragged] = field(default_factory=list)
    share: float = 1.0
    aside: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
