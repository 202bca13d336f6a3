"""Member levels of the business: how many at each, who moved in a period, who is about to rise or to fall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.level_acts import Levels
from features.levels import UNIT, WHY
from features.windows import day_number

Language = Literal["en", "zh"]
NEAR = 0.1
"""About to rise: what is missing is at most this share of the points of the next level."""
SAID = {
    "reached": ("reached", "升级"), "kept": ("kept", "保级"), "fell": ("fell", "降级"),
    "rise": ("about to rise", "即将升级"), "fall": ("about to fall", "即将降级"),
}  # fmt: skip


@dataclass(frozen=True)
class LevelSummary:
    """The levels of a date beside those `days` earlier.

    `customers`: by level. `moves[a, b]`: who was at a then and is at b now. `about`: of each customer of the
    standing 1 about to rise, -1 about to fall, else 0: the level expires within `days` and what still counts then does
    not keep it, if nothing more comes.
    """

    levels: Levels
    days: int
    moves: NDArray[np.int64]
    changed: dict[str, int]
    about: NDArray[np.int8]

    @property
    def customers(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = self.moves.sum(axis=0)
        return counts

    def payload(self) -> dict[str, Any]:
        """As JSON: levels from the lowest; moves of those who moved."""
        names, rules = self.levels.names, self.levels.rules
        level, total = self.levels.standing["level"].to_numpy(), int(self.customers.sum())
        rows = []
        for k, name in enumerate(names):
            here = level == k
            rows.append(
                {
                    "level": name,
                    "from_points": rules.steps[name],
                    "benefits": (rules.benefits or {}).get(name),
                    "customers": int(self.customers[k]),
                    "share": int(self.customers[k]) / total if total else None,
                    "before": int(self.moves[k].sum()),
                    "about_to_rise": int((self.about[here] > 0).sum()),
                    "about_to_fall": int((self.about[here] < 0).sum()),
                }
            )
        moved = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b and self.moves[a, b]]
        return {
            "as_of": self.levels.as_of,
            "since": self.levels.as_of - timedelta(days=self.days),
            "customers": total,
            "window_days": rules.window_days,
            "valid_days": rules.valid_days,
            "at_expiry": rules.at_expiry,
            "levels": rows,
            "changes": self.changed,
            "moves": [{"from": names[a], "to": names[b], "customers": int(self.moves[a, b])} for a, b in moved],
        }

    def lines(self, language: Language = "en") -> Iterator[str]:
        """The same for a terminal, cells parted by tabs."""
        told, zh = self.payload(), language == "zh"
        heads = (
            ["等级", "起始积分", "人数", "占比", f"{self.days}天前", "即将升级", "即将降级", "权益"]
            if zh
            else ["level", "from points", "customers", "share", f"{self.days} days ago", "to rise", "to fall", "gets"]
        )
        yield "\t".join(heads)
        for row in reversed(told["levels"]):
            share = "" if row["share"] is None else f"{row['share']:.1%}"
            cells = [row["level"], f"{row['from_points']:,g}", f"{row['customers']:,}", share, f"{row['before']:,}"]
            cells += [f"{row['about_to_rise']:,}", f"{row['about_to_fall']:,}", row["benefits"] or ""]
            yield "\t".join(cells)
        yield ""
        changes = "，".join if zh else ", ".join
        told_changes = changes(f"{SAID[why][zh]} {told['changes'][why]:,}" for why in WHY)
        yield f"{told['since']} – {told['as_of']}: {told_changes}"
        for move in told["moves"]:
            yield f"{move['from']} → {move['to']}\t{move['customers']:,}"

    def table(self) -> pa.Table:
        """Every customer: user_id, the level, and what they are about to do (`rise`, `fall` or null)."""
        words = pa.array(["fall", None, "rise"], pa.string()).take(pa.array(self.about + 1))
        found = self.levels.table().append_column("about_to", words)
        return found.rename_columns(["user_id", *found.column_names[1:]])


def summary(levels: Levels, days: int) -> LevelSummary:
    """What the levels of a date say; their changes must reach `days` back."""
    since = day_number(levels.as_of) - days
    day, act = levels.changes["day"], levels.changes["what"].is_valid()
    # What expires on the first day does so as it begins, before the period.
    recent = levels.changes.filter(pc.or_(pc.greater(day, since), pc.and_(pc.equal(day, since), act)))
    now = levels.standing["level"].to_numpy()
    then = now.copy()
    entity = recent["entity_id"].combine_chunks()
    # Changes stand by customer and time: of several the first says what was before.
    differs = pc.not_equal(entity[1:], entity[:-1]).to_numpy(zero_copy_only=False) if len(entity) else []
    firsts = np.flatnonzero(np.r_[len(entity) > 0, differs])
    place = pc.index_in(entity.take(pa.array(firsts, pa.int64())), value_set=levels.standing["entity_id"])
    then[place.to_numpy(zero_copy_only=False)] = recent["before"].to_numpy()[firsts]
    moves = np.zeros((len(levels.names), len(levels.names)), np.int64)
    np.add.at(moves, (then, now), 1)
    counted = {each["values"]: each["counts"] for each in pc.value_counts(recent["why"]).to_pylist()}
    return LevelSummary(levels, days, moves, {why: counted.get(why, 0) for why in WHY}, _about(levels, days))


def _about(levels: Levels, days: int) -> NDArray[np.int8]:
    standing = levels.standing
    begins = np.array([*(points * UNIT for points in levels.rules.steps.values()), np.inf])
    level, units = standing["level"].to_numpy(), standing["units"].to_numpy()
    until = standing["until"].fill_null(1 << 30).to_numpy()
    left = standing["left"].fill_null(0).to_numpy()
    falls = (until <= day_number(levels.as_of) + days) & (left < begins[level])
    rises = begins[level + 1] - units <= NEAR * np.minimum(begins[level + 1], 1e18)
    return np.where(falls, -1, np.where(rises & np.isfinite(begins[level + 1]), 1, 0)).astype(np.int8)


def history(levels: Levels, entity_id: str) -> list[dict[str, Any]]:
    """What became of one customer: a row for each level reached, kept or lost, with its reason; by time."""
    names = levels.names
    rows = levels.changes.filter(pc.equal(levels.changes["entity_id"], entity_id)).to_pylist()
    return [
        {
            "day": date(1970, 1, 1) + timedelta(days=row["day"]),
            "from": names[row["before"]],
            "to": names[row["after"]],
            "why": row["why"],
            "points": row["units"] / UNIT,
            "by": row["what"],
        }
        for row in rows
    ]
