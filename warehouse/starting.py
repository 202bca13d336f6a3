"""A new workspace: looks at the files, settles what is open, and writes a commented `reprise.toml`."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warehouse import commented
from warehouse.clock import zone
from warehouse.commented import toml, toml_key
from warehouse.contracts import CONTRACTS
from warehouse.errors import DataProblemError, Problem, UsageError
from warehouse.files import write_text
from warehouse.presets import Preset
from warehouse.presets import preset as known_preset
from warehouse.settings import SETTINGS_FILE, parse_settings
from warehouse.sizing import FEWEST, buckets_for, most_rows
from warehouse.sniffing import ISO, Sniffed, sniff

Ask = Callable[[str, list[str]], str]
HAPPENINGS = frozenset({"orders", "events"})
"""The tables in which something happens."""
NEEDED = HAPPENINGS | {"labels"}
"""One of these tables is needed to run: what happens, or what became of whom."""
LABELS_NOW = "each target that the labels name is trained; [targets.NAME] says its horizon and population."


@dataclass
class InitReport:
    """What was written, what was seen in the files, what was assumed because nobody was asked, and what to know."""

    path: Path
    found: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {"settings": str(self.path), "found": self.found, "assumed": self.assumed, "notes": self.notes}

    def lines(self) -> list[str]:
        said = [*(f"assumed: {line}" for line in self.assumed), *(f"note: {line}" for line in self.notes)]
        return [*self.found, *said, f"wrote {self.path}"]


@dataclass
class _Choices:
    """Settles what is open: by asking, or without a person by the first candidate, remembered as assumed."""

    ask: Ask | None
    report: InitReport

    def choose(self, question: str, options: list[str], assumption: str) -> str:
        if self.ask is not None:
            return self.ask(question, options)
        self.report.assumed.append(assumption.format(options[0], others=", ".join(options[1:])))
        return options[0]


def init_workspace(
    directory: Path | str,
    files: dict[str, Path],
    preset: str | None = None,
    tz: str | None = None,
    mapping: dict[str, str] | None = None,
    ask: Ask | None = None,
    duplicates: str | None = None,
    currency: str | None = None,
    policies: dict[str, dict[str, Any]] | None = None,
) -> InitReport:
    """Writes `reprise.toml` into `directory` for these files (table: path). `mapping` says ours = theirs.

    `policies` sets keys of tables, such as `{"orders": {"non_products": "^POSTAGE$"}}`.
    `ask(question, candidates)` is called for what cannot be inferred; without it the first candidate is taken and named
    in `assumed` and in the file's comments. An existing settings file is never overwritten.
    """
    root = Path(directory).resolve()
    target = root / SETTINGS_FILE
    _refuse(target, files, duplicates)
    shape = known_preset(preset) if preset else None
    report = InitReport(target)
    choices = _Choices(ask, report)
    if "labels" in files:
        report.notes.append(LABELS_NOW)
    sniffed = {
        table: sniff(
            Path(path),
            table,
            _said(table, mapping),
            shape.columns.get(table) if shape else None,
            _given(table, shape, policies, duplicates),
        )
        for table, path in files.items()
    }
    _refuse_unknown_mapping(mapping or {}, sniffed)
    business = _time_zone(tz, shape, sniffed, choices)
    sections = [_head(business, currency or _currency(sniffed), shape, choices, files.values())]
    told: set[str] = set()
    for table, seen in sniffed.items():
        columns = _chosen(table, seen, choices)
        lines = _table(root, table, seen, columns, shape, choices, told)
        said = {line.split(" = ")[0].split(".")[0] for line in lines}
        lines += commented.table(table, said, first=len(sections) == 1, time_zone=business)
        sections.append("\n".join([*lines, *_columns(table, columns, shape)]) + "\n")
    sections += [commented.other_tables(files), *_defaults(set(files))]
    sections += commented.sections(files, {"activity"} if "orders" not in files and "events" in files else ())
    noted = "".join(f"# assumed: {line}\n" for line in report.assumed)
    text = (
        sections[0]
        + (f"\n# Nobody was asked; check what was assumed.\n{noted}" if noted else "")
        + "".join(sections[1:])
    )
    parse_settings(text)
    write_text(target, text)
    return report


def _refuse(target: Path, files: dict[str, Path], duplicates: str | None) -> None:
    if target.exists():
        raise UsageError(f"{target} exists already.", hint="Edit it, or make the workspace in another folder.")
    unknown = [table for table in files if table not in CONTRACTS]
    if unknown:
        raise UsageError(f"There is no table {unknown[0]}.", hint=f"Known are: {', '.join(CONTRACTS)}.")
    if not NEEDED & set(files):
        raise UsageError("A workspace needs orders, events or labels.", hint="reprise init DIR --orders FILE")
    if duplicates not in (None, "drop", "keep"):
        raise UsageError(f'duplicates is "{duplicates}".', hint="It may be drop or keep.")


def _said(table: str, mapping: dict[str, str] | None) -> dict[str, str]:
    """What --map says of a table's columns; it holds for every table with that column."""
    contract = CONTRACTS[table]
    names = {column.name for column in (*contract.columns, *contract.door)}
    return {ours: theirs for ours, theirs in (mapping or {}).items() if ours in names}


def _currency(sniffed: dict[str, Sniffed]) -> str | None:
    """The one currency that a column of currencies names, if there is one."""
    named = {
        value.strip().upper()
        for seen in sniffed.values()
        for value in seen.sample.get(seen.columns.get("currency", [""])[0], ())
    }
    return named.pop() if len(named) == 1 else None


def _refuse_unknown_mapping(mapping: dict[str, str], sniffed: dict[str, Sniffed]) -> None:
    for ours, theirs in mapping.items():
        tables = [
            table for table in sniffed if ours in {c.name for c in (*CONTRACTS[table].columns, *CONTRACTS[table].door)}
        ]
        if not tables:
            raise UsageError(f'--map {ours}={theirs}: no table has a column "{ours}".', hint="Write it as ours=theirs.")
        if not any(theirs in sniffed[table].headers for table in tables):
            listed = ", ".join(sniffed[tables[0]].headers)
            raise UsageError(f'--map {ours}={theirs}: no file has a column "{theirs}".', hint=f"There are: {listed}.")
        for table in tables:
            if theirs not in sniffed[table].headers:
                sniffed[table].columns.pop(ours, None)


def _time_zone(tz: str | None, shape: Preset | None, sniffed: dict[str, Sniffed], choices: _Choices) -> str:
    if tz:
        return zone(tz).key
    if shape and shape.time_zone:
        return shape.time_zone
    naive = [table for table, seen in sniffed.items() if seen.naive_times]
    why = f"times in {', '.join(naive)} have no zone" if naive else "days are counted in a business time zone"
    question = f"{why[0].upper()}{why[1:]}. Which time zone (an IANA name)?"
    name = choices.choose(question, ["UTC", "Asia/Shanghai", "Europe/London", "America/New_York"],
                          f"time zone {{}}, because {why} (say --tz)")  # fmt: skip
    return zone(name).key


def _head(business: str, currency: str | None, shape: Preset | None, choices: _Choices, files: Iterable[Path]) -> str:
    lines = [
        "# Everything this workspace declares. Paths are relative to this file; your files are never changed.",
        "# A line such as #buckets = 16 shows a setting that may be changed, and what holds as long as it is not.",
        f"time_zone = {toml(business)}  # whose days, weeks and months count",
    ]
    if shape:
        lines.append(f"preset = {toml(shape.name)}")
        currency = shape.currency or currency
        choices.report.found.append(f"preset {shape.name}: {business}" + (f", {currency}" if currency else ""))
    if currency:
        lines.append(f"currency = {toml(currency)}  # the one currency of all amounts")
    else:
        lines.append('currency = "USD"  # only a name; amounts are never converted')
        choices.report.assumed.append("currency USD (a name only; change it in reprise.toml)")
    said = {"time_zone", "currency"}
    rows = most_rows(Path(path) for path in files)
    if (buckets := buckets_for(rows)) > FEWEST:
        lines.append(f"buckets = {buckets}  # parts of the store; {rows:,} rows, about, are in one file")
        said.add("buckets")
    return "\n".join(lines) + "\n" + commented.general(said)


def _given(
    table: str, shape: Preset | None, policies: dict[str, dict[str, Any]] | None, duplicates: str | None
) -> dict[str, Any]:
    """The policies of a table that are said: by the preset, by the caller over it, by --duplicates over both."""
    said = {**(shape.policies.get(table, {}) if shape else {}), **(policies or {}).get(table, {})}
    return {**said, "duplicates": duplicates} if duplicates else said


def _chosen(table: str, seen: Sniffed, choices: _Choices) -> dict[str, str]:
    """Our columns and theirs, one for one; `DataProblemError` where the file lacks what the table needs."""
    contract = CONTRACTS[table]
    columns = {ours: _one(table, ours, found, choices) for ours, found in seen.columns.items()}
    lacking = [name for name in contract.required if name not in columns]
    if contract.one_of and not any(set(choice) <= set(columns) for choice in contract.one_of):
        lacking.append(" or ".join(" and ".join(choice) for choice in contract.one_of))
    if lacking:
        listed = ", ".join(seen.headers)
        raise DataProblemError(
            f"{seen.path.name} is not clear as {table}.",
            [Problem(seen.path.name, 1, None, f"columns {listed}", f"a column for {name}",
                     f"Name it: --map {name.split()[0]}=THEIRS.") for name in lacking],
        )  # fmt: skip
    told = ", ".join(ours if ours == theirs else f"{ours} = {theirs}" for ours, theirs in columns.items())
    form = f", {seen.encoding}" if seen.encoding != "utf-8" else ""
    form += f", separated by {seen.separator!r}" if seen.separator != "," else ""
    choices.report.found.append(f"{table}: {seen.path.name}{form}: {told}")
    return columns


def _table(
    root: Path,
    table: str,
    seen: Sniffed,
    columns: dict[str, str],
    shape: Preset | None,
    choices: _Choices,
    told: set[str],
) -> list[str]:
    """What the section of one table says; `told` remembers which policies have had their comment."""
    policies = dict(seen.policies)
    if not {"duplicates", "duplicates_by"} & set(policies) and table in ("orders", "events"):
        choices.report.assumed.append(f"{table}: rows equal in all columns are dropped (say --duplicates keep)")
    lines = [f"\n[tables.{table}]  # {CONTRACTS[table].grain}"]
    lines += [f"# note: {note}" for note in choices.report.notes if table == "labels"]
    lines.append(f"files = [{toml(_relative(root, seen.path))}]")
    form = [*_form(seen, choices), *_numbers(seen, choices)]
    lines += [line for line in form if line.split(" = ")[0] not in policies]
    return lines + _policies(table, columns, policies, shape, told)


def _columns(table: str, columns: dict[str, str], shape: Preset | None) -> list[str]:
    """What the file's columns are called, and which of ours it does not seem to have; a preset's are all said."""
    known = shape.columns.get(table, {}) if shape else {}
    renamed = {ours: theirs for ours, theirs in columns.items() if ours != theirs or ours in known}
    absent = [name for name in CONTRACTS[table].names if name not in columns]
    if not renamed and not absent:
        return []
    lines = ["", f"{'' if renamed else '#'}[tables.{table}.columns]  # ours = theirs"]
    lines += [f"{ours} = {toml(theirs)}" for ours, theirs in renamed.items()]
    told = f"# not seen in the file: {', '.join(absent)}" if absent else ""
    return lines + textwrap.wrap(told, 120, subsequent_indent="#   ")


def _one(table: str, ours: str, found: list[str], choices: _Choices) -> str:
    if len(found) == 1:
        return found[0]
    question = f"Which column of {table} is {ours}?"
    return choices.choose(question, found, f"{table}.{ours} is {{}} (it might be {{others}})")


def _form(seen: Sniffed, choices: _Choices) -> list[str]:
    """Encoding, separator and time format, where they are not the usual ones."""
    lines = []
    if seen.encoding != "utf-8":
        lines.append(f"encoding = {toml(seen.encoding)}")
    if seen.separator != ",":
        lines.append(f"separator = {toml(seen.separator)}")
    if not seen.time_formats:
        choices.report.assumed.append(
            f"times in {seen.path.name} are ISO 8601, though some look different; set time_format"
        )
        return lines
    time_format = seen.time_formats[0]
    if len(seen.time_formats) > 1:
        question = f"Times in {seen.path.name} can be read in several ways. Which is right?"
        said = f"times in {seen.path.name} are written {{}} (it might be {{others}})"
        time_format = choices.choose(question, seen.time_formats, said)
    if time_format != ISO:
        lines.append(f"time_format = {toml(time_format)}")
    return lines


def _numbers(seen: Sniffed, choices: _Choices) -> list[str]:
    form = seen.numbers[0]
    if len(seen.numbers) > 1:
        question = f"Numbers in {seen.path.name} such as 1,234 can be read in two ways. How are they written?"
        form = choices.choose(question, seen.numbers, f"numbers in {seen.path.name} are written {{}}, not {{others}}")
    return [f"numbers = {toml(form)}"] if form != "1234.56" else []


def _policies(
    table: str, columns: dict[str, str], policies: dict[str, Any], shape: Preset | None, told: set[str]
) -> list[str]:
    """How rows are let in, each with what it means where it stands for the first time."""
    means = {
        "duplicates": "drop: rows equal in all columns to an earlier one go; keep: they stay. Counted always.",
        "guests": "set_aside: rows without a user are counted, not kept; stop: they are wrong.",
        "returns": "kind: the kind column says so; sign: a negative quantity or amount; order_prefix: the order_id.",
        "on_problem": "stop: one bad row stops the load; quarantine: bad rows go to store/rejects, at most "
        "max_bad_ratio of them.",
    }
    reasons = shape.reasons if shape and table in shape.policies else {}
    policies.setdefault("duplicates", "drop")
    if table == "orders":
        policies.setdefault("guests", "set_aside")
        policies.setdefault("returns", "kind" if "kind" in columns else "sign")
    if table == "events":
        policies.setdefault("guests", "set_aside")
    policies.setdefault("on_problem", "stop")
    lines = []
    for key, value in policies.items():
        reason = reasons.get(key) or (means.get(key) if key not in told else None)
        told.add(key)
        lines += [f"# {reason}"] if reason else []
        lines += _assigned(key, value)
    return lines


def _assigned(key: str, value: Any) -> list[str]:
    """A setting as lines of TOML, one for each entry of what has names of its own."""
    if isinstance(value, dict):
        return [f"{key}.{toml_key(name)} = {toml(inner)}" for name, inner in value.items()]
    return [f"{key} = {toml(value)}"]


def _defaults(tables: set[str]) -> list[str]:
    """Audiences to begin with, and acts where there are no orders."""
    if "orders" in tables:
        return [
            _audience(
                "new_customers", "Bought for the first time in the last 30 days.", "days_since_first_order <= 30"
            ),
            _audience(
                "leaving_and_valuable",
                "Likely to leave, and worth keeping.",
                "churn_probability in top 30 % and amount_365d in top 20 %",
            ),
            _audience("top_of_the_pyramid", "Those who spent the most in a year.", "amount_365d in top 5 %"),
        ]
    if "events" in tables:
        return [
            '\n[activity]\nacts = "events"  # there are no orders: every event is an act\n',
            _audience("new_customers", "First seen in the last 7 days.", "days_since_first_act <= 7"),
            _audience("leaving", "Likely to leave.", "churn_probability in top 30 %"),
        ]
    return []


def _audience(name: str, meaning: str, rule: str) -> str:
    return f"\n[audiences.{name}]  # {meaning}\nrule = {toml(rule)}\n"


def _relative(root: Path, path: Path) -> str:
    """The path as the settings file names it: relative where it lies in or beside the workspace."""
    whole = path.resolve()
    try:
        shared = Path(os.path.commonpath([root, whole]))
    except ValueError:
        return str(whole)
    return os.path.relpath(whole, root) if len(shared.parts) > 1 else str(whole)
