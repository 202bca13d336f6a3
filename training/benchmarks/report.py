"""What is asked on the command line, and the answer as a table for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from models import recommenders
from training.benchmarks.contest import Asked
from warehouse.errors import UsageError

COLUMNS = ("model", "k", "recall", "interval", "ndcg", "hit_rate", "repeat_recall", "explore_recall", "coverage",
           "seconds", "peak_mb")  # fmt: skip
LONGEST_LIST = 1000
_UNITS = {"MB": 10**6, "GB": 10**9}


def asked(k: str, models: str | None, may_repeat: bool, trials: int, seed: int, minutes: float, memory: str) -> Asked:
    """What the options say; `UsageError` where one is not understood."""
    return Asked(_names(models), _lengths(k), may_repeat, trials, seed, minutes * 60, _bytes(memory))


def _lengths(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if all(re.fullmatch(r"[0-9]{1,4}", part) and 1 <= int(part) <= LONGEST_LIST for part in parts):
        return tuple(sorted({int(part) for part in parts}))
    raise UsageError(f'--k is "{text}".', hint=f"Give lengths from 1 to {LONGEST_LIST:,}, such as 10,20.")


def _names(text: str | None) -> tuple[str, ...]:
    if text is None:
        return tuple(recommenders.names())
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        recommenders.create(name)
    return names


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6}) ?(MB|GB)", text.strip())
    if not found or not int(found[1]):
        raise UsageError(f'--memory is "{text}".', hint="Write it as 16GB or 500MB.")
    return int(found[1]) * _UNITS[found[2]]


def rows(found: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """A row per model and k, the best recall first."""
    for k in map(str, found["k"]):
        for row in sorted(found["models"], key=lambda row: -row["recall"][k]):
            held = [row[name][k] for name in COLUMNS[4:9]]
            yield (
                row["name"] + (" *" if row["name"] == found["winner"] else ""),
                k,
                _number(row["recall"][k]),
                " – ".join(map(_number, row["recall_interval"][k])),
                *map(_number, held),
                f"{row['seconds']:.1f}",
                f"{row['peak_mb']:.0f}",
            )


def notes(found: dict[str, Any]) -> Iterator[str]:
    """What must be known beside the table."""
    yield f"* the winner, chosen by the {found['chosen_by']}"
    for skipped in found["skipped"]:
        yield f"{skipped['name']} {skipped['why']}"
    if found["unknown_test_users"]:
        yield f"{found['unknown_test_users']:,} of {found['test_users']:,} test users are not in train: popular items."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
