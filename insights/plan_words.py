"""A plan told: as JSON, and in sentences for people, English or Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from insights.cheapest import LEVERS
from insights.groups import NAMES
from insights.planner import Plan

Language = Literal["en", "zh"]

MORE = {
    "retention": ("kept of the old", "多留住老用户"),
    "new_retention": ("kept of the new", "多留住新用户"),
    "awakening": ("woken", "多唤醒"),
    "return": ("brought back", "多召回"),
}
"""What a lever does, in English and Chinese."""


def payload(plan: Plan) -> dict[str, Any]:
    """All of a plan as plain values; rates unrounded, what cannot be is None."""
    low, middle, high = plan.outlook.interval(plan.outlook.average)
    return {
        "target": {"active_rate": plan.target.rate, "first": plan.target.first, "last": plan.target.last},
        "lapsed_after": plan.lapsed_after,
        "known": dict(plan.known),
        "remaining": list(plan.remaining),
        "required": plan.required,
        "history": {"kind": plan.history.kind, "periods": list(plan.history.periods)},
        "forecast": {
            "average": {"middle": middle, "low": low, "high": high, "interval": 0.8},
            "probability": plan.probability,
            "draws": int(plan.outlook.average.size),
            "rates": dict(plan.rates),
            "new_users": [float(each) for each in plan.history.new_means],
            "periods": {name: _three(plan, k) for k, name in enumerate(plan.history.ahead)},
        },
        "bounds": {"worst_ever": plan.bounds[0], "best_ever": plan.bounds[1], "best_rates": dict(plan.best)},
        "needed": {
            name: {"now": lever.now, "alone": lever.needed, "best_ever": lever.best, "seen": lever.seen}
            for name, lever in plan.levers.items()
        },
        "needed_together": dict(plan.together) if plan.together else None,
        "lasting": {
            "settles_at": plan.settles,
            "settles_at_together": plan.settles_together,
            "retention_to_hold": plan.retention_to_hold,
        },
        "cheapest": _mix(plan),
        "thin_rates": list(plan.thin),
    }


def _three(plan: Plan, k: int) -> dict[str, float]:
    low, middle, high = plan.outlook.interval(plan.outlook.rates[:, k])
    return {"low": low, "middle": middle, "high": high}


def _mix(plan: Plan) -> dict[str, Any] | None:
    if plan.mix is None:
        return None
    users = {name: dict(levers) for name, levers in plan.mix.users.items()}
    rates = {name: dict(levers) for name, levers in plan.mix.rates.items()}
    return {"feasible": plan.mix.feasible, "needless": plan.mix.needless, "cost": plan.mix.cost, "users": users,
            "rates": rates}  # fmt: skip


def lines(plan: Plan, language: Language = "en") -> Iterator[str]:
    """A plan for people to read."""
    say = _Say(language)
    yield from _where(plan, say)
    yield from _by_itself(plan, say)
    if plan.remaining:
        yield from _needed(plan, say)
        yield from _lasting(plan, say)
        yield from _cheapest(plan, say)


class _Say:
    """Texts of one language."""

    def __init__(self, language: Language) -> None:
        self.zh = language == "zh"

    def __call__(self, en: str, zh: str) -> str:
        return zh if self.zh else en

    def name(self, rate: str) -> str:
        return NAMES[rate][self.zh]


def _where(plan: Plan, say: _Say) -> Iterator[str]:
    target = plan.target
    yield say(
        f"target: an average active rate of {_pc(target.rate)} over {target.first} to {target.last}",
        f"目标：{target.first}至{target.last}平均活跃率{_pc(target.rate)}",
    )
    for name, rate in plan.known.items():
        yield say(f"  {name}: {_pc(rate)} (over)", f"  {name}：{_pc(rate)}（已结束）")
    if plan.required is not None:
        possible = "" if plan.required <= 1 else say(", which cannot be", "，不可能达到")
        yield say(
            f"what remains ({', '.join(plan.remaining)}) must average {_pc(plan.required)}{possible}",
            f"剩余周期（{'、'.join(plan.remaining)}）平均须达{_pc(plan.required)}{possible}",
        )


def _by_itself(plan: Plan, say: _Say) -> Iterator[str]:
    low, middle, high = plan.outlook.interval(plan.outlook.average)
    half = plan.history.kind == "half_year"
    of = say("the last half-year" if half else "the same periods last year", "近半年" if half else "去年同期")
    stretch = f"{plan.history.periods[0]} … {plan.history.periods[-1]}"
    yield say(
        f"at the rates of {of} ({stretch}): {_pc(middle)} on average, 80 % of the time {_pc(low)} to {_pc(high)}; "
        f"the target is met in {plan.probability:.0%} of {plan.outlook.average.size:,} draws",
        f"按{of}（{stretch}）的比率：平均{_pc(middle)}，八成情况下在{_pc(low)}至{_pc(high)}之间；"
        f"{plan.outlook.average.size:,}次模拟中有{plan.probability:.0%}达成目标",
    )
    for k, name in enumerate(plan.history.ahead):
        three = _three(plan, k)
        yield f"  {name}: {_pc(three['middle'])} ({_pc(three['low'])} … {_pc(three['high'])})"
    worst, best = plan.bounds
    enough = say("that is enough", "足够") if plan.ever_possible else say("even that is not enough", "即便如此也不够")
    yield say(
        f"with every rate at its best ever seen: {_pc(best)}: {enough}; at its worst: {_pc(worst)}",
        f"各比率都取历史最好：{_pc(best)}，{enough}；都取历史最差：{_pc(worst)}",
    )


def _needed(plan: Plan, say: _Say) -> Iterator[str]:
    yield "\t".join([
        say("rate", "比率"), say("now", "现在"), say("alone", "单独提升须达"), say("together", "一起提升须达"),
        say("best seen", "历史最好"),
    ])  # fmt: skip
    for name, lever in plan.levers.items():
        both = plan.together[name] if plan.together else None
        alone = say("not enough", "不够") if lever.needed is None else _pc(lever.needed)
        yield "\t".join([say.name(name), _pc(lever.now), alone, _pc(both), _pc(lever.best)])
    for name in plan.thin:
        yield say(
            f"note: few customers stand behind {say.name(name)}; its rates may be chance",
            f"注意：{say.name(name)}的基数很小，比率可能出于偶然",
        )


def _lasting(plan: Plan, say: _Say) -> Iterator[str]:
    yield say(
        f"can it last? at these rates the active rate tends to {_pc(plan.settles)}, at those needed together to "
        f"{_pc(plan.settles_together)} (nobody new coming); to hold {_pc(plan.target.rate)} for good retention must be "
        f"{_pc(plan.retention_to_hold)}, the others as they are",
        f"能否持续？按现有比率活跃率趋于{_pc(plan.settles)}，按一起提升后的比率趋于{_pc(plan.settles_together)}"
        f"（不计新用户）；其余不变时，要长期保持{_pc(plan.target.rate)}，老用户留存须为{_pc(plan.retention_to_hold)}",
    )


def _cheapest(plan: Plan, say: _Say) -> Iterator[str]:
    mix = plan.mix
    if mix is None:
        return
    if mix.needless:
        yield say("cheapest: nothing, on average it is met by itself", "最省的组合：无需投入，平均而言自然达成")
        return
    head = (
        say("cheapest mix", "最省的组合")
        if mix.feasible
        else say("not feasible; the nearest mix", "无法达成；最接近的组合")
    )
    yield say(f"{head} (cost {mix.cost:,.0f}):", f"{head}（成本{mix.cost:,.0f}）：")
    for name, levers in mix.users.items():
        told = [
            f"{MORE[lever][say.zh]} {levers[lever]:,.0f} ({_pc(mix.rates[name][lever])})"
            for lever in LEVERS
            if levers[lever] >= 0.5
        ]
        yield f"  {name}: {say(', ', '、').join(told) or say('nothing', '无')}"


def _pc(rate: float | None) -> str:
    return "–" if rate is None else f"{rate * 100:.1f} %"
