"""Every feature there is: its name, family, unit, window and meaning in one line, English and Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from features.families import FAMILIES, Family
from features.rules import Field

DOCUMENT = Path(__file__).parent.parent / "docs" / "features.md"


@dataclass(frozen=True)
class NamedValue:
    """One value of a segment, and what people call it."""

    value: str
    en: str
    zh: str


@dataclass(frozen=True)
class Feature:
    """One column of the feature table.

    `unit` is None for categories. `window_days` is None where the feature looks at everything before the cutoff.
    `absent` is its value for a customer of whom the family knows nothing: 0 for counts, None (unknown) for most others.
    `values` is the closed list of a segment's values, empty for any other feature. `modelled` is False where the whole
    family is there for rules, releases and exports alone.
    """

    name: str
    family: str
    kind: Literal["number", "category"]
    unit: str | None
    window_days: int | None
    en: str
    zh: str
    protected: bool = False
    absent: float | str | None = None
    values: tuple[NamedValue, ...] = ()
    modelled: bool = True

    @property
    def is_segment(self) -> bool:
        """Whether its values have names. A segment is for people: it cuts numbers that models read uncut already."""
        return bool(self.values)


def _window(text: str) -> tuple[str, int | None, str, str]:
    """Suffix, days and words of a window: a number of days, L (all so far) or . (none)."""
    if text == ".":
        return "", None, "", ""
    if text == "L":
        return "_lifetime", None, "so far", "累计"
    return f"_{text}d", int(text), f"in the last {text} days" if text != "1" else "on the last day", f"近{text}天"


def _read(family: Family) -> Iterable[Feature]:
    for (name, windows, unit, absent, en, zh), values in _lines(family):
        bare, protected = unit.removesuffix("!").strip(), unit.endswith("!")
        for window in windows.split():
            suffix, days, in_english, in_chinese = _window(window)
            yield Feature(
                name if name.startswith("days_since") else name + suffix,
                family.name,
                "category" if bare == "*" else "number",
                None if bare == "*" else bare,
                days,
                " ".join(en.replace("{w}", in_english).split()),
                zh.replace("{w}", in_chinese),
                protected,
                {"0": 0.0, "?": None}.get(absent, absent),
                values,
                family.modelled,
            )


def _lines(family: Family) -> Iterator[tuple[list[str], tuple[NamedValue, ...]]]:
    """The parts of each feature's line, and the values told on the lines after it."""
    found: list[tuple[list[str], list[NamedValue]]] = []
    for line in filter(None, family.lines.splitlines()):
        parts = [part.strip() for part in line.split("|")]
        if len(parts) == 3:
            found[-1][1].append(NamedValue(*parts))
        else:
            found.append((parts, []))
    return ((parts, tuple(values)) for parts, values in found)


FEATURES: tuple[Feature, ...] = tuple(feature for family in FAMILIES for feature in _read(family))


def available(tables: Iterable[str]) -> tuple[Feature, ...]:
    """The features that can be built from these tables, in the order of the catalogue."""
    have = frozenset(tables)
    possible = {family.name for family in FAMILIES if family.possible(have)}
    return tuple(feature for feature in FEATURES if feature.family in possible)


def modelled_families() -> tuple[str, ...]:
    """The families that models read, in their order."""
    return tuple(family.name for family in FAMILIES if family.modelled)


def families_of(names: Iterable[str]) -> tuple[str, ...]:
    """The families of the catalogue that hold any of these features, in their order."""
    wanted = frozenset(names)
    return tuple(dict.fromkeys(feature.family for feature in FEATURES if feature.name in wanted))


def by_name() -> dict[str, Feature]:
    """The catalogue by the name of the feature."""
    return {feature.name: feature for feature in FEATURES}


def fields(features: Iterable[Feature]) -> dict[str, Field]:
    """What rules may ask of these features; a segment's values may be called by their Chinese names."""
    return {
        feature.name: Field(
            feature.name,
            "number" if feature.kind == "number" else "text",
            tuple(each.value for each in feature.values),
            tuple(each.zh for each in feature.values),
        )
        for feature in features
    }


def markdown() -> str:
    """The catalogue as a page: one table per family."""
    lines = [
        "# Features",
        "",
        "Made by `python -m features.catalogue`; edit `features/families`, not this page.",
        "",
        "One row per customer as of a date. A window of n days is the n calendar days of the business zone that end",
        "where that date begins. Protected features stay out of models unless `training.use_protected` is set.",
        "A segment is a category with a closed list of named values. It cuts numbers that models read uncut, so models",
        "do not read it; rules may name its values in Chinese too.",
        f"There are {len(FEATURES)} of them.",
    ]
    for family in FAMILIES:
        needs = " and ".join(sorted(family.needs)) or " or ".join(sorted(family.any_of))
        lines += [
            "",
            f"## {family.name}",
            "",
            f"Needs {needs}." + ("" if family.modelled else " Models do not read it."),
            "",
            "| name | unit | meaning | 含义 |",
            "|---|---|---|---|",
        ]
        for feature in FEATURES:
            if feature.family == family.name:
                unit = (feature.unit or "category") + (", protected" if feature.protected else "")
                lines.append(f"| `{feature.name}` | {unit} | {feature.en} | {feature.zh} |")
        named = [(f.name, each) for f in FEATURES if f.family == family.name for each in f.values]
        if named:
            lines += ["", "| segment | value | name | 名称 |", "|---|---|---|---|"]
            lines += [f"| `{name}` | `{each.value}` | {each.en} | {each.zh} |" for name, each in named]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(markdown(), encoding="utf-8")
