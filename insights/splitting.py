"""The lifecycle of two sides of a rule: who answers it, and who does not, as they were at the ends of the periods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa

from features import rules
from features.building import build_features
from features.catalogue import available, fields
from features.lifecycle import GROUPS, Counting
from features.periods import Period, periods
from features.rules import Rule
from insights.groups import GroupCounts, bases_over
from warehouse.progress import Progress, silent


@dataclass(frozen=True)
class Side:
    """One period of one side of the rule.

    `now`: the groups of those on this side at the end of the period (identity 1). `earlier`: groups, bases, rates and
    flows of those on this side at the end of the period before (identity 2).
    """

    now: GroupCounts
    earlier: GroupCounts

    def payload(self) -> dict[str, Any]:
        told = self.earlier.payload()
        return {
            "period": self.now.period.name,
            "start": self.now.period.start,
            "complete": self.now.period.complete,
            "ever_seen": self.now.ever_seen,
            "active_users": self.now.active_users,
            "groups": dict(self.now.groups),
            "of_side_before": {
                "active_before": self.earlier.active_before,
                "active_users": self.earlier.active_users,
                "new": self.earlier.groups["new"],
                "resurrected": self.earlier.resurrected,
                "left": self.earlier.left,
                **{name: told[name] for name in ("groups", "bases", "rates", "flows")},
            },
        }


def split(
    counting: Counting, rule: Rule, spans: Sequence[Period], latest: int | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """The periods of who answers the rule (`yes`) and of everybody else (`no`), unknown answers among these.

    `latest` leaves out all but so many: for each, the features that the rule names (only these) are built as of its
    end, or of the cutoff where that is earlier. `RuleError` where it names something that is no feature of this source.
    """
    known = (*available(counting.source.tables), *counting.source.own.features)
    meant = rules.check(rule, fields(known))
    named = set(rules.fields_of(meant))
    families = {feature.family for feature in known if feature.name in named}
    shown = spans if latest is None else spans[-latest:]

    def answers() -> Iterator[tuple[int, pa.Array]]:
        before = periods(shown[0].start - timedelta(days=1), shown[0].start, counting.grain)
        for done, span in enumerate((*before, *shown)):
            progress("split", done, len(shown) + 1)
            table = build_features(counting.source, min(span.end, counting.as_of), families=families, names=named)
            yield span.number, table["entity_id"].combine_chunks().filter(pa.array(rules.evaluate(meant, table)))

    told = dict(counting.steps_by_answer(answers()))
    sides = {answer: _sides(told, shown, answer == "yes") for answer in ("yes", "no")}
    return {"rule": rule.text(), **{answer: [side.payload() for side in of] for answer, of in sides.items()}}


def _sides(told: Mapping[int, pa.Table], shown: Sequence[Period], yes: bool) -> list[Side]:
    found = []
    for span in shown:
        now, after, before = dict.fromkeys(GROUPS, 0), dict.fromkeys(GROUPS, 0), dict.fromkeys(GROUPS, 0)
        steps: dict[tuple[str, str], int] = {}
        for row in told[span.number].to_pylist():
            came, went, users = row["group_before"], row["group_after"], row["users"]
            if row["is_chosen"] == yes:
                now[went] += users
            if row["was_chosen"] == yes:
                after[went] += users
                if came is not None:
                    before[came] += users
                    steps[came, went] = steps.get((came, went), 0) + users
        found.append(Side(GroupCounts(span, now, {}, {}), GroupCounts(span, after, steps, bases_over(before))))
    return found
