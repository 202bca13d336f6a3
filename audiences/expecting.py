"""What to expect of an audience: whose probabilities are summed, and who has one that may be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

NO_SCORES = "the release has no scores"
NOBODY_ASKED = "nobody in it has a probability of any target"


@dataclass(frozen=True)
class Scored:
    """One target and horizon of a release, with the columns rules know its scores by.

    `suffix` is nothing for a target's first horizon, then `_90d`.
    """

    target: str
    horizon_days: int
    suffix: str
    model_version: str

    @property
    def probability(self) -> str:
        return f"{self.target}_probability{self.suffix}"

    @property
    def percentile(self) -> str:
        return f"{self.target}_percentile{self.suffix}"

    @property
    def columns(self) -> tuple[str, str]:
        return self.probability, self.percentile


def named_by(fields: Iterable[str], scores: Sequence[Scored]) -> Scored | None:
    """The first target whose scores a rule reads, ordering included; None where it reads none."""
    return next((scored for field in fields for scored in scores if field in scored.columns), None)


def expected_target(
    fields: Iterable[str], scores: Sequence[Scored], has_some: Callable[[Scored], bool]
) -> Scored | None:
    """Whose hits are expected where nobody said: the target the rule asks about, else the first declared that has some.

    `scores` are in declared order; `has_some` tells whether anybody of the audience has a probability of that target.
    """
    return named_by(fields, scores) or next((scored for scored in scores if has_some(scored)), None)


def none_because(scores: Sequence[Scored]) -> str:
    """Why nothing is expected."""
    return NOBODY_ASKED if scores else NO_SCORES
