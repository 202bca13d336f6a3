"""What a SQL file may hold, so that DuckDB and Spark read the same from it."""

from __future__ import annotations

import re

from features.statements import last_select

SHIMS = frozenset({"days_between", "day_number", "iso_dow", "key_of", "rounded"})
"""Functions of ours with the same name and meaning on every engine (`warehouse.engine`)."""

SHARED = frozenset(
    [
        "abs",
        "avg",
        "cast",
        "coalesce",
        "count",
        "cume_dist",
        "floor",
        "greatest",
        "hour",
        "lag",
        "least",
        "lead",
        "ln",
        "lower",
        "max",
        "median",
        "min",
        "nullif",
        "rank",
        "row_number",
        "sqrt",
        "stddev_samp",
        "sum",
        "upper",
        "percentile_cont",
    ]
)
"""Functions that DuckDB and Spark compute alike."""

_CALL = re.compile(r"\b([a-z_][a-z0-9_]*)\s*\(", re.IGNORECASE)
_NOT_CALLS = frozenset(
    [
        "and",
        "as",
        "by",
        "case",
        "else",
        "exists",
        "filter",
        "from",
        "in",
        "not",
        "on",
        "or",
        "over",
        "select",
        "then",
        "when",
        "where",
    ]
)
_TYPES = frozenset({"decimal"})
_CLOCK = re.compile(r"\b(current_date|current_time|current_timestamp|localtimestamp|now|today)\b", re.IGNORECASE)
_DATE = re.compile(r"\b(date|timestamp|interval)\s*'|'\d{4}-\d{2}-\d{2}", re.IGNORECASE)
_GRAIN = re.compile(r"^-- one row per .+ :as_of")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_COMMENT = re.compile(r"--[^\n]*")


def check_sql(text: str) -> list[str]:
    """What is wrong with the text of a SQL file, one sentence each; empty where nothing is."""
    return [said for _, said in problems_in(text)]


def problems_in(text: str) -> list[tuple[int, str]]:
    """The same with the line each is found on."""
    problems = []
    if not _GRAIN.match(text):
        problems.append((1, "The first line does not state the grain (`-- one row per … :as_of`)."))
    # Blanked out, not removed, so that every place stays where it is in the file.
    code = _COMMENT.sub(lambda found: " " * len(found[0]), text)
    bare = _TEXT.sub(lambda found: "'" + re.sub(r"[^\n]", " ", found[0][1:-1]) + "'", code)

    def told(found: re.Match[str], said: str) -> tuple[int, str]:
        return text[: found.start()].count("\n") + 1, said

    calls = {match[1].lower(): match for match in reversed([*_CALL.finditer(bare)])}
    problems += [
        told(match, f"{name}() is not among the functions shared by the engines.")
        for name, match in reversed(calls.items())
        if name not in SHARED | SHIMS | _NOT_CALLS | _TYPES and not _names_a_query(name, bare)
    ]
    clocks = {match[0]: match for match in reversed([*_CLOCK.finditer(bare)])}
    problems += [told(match, f"{name} reads the clock; bind :as_of.") for name, match in reversed(clocks.items())]
    if dated := _DATE.search(code):
        problems.append(told(dated, "A date is written into the text; bind it as a value."))
    if cast := re.search("::", bare):
        problems.append(told(cast, "`::` casts are not shared; write cast(… as …)."))
    last = last_select(bare)
    if any(item.strip().endswith("*") for item in last.items):
        problems.append((last.before.count("\n") + 1, "The last select does not list its columns."))
    if capital := re.search("[A-Z]", bare):
        problems.append(told(capital, "Keywords and names are written in lower case."))
    if end := re.search(";", bare):
        problems.append(told(end, "A file holds one statement, without semicolon."))
    return problems


def _names_a_query(name: str, code: str) -> bool:
    """Whether `name (` opens a common table expression with columns; those are not calls."""
    return re.search(rf"\b{name}\s+as\s+\(", code) is not None
