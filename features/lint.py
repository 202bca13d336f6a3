"""What a SQL file may hold, so that DuckDB and Spark read the same from it."""

from __future__ import annotations

import re

from features.statements import last_select

SHIMS = frozenset({"days_between", "day_number", "iso_dow", "key_of"})
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
        "round",
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
    problems = []
    if not _GRAIN.match(text):
        problems.append("The first line does not state the grain (`-- one row per … :as_of`).")
    code = _COMMENT.sub("", text)
    bare = _TEXT.sub("''", code)
    problems += [
        f"{name}() is not among the functions shared by the engines."
        for name in dict.fromkeys(match.lower() for match in _CALL.findall(bare))
        if name not in SHARED | SHIMS | _NOT_CALLS | _TYPES and not _names_a_query(name, bare)
    ]
    problems += [f"{name} reads the clock; bind :as_of." for name in dict.fromkeys(_CLOCK.findall(bare))]
    if _DATE.search(code):
        problems.append("A date is written into the text; bind it as a value.")
    if "::" in bare:
        problems.append("`::` casts are not shared; write cast(… as …).")
    if any(item.strip().endswith("*") for item in last_select(bare).items):
        problems.append("The last select does not list its columns.")
    if bare != bare.lower():
        problems.append("Keywords and names are written in lower case.")
    if ";" in bare:
        problems.append("A file holds one statement, without semicolon.")
    return problems


def _names_a_query(name: str, code: str) -> bool:
    """Whether `name (` opens a common table expression with columns; those are not calls."""
    return re.search(rf"\b{name}\s+as\s+\(", code) is not None
