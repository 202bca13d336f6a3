"""The questions that take work: scores of raw lines, how large an audience would be, whom an item suits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from audiences.expecting import Scored, expected_target, named_by, none_because
from audiences.suppression import Withheld
from features import rules
from serving import answers, fallbacks, peers, takers
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
    """Scores of everybody with a line; base rates where all of them lie at or after the cutoff.

    A 422 problem tells every line that breaks the contract.
    """
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
        **answers.origin(release, as_of),
        "users": _by_user(release, lines.people, scores),
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


def item_takers(release: Release, item_id: str, n: int) -> dict[str, Any]:
    """At most `n` customers whom an item suits, the likeliest first."""
    try:
        wanted = takers.Wanted((item_id,))
        return takers.answer(release, wanted, takers.takers(release, wanted, n))
    except RepriseError as error:
        raise as_problem(error) from error


def similar_users(release: Release, user_id: str, n: int) -> dict[str, Any]:
    """At most `n` customers who buy like one, most alike first."""
    try:
        return peers.similar_users(release, user_id, n)
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


def _by_user(release: Release, people: Iterable[str], scores: pa.Table | None) -> list[dict[str, Any]]:
    users: dict[str, list[dict[str, Any]]] = {}
    for row in scores.to_pylist() if scores is not None else ():
        users.setdefault(row["user_id"], []).append({name: row[name] for name in _SHOWN})
    unseen = fallbacks.unknown_scores(release)
    return [
        {"user_id": user, "known": user in users, "scores": users.get(user, unseen)}
        for user in sorted(users.keys() | set(people))
    ]


def _audience(release: Release, asked: AudienceRequest, consents: ConsentsBeside) -> dict[str, Any]:
    rule = rules.read(asked.rule) if isinstance(asked.rule, str) else rules.from_json(asked.rule)
    rule = rules.check(rule, served.fields(release))
    fields = rules.fields_of(rule)
    candidates = _asked_about(release, asked)
    people = served.customers(release, fields)
    chosen = rules.evaluate(rule, people)
    judged = consents.judge(release, asked.channel, by_scores=named_by(fields, served.scored(release)) is not None)
    kept = chosen & ~judged.left_out.any
    summed = kept & ~judged.unprofiled
    target = candidates[0] if asked.target else _expected(release, candidates, fields, kept, summed)
    return {
        **answers.origin(release),
        "rule": rule.text(),
        "count": int(kept.sum()),
        "suppressed": _suppressed(chosen, judged.left_out),
        "expected_hits": float(np.nansum(_probabilities(release, target)[summed])) if target else None,
        "expected_hits_reason": None if target else none_because(served.scored(release)),
        "target": target.target if target else None,
        "horizon_days": target.horizon_days if target else None,
        "model_version": target.model_version if target else None,
        "user_ids": people["entity_id"].filter(pa.array(kept)).slice(0, asked.limit).to_pylist(),
        "consents_from": judged.source,
        "consents_as_of": judged.as_of,
    }


def _suppressed(chosen: npt.NDArray[np.bool_], left_out: Withheld) -> dict[str, int]:
    """How many the rule chose are left out by each reason; somebody may be in several."""
    reasons = {
        "blocked": left_out.blocked,
        "no_consent": left_out.no_consent,
        "no_profiling": left_out.no_profiling,
        "listed": left_out.listed | left_out.near,
    }
    return {name: int((chosen & which).sum()) for name, which in reasons.items()}


def _asked_about(release: Release, asked: AudienceRequest) -> list[Scored]:
    """The targets whose hits may be told, in declared order: those that fit what the request names."""
    scores = served.scored(release)
    found = [
        one for one in scores if asked.target in (None, one.target) and asked.horizon_days in (None, one.horizon_days)
    ]
    if not found and (asked.target or asked.horizon_days):
        there = ", ".join(f"{one.target} {one.horizon_days}" for one in scores) or "none"
        raise UsageError("The release has no such target and horizon.", hint=f"There are: {there}.")
    return found


def _expected(
    release: Release,
    scores: Sequence[Scored],
    fields: Iterable[str],
    kept: npt.NDArray[np.bool_],
    summed: npt.NDArray[np.bool_],
) -> Scored | None:
    def has_some(scored: Scored) -> bool:
        return not kept.any() or not np.isnan(_probabilities(release, scored)[summed]).all()

    return expected_target(fields, scores, has_some)


def _probabilities(release: Release, scored: Scored) -> npt.NDArray[np.float64]:
    return release.scores.targets[(scored.target, scored.horizon_days)].probability
