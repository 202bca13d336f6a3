"""The two questions with a body: scores of raw lines, and how large an audience would be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from features import rules
from serving import customers as served
from serving.consents import ConsentsBeside
from serving.problems import ProblemError
from serving.raw_lines import read_lines
from serving.release import Release
from serving.scoring import score_source
from serving.wire import AudienceRequest, ScoreRequest
from warehouse.clock import parse_day
from warehouse.errors import DataProblemError, NotReadyError, RepriseError, UsageError

_SHOWN = ("target", "horizon_days", "probability", "percentile", "state", "model_version")


def score_lines(release: Release, asked: ScoreRequest) -> dict[str, Any]:
    """Scores of everybody with a line before the cutoff; a 422 problem tells every line that breaks the contract."""
    as_of = parse_day(asked.as_of)
    try:
        lines = read_lines(
            release,
            [line.model_dump(exclude_none=True) for line in asked.orders],
            [line.model_dump(exclude_none=True) for line in asked.events],
            datetime.now(UTC).replace(tzinfo=None),
        )
        scores = score_source(release, as_of, lines.source) if lines.accepted else None
    except RepriseError as error:
        raise as_problem(error) from error
    return {
        "as_of": as_of.isoformat(),
        "release": release.id,
        "users": [] if scores is None else _by_user(scores),
        "accepted": lines.accepted,
        "duplicates": lines.duplicates,
        "set_aside": lines.set_aside,
    }


def audience(release: Release, asked: AudienceRequest, consents: ConsentsBeside) -> dict[str, Any]:
    """How many users the rule is true for, how many of them may be contacted, and what to expect of them."""
    try:
        return _audience(release, asked, consents)
    except RepriseError as error:
        raise as_problem(error) from error


def as_problem(error: RepriseError) -> ProblemError:
    """The problem that an error of ours is over HTTP; values that were found stay here."""
    if isinstance(error, DataProblemError):
        errors = [
            {"where": _where(each.file, each.line, each.column), "message": f"expected {each.expected}"}
            for each in error.problems
        ]
        return ProblemError(422, error.message, errors)
    if isinstance(error, NotReadyError):
        return ProblemError(409, error.message)
    return ProblemError(422 if isinstance(error, UsageError) else 500, str(error))


def _where(table: str, line: int | None, column: str | None) -> str:
    place = f"{table}.{line - 1}" if line else table
    return f"{place}.{column}" if column else place


def _by_user(scores: pa.Table) -> list[dict[str, Any]]:
    users: dict[str, list[dict[str, Any]]] = {}
    for row in scores.to_pylist():
        users.setdefault(row["user_id"], []).append({name: row[name] for name in _SHOWN})
    return [{"user_id": user, "scores": told} for user, told in users.items()]


def _audience(release: Release, asked: AudienceRequest, consents: ConsentsBeside) -> dict[str, Any]:
    rule = rules.parse(asked.rule) if isinstance(asked.rule, str) else rules.from_json(asked.rule)
    rules.check(rule, served.fields(release))
    target = _target(release, asked, rules.fields_of(rule))
    people = served.customers(release, rules.fields_of(rule))
    chosen = rules.evaluate(rule, people)
    judged = consents.judge(release, asked.channel)
    left_out = judged.left_out
    kept = chosen & ~left_out.any
    reasons = {
        "blocked": left_out.blocked,
        "no_consent": left_out.no_consent,
        "listed": left_out.listed | left_out.near,
    }
    return {
        "as_of": release.as_of.isoformat(),
        "release": release.id,
        "rule": rule.text(),
        "count": int(kept.sum()),
        "suppressed": {name: int((chosen & which).sum()) for name, which in reasons.items()},
        "expected_hits": None if target is None else float(np.nansum(release.scores.targets[target].probability[kept])),
        "target": target[0] if target else None,
        "horizon_days": target[1] if target else None,
        "user_ids": people["entity_id"].filter(pa.array(kept)).slice(0, asked.limit).to_pylist(),
        "consents_from": judged.source,
        "consents_as_of": judged.as_of,
    }


def _target(release: Release, asked: AudienceRequest, fields: Iterable[str]) -> tuple[str, int] | None:
    """Whose hits are expected: the target asked for, else the first one the rule asks about, else repurchase."""
    if not asked.target and not asked.horizon_days:
        ruled = {
            f"{key[0]}_{what}{suffix}": key
            for key, suffix in served.suffixes(release.scores.targets).items()
            for what in ("probability", "percentile")
        }
        found = [ruled[name] for name in fields if name in ruled]
        if found:
            return found[0]
    name = asked.target or "repurchase"
    found = [key for key in release.scores.targets if key[0] == name and asked.horizon_days in (None, key[1])]
    if not found and (asked.target or asked.horizon_days):
        there = ", ".join(f"{target} {horizon}" for target, horizon in release.scores.targets) or "none"
        raise UsageError("The release has no such target and horizon.", hint=f"There are: {there}.")
    return found[0] if found else None
