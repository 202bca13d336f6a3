"""What can be seen in a file before it is read: encoding, separator, which column is which, how times are written.

Sniffing only proposes. What it proposes is written into the settings file, and the door reads by those settings alone.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from warehouse.batches import LINE
from warehouse.casting import COMMA, GROUPED, NUMBER
from warehouse.contracts import CONTRACTS
from warehouse.errors import DataProblemError
from warehouse.headers import candidates
from warehouse.presets import Columns, fitting, known_columns, unnesting
from warehouse.reading import kind_of, read_batches
from warehouse.settings import TableSettings
from warehouse.sheet_layout import LOOKED_AT, header_lines, marks, text_rows
from warehouse.sheets import first_rows

_SAMPLE = 1 << 18
_ROWS = 20_000
_LETTERS = 5000
_GB2312 = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_SEPARATORS = (",", "\t", ";", "|")
ISO = "ISO 8601"
_CLOCKS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%b-%Y", "%d %b %Y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%b %d, %Y")
_YEAR_FIRST = ("%Y年%m月%d日", "%Y.%m.%d", "%Y%m%d")
_ISO_LIKE = re.compile(
    r"\d{4}([-/])\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?)? ?(Z|[+-]\d{2}(:?\d{2})?)?"
)


@dataclass
class Sniffed:
    """What a file looks like. `columns` lists for each of our columns the headers that may be it, best first;
    `time_formats` the ways in which the times can be read, the likeliest first (`ISO` needs no format), `numbers` those
    in which the numbers can.
    """

    path: Path
    encoding: str
    separator: str
    headers: list[str]
    columns: dict[str, list[str]]
    time_formats: list[str]
    naive_times: bool
    numbers: list[str] = field(default_factory=lambda: ["1234.56"])
    sample: dict[str, list[str]] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)

    @property
    def negative(self) -> dict[str, bool]:
        """Whether the sample has negative values, by header."""
        return {name: any(value.startswith("-") for value in values) for name, values in self.sample.items()}


def sniff(
    path: Path,
    table: str,
    mapping: dict[str, str] | None = None,
    known: Columns | None = None,
    policies: Mapping[str, Any] | None = None,
) -> Sniffed:
    """Looks at the beginning of a file meant for that table; `mapping` (ours = theirs) is taken as said.

    `known` are columns of a preset, taken where the file has them, and `policies` its policies: those that fit the
    file come back, with what is seen of its layout.
    """
    mapping, policies = mapping or {}, dict(policies or {})
    kind = kind_of(path)
    encoding, separator, beginning = _form(path) if kind in ("csv", "jsonl") else ("utf-8", ",", "")
    form: dict[str, Any] = {"files": (str(path),), "encoding": encoding, "separator": separator}
    if kind in ("csv", "excel"):
        rows = text_rows(beginning, separator) if kind == "csv" else first_rows(path, policies.get("sheet"), LOOKED_AT)
        names = [
            name for theirs in (known or {}).values() for name in ([theirs] if isinstance(theirs, str) else theirs)
        ]
        policies = {**header_lines(rows, table, [*names, *mapping.values()]), **policies}
        form |= {key: policies[key] for key in ("sheet", "skip_rows", "header_rows", "unwrap") if key in policies}
    headers, sample = _sample(path, form)
    apart = unnesting(policies, headers)
    if apart:
        headers, _ = _sample(path, {**form, **apart})
    policies = fitting({**{k: v for k, v in policies.items() if k not in ("flatten", "explode")}, **apart}, headers)
    columns = _columns(table, headers, {**known_columns(known or {}, headers), **mapping})
    money = [columns[c.name][0] for c in CONTRACTS[table].columns if c.kind == "money" and c.name in columns]
    policies = {**marks(sample, money), **policies}
    chosen = {ours: found[0] for ours, found in columns.items() if found[0] in headers}
    headers, sample = _sample(path, {**form, **policies, "columns": chosen})
    happened = CONTRACTS[table].happened
    times = sample.get(columns[happened][0], []) if happened in columns else []
    counted = [c.name for c in CONTRACTS[table].columns if c.kind in ("money", "quantity", "number")]
    texts = [text for name in counted if name in columns for text in sample[columns[name][0]]]
    forms = numbers(texts, decimal_comma_first=separator == ";")
    return Sniffed(
        path, encoding, separator, headers, columns, time_formats(times), _naive(times), forms, sample, policies
    )


def _sample(path: Path, form: Mapping[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """The columns of a file read by these settings, and the values at its beginning that are not empty."""
    batches = read_batches(path, TableSettings.model_validate(dict(form)), block=_SAMPLE)
    seen = list(itertools.islice(batches, 2))
    if not seen:
        raise DataProblemError(f"0 rows in {path.name}.", hint="Check that the export is complete.")
    rows = pa.concat_tables([batch.rows for batch in seen], promote_options="default").slice(0, _ROWS)
    headers = [name for name in rows.column_names if name != LINE]
    return headers, {name: [v for v in rows.column(name).to_pylist() if v] for name in headers}


def _columns(table: str, headers: list[str], mapping: dict[str, str]) -> dict[str, list[str]]:
    """Candidates for each of our columns; a header that is surely another column is none."""
    contract = CONTRACTS[table]
    taken = set(mapping.values())
    found: dict[str, list[str]] = {ours: [theirs] for ours, theirs in mapping.items()}
    names = [column.name for column in (*contract.columns, *contract.door)]
    exact = {name for name in names if name in headers and name not in found}
    for name in names:
        if name in found:
            continue
        others = taken | (exact - {name})
        choice = [name] if name in exact else [c for c in candidates(table, name, headers) if c not in others]
        if choice:
            found[name] = choice
            taken.add(choice[0])
    return found


def _form(path: Path) -> tuple[str, str, str]:
    """Encoding and separator of a text file, by its beginning, which comes with them."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            raw: bytes = file.read(_SAMPLE)
    except FileNotFoundError as error:
        raise DataProblemError(f"There is no file {path}.", hint="Check the path.") from error
    encoding = _encoding(raw)
    text = raw.decode(encoding, errors="ignore")
    if kind_of(path) == "jsonl":
        return encoding, ",", text
    return encoding, _separator(text), text


def _encoding(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    whole = raw[: raw.rfind(b"\n") + 1] or raw
    try:
        whole.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030" if _is_chinese(whole) else "cp1252"
    return "utf-8"


def _is_chinese(raw: bytes) -> bool:
    """Whether GB18030 gives Chinese as it is written: nearly any bytes decode, but seldom to common characters."""
    try:
        letters = [letter.encode("gb18030") for letter in raw.decode("gb18030") if letter > "\x7f"][:_LETTERS]
    except UnicodeDecodeError:
        return False
    # Four bytes, such as of the yen sign, do not come about by chance; two do.
    pairs = [letter for letter in letters if len(letter) == 2]
    return 2 * sum(1 for letter in pairs if _GB2312.fullmatch(letter)) >= len(pairs)


def _separator(text: str) -> str:
    """The separator that cuts the first lines into the most columns, equally many in each."""
    lines = text.splitlines()[:50]
    lines = lines[:-1] if len(lines) > 2 else lines

    def columns(separator: str) -> int:
        widths = [len(row) for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator) if row]
        usual = max(widths, key=lambda width: (widths.count(width), width), default=0)
        # Titles stand above the header, and a row of sums may be shorter.
        below = widths[widths.index(usual) :] if widths else []
        return usual if below.count(usual) >= 0.8 * len(below) else 0

    return max(_SEPARATORS, key=columns)


def _parses(values: list[str], time_format: str) -> bool:
    try:
        for value in values:
            datetime.strptime(value, time_format)
    except ValueError:
        return False
    return True


def time_formats(values: list[str]) -> list[str]:
    """The ways in which all those texts can be read as times; several where day and month cannot be told apart."""
    values = list(dict.fromkeys(values))[:5000]
    if not values:
        return [ISO]
    if all(_ISO_LIKE.fullmatch(value) for value in values):
        return [ISO]
    compact = all(re.fullmatch(r"(19|20)\d{6}", value) for value in values)
    if not compact and all(re.fullmatch(r"\d{9,17}(\.\d+)?", value) for value in values):
        digits = max(len(value.split(".")[0]) for value in values)
        return ["epoch_s" if digits <= 11 else "epoch_ms" if digits <= 14 else "epoch_us"]
    return [
        day + clock
        for day in (*_YEAR_FIRST, *_DAY_FIRST, *_MONTH_FIRST)
        for clock in _CLOCKS
        if _parses(values[:3], day + clock) and _parses(values, day + clock)
    ]


def numbers(values: list[str], decimal_comma_first: bool = False) -> list[str]:
    """The ways in which all those texts can be read as numbers; two where 1,234 may be more or less than two."""
    forms = {"1234.56": NUMBER, "1,234.56": f"{GROUPED}|{NUMBER}", "1.234,56": COMMA}
    fits = [form for form, pattern in forms.items() if all(re.fullmatch(pattern, value) for value in values)]
    if not fits or "1234.56" in fits:
        return ["1234.56"]
    return fits[::-1] if decimal_comma_first else fits


def _naive(values: list[str]) -> bool:
    """Whether the times are written without a zone."""
    return not values or not all(
        re.search(r"(Z|:\d{2}(\.\d+)? ?[+-]\d{2}(:?\d{2})?)$|^\d{9,}", v) for v in values[:100]
    )
