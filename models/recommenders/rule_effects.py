"""What each rule of suggestions took away: of the lists without rules how many entries it removed or moved."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.recommenders.history import Rows
from models.recommenders.ladder import Entries, climb
from models.recommenders.recommender import Recommender
from models.recommenders.rules import DEEPER, Rules, some_at_once
from warehouse.suggestion_rules import RuleSettings


@dataclass(frozen=True)
class Effect:
    """Of `shown` suggestions without rules a rule alone removes some, and moves some of the others past each other."""

    rule: str
    shown: int
    removed: int
    moved: int


def effects(model: Recommender, rows: Rows, k: int, rules: Rules) -> list[Effect]:
    """What each rule does to the lists of `k` that these customers would have without it; of each alone."""
    alone = dict(rules.alone())
    counts = dict.fromkeys(alone, np.zeros(2, np.int64))
    shown = 0
    plain = replace(rules, said=RuleSettings())
    for some in some_at_once(rules.held, len(rows)):
        found = climb(model, rows[some], DEEPER * k, plain.allowed)
        shown += int((found.place < k).sum())
        for name, rule in alone.items():
            counts[name] = counts[name] + _effect(rows[some], found, k, rule)
    return [Effect(name, shown, int(removed), int(moved)) for name, (removed, moved) in counts.items()]


def _effect(rows: Rows, found: Entries, k: int, rule: Rules) -> Rows:
    """How many of the first `k` are not listed under a rule, and how many of the others do not keep their order."""
    barred = rule.barred(rows)
    may = rule.allowed[found.item] & ~barred[found.asked, found.item]
    left = Entries(found.asked[may], found.item[may], found.place[may], found.strength[may], found.rung[may])
    _, lists = rule.arranged(rows, left, k, barred)
    kept = (lists >= 0) & (lists < k)
    before = np.sort(np.where(kept, lists, lists.max(initial=0) + 1), axis=1)
    after = np.take_along_axis(lists, np.argsort(~kept, axis=1, kind="stable"), axis=1)
    still = np.arange(lists.shape[1]) < kept.sum(axis=1)[:, None]
    moved = int(((before != after) & still).sum())
    return np.array([int((found.place < k).sum()) - int(kept.sum()), moved])
