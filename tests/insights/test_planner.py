"""The planner on ledgers made of known rates: its sums by hand, its answers put back into the chain, its forecast."""

from typing import Any

import numpy as np
import pytest

from features.periods import name_of
from insights import plan_words
from insights.chain import RATES, State, drawn, expected, settled_share
from insights.cheapest import Costs
from insights.planner import Plan, Target, plan, rate, state_of
from insights.spans import span
from warehouse.errors import NotReadyError, UsageError

TRUTH = np.array([0.6, 0.3, 0.25, 0.1])
FIRST = (2019 - 1970) * 12
"""January 2019."""


def ledger(
    months: int, lapsed_after: int = 2, seed: int = 1, new: int = 300, wobble: float = 0.0
) -> tuple[list[dict[str, Any]], State]:
    """Periods as `growth` tells them, of customers who follow the true rates; and the state at their end."""
    random = np.random.default_rng(seed)
    state = State(np.array([2000.0]), np.zeros(1), np.zeros((1, lapsed_after - 1)), np.zeros(1))
    periods = [told(0, state, None, None)]
    for number in range(1, months):
        odds = np.exp(wobble * random.normal())
        rates = TRUTH * odds / (1 - TRUTH + TRUTH * odds)
        after = drawn(state, rates[None, :], random.poisson(new, 1).astype(float), random)
        periods.append(told(number, after, state, rates))
        state = after
    return periods, state


def told(number: int, state: State, before: State | None, rates: Any) -> dict[str, Any]:
    """A period of the ledger. Which of the active came how is known by the exact counts of the old ones only in sum,
    so they are given as the true rates say, and `active` takes the rest."""
    bases = dict.fromkeys(RATES, 0) if before is None else dict(zip(RATES, before.bases[0], strict=True))
    active = float(state.active[0])
    woken = back = fresh = 0.0
    if before is not None:
        lapsed, dormant = float(state.lapsed[0]), float(state.dormant.sum())
        fresh = min(active, round(bases["new_retention"] * float(rates[1])))
        # Who is silent now and was not silent before has left; the others that were silent woke or came back.
        back = round(bases["return"] * float(rates[3]))
        woken = bases["awakening"] + bases["return"] - back - (lapsed + dormant - left(before, state, back))
    groups = {
        "new": float(state.new[0]), "last_new": fresh, "active": active - fresh - woken - back, "awakened": woken,
        "returned": back, "dormant": float(state.dormant.sum()), "lapsed": float(state.lapsed[0]),
    }  # fmt: skip
    did = dict(zip(RATES, (groups["active"], fresh, woken, back), strict=True))
    return {
        "period": name_of(FIRST + number, "month"),
        "complete": True,
        "ever_seen": float(state.ever_seen[0]),
        "active_users": float(state.active_users[0]),
        "groups": groups,
        "bases": bases,
        "rates": {name: did[name] / bases[name] if bases[name] else None for name in RATES},
    }


def left(before: State, after: State, back: float) -> float:
    """Who was active before and is silent now: the first stage of silence, or the lapsed where there is no stage."""
    if after.dormant.shape[1]:
        return float(after.dormant[0, 0])
    return float(after.lapsed[0] - before.lapsed[0]) + back


def chain_average(made: Plan, start: State, rates: list[dict[str, float]]) -> float:
    """The average over the target's periods when the rates ahead are these, by the plain chain."""
    total = sum(made.known.values())
    for k, name in enumerate(made.history.ahead):
        each = np.array([rates[k][rate] for rate in RATES])
        start = expected(start, each, float(made.history.new_means[k]))
        total += float(start.active_rate[0]) if name in made.remaining else 0.0
    return total / (len(made.known) + len(made.remaining))


def test_what_remains_must_bring_what_is_missing() -> None:
    """85 % over a quarter of which two months gave 90 % and 80 %: the third must give 85 %."""
    periods, _ = ledger(12)
    for period, share in zip(periods[-2:], (0.9, 0.8), strict=True):
        period["active_users"] = share * period["ever_seen"]
    made = plan(periods, Target(0.85, "2019-11", "2020-01"), 2, draws=50)
    assert made.known == {"2019-11": pytest.approx(0.9), "2019-12": pytest.approx(0.8)}
    assert made.remaining == ("2020-01",)
    assert made.required == pytest.approx(0.85)


def test_what_is_not_complete_is_not_counted_but_forecast() -> None:
    periods, _ = ledger(12)
    periods[-1]["complete"] = False
    made = plan(periods, Target(0.4, "2019-11", "2020-01"), 2, draws=50)
    assert list(made.known) == ["2019-11"]
    assert made.remaining == ("2019-12", "2020-01")
    assert "2019-12" not in made.history.periods


@pytest.mark.parametrize("lapsed_after", [1, 2, 3])
def test_the_state_is_read_from_the_counts(lapsed_after: int) -> None:
    periods, state = ledger(10, lapsed_after)
    read = state_of(periods, lapsed_after)
    assert read.active_users.tolist() == state.active_users.tolist()
    assert read.lapsed.tolist() == state.lapsed.tolist()
    assert read.dormant[0] == pytest.approx(state.dormant[0], abs=1e-6)


def test_with_four_periods_of_silence_the_stages_are_near() -> None:
    periods, state = ledger(12, 4)
    read = state_of(periods, 4)
    assert read.dormant.sum() == pytest.approx(state.dormant.sum())
    assert read.dormant[0] == pytest.approx(state.dormant[0], rel=0.1)


@pytest.mark.parametrize("lapsed_after", [1, 2, 3])
def test_what_a_rate_would_have_to_be_brings_the_target(lapsed_after: int) -> None:
    periods, _ = ledger(14, lapsed_after)
    start = state_of(periods, lapsed_after)
    made = plan(periods, Target(0.5, "2020-03", "2020-04"), lapsed_after, draws=50)
    now = [dict(zip(RATES, centre, strict=True)) for centre in made.history.centres]
    target = chain_average(made, start, now) + 0.03
    made = plan(periods, Target(target, "2020-03", "2020-04"), lapsed_after, draws=50)
    found = 0
    for name, lever in made.levers.items():
        if lever.needed is not None:
            raised = [{**each, name: lever.needed} for each in now]
            assert chain_average(made, start, raised) == pytest.approx(target, abs=1e-6)
            found += 1
    assert found >= 2
    assert made.together is not None
    assert made.settles_together is not None
    assert made.settles_together > (made.settles or 0)
    assert made.settles == pytest.approx(settled_share(TRUTH, lapsed_after), abs=0.03)


def test_the_cheapest_mix_brings_the_target_and_costs_no_more_than_any_single_way() -> None:
    periods, _ = ledger(30, wobble=0.3)
    start = state_of(periods, 2)
    target = rate(periods[-1]) + 0.01
    made = plan(periods, Target(target, "2021-07", "2021-09"), 2, draws=50, costs=Costs(1, 1, 2, 3))
    mix = made.mix
    assert mix is not None
    assert mix.feasible
    assert not mix.needless
    assert chain_average(made, start, [dict(mix.rates[name]) for name in made.history.ahead]) == pytest.approx(target)
    for rates in mix.rates.values():
        assert all(rates[name] <= made.best[name] + 1e-9 for name in RATES)
    assert mix.cost == pytest.approx(
        sum(
            price * users[name] for users in mix.users.values() for name, price in zip(RATES, (1, 1, 2, 3), strict=True)
        )
    )
    dearer = plan(periods, Target(target, "2021-07", "2021-09"), 2, draws=50, costs=Costs(2, 2, 4, 6)).mix
    assert dearer is not None
    assert dearer.cost == pytest.approx(2 * mix.cost)


def test_in_one_period_the_mix_fills_the_cheapest_lever_first() -> None:
    """One more active customer is one more, whoever it is: first those who cost least, up to the best ever seen."""
    periods, _ = ledger(30, wobble=0.3)
    bases = state_of(periods, 2).bases[0]
    probe = plan(periods, Target(0.3, "2021-07", "2021-07"), 2, draws=50)
    room = [max(0.0, probe.best[n] - probe.history.centres[0, k]) * bases[k] for k, n in enumerate(RATES)]
    missing = room[3] + room[2] / 2
    seen = periods[-1]["ever_seen"] + float(probe.history.new_means[0])
    target = (
        float(probe.outlook.average.mean()) * 0
        + chain_average(probe, state_of(periods, 2), [dict(zip(RATES, probe.history.centres[0], strict=True))])
        + missing / seen
    )
    mix = plan(periods, Target(target, "2021-07", "2021-07"), 2, draws=50, costs=Costs(9, 9, 2, 1)).mix
    assert mix is not None
    users = mix.users["2021-07"]
    assert users["return"] == pytest.approx(room[3])
    assert users["awakening"] == pytest.approx(room[2] / 2, abs=1e-3)
    assert users["retention"] == users["new_retention"] == pytest.approx(0)


def test_beyond_the_best_ever_seen_it_is_not_feasible() -> None:
    periods, _ = ledger(14)
    made = plan(periods, Target(0.99, "2020-03", "2020-04"), 2, draws=50)
    assert not made.ever_possible
    assert made.mix is not None
    assert not made.mix.feasible
    assert made.probability == 0


def test_what_comes_by_itself_costs_nothing() -> None:
    periods, _ = ledger(14)
    made = plan(periods, Target(0.01, "2020-03", "2020-04"), 2, draws=50)
    assert made.mix is not None
    assert made.mix.needless
    assert made.mix.cost == 0
    assert made.probability == 1


@pytest.mark.parametrize("history", ["half_year", "same_season"])
def test_the_forecast_holds_the_truth_as_often_as_it_says(history: Any) -> None:
    """Eighty per cent of futures of the same rates, wobbling as in the past, lie in the interval, give or take."""
    inside = 0
    for seed in range(16):
        periods, _ = ledger(33, seed=seed, wobble=0.25)
        made = plan(periods[:30], Target(0.3, "2021-07", "2021-09"), 2, history=history, draws=100, seed=seed)
        low, _, high = made.outlook.interval(made.outlook.average)
        inside += low <= sum(rate(each) for each in periods[30:]) / 3 <= high
    assert inside / 16 >= 0.5


def test_the_same_season_is_that_of_last_year() -> None:
    periods, _ = ledger(20)
    made = plan(periods, Target(0.3, "2020-09", "2020-11"), 2, history="same_season", draws=50)
    assert made.history.periods == ("2019-09", "2019-10", "2019-11")
    with pytest.raises(NotReadyError, match="2020-01 of a year before was not seen"):
        plan(periods[:12], Target(0.3, "2020-01", "2020-02"), 2, history="same_season", draws=50)


def test_the_same_seed_gives_the_same_plan() -> None:
    periods, _ = ledger(14)
    target = Target(0.35, "2020-02", "2020-04")
    assert plan_words.payload(plan(periods, target, 2, draws=80)) == plan_words.payload(
        plan(periods, target, 2, draws=80)
    )


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("share", [0.01, 0.4, 0.99])
def test_it_is_told_in_words(language: Any, share: float) -> None:
    periods, _ = ledger(14)
    made = plan(periods, Target(share, "2020-02", "2020-04"), 2, draws=50)
    text = "\n".join(plan_words.lines(made, language))
    assert "nan" not in text
    assert "None" not in text
    assert "2020-04" in text


def test_slips_are_told() -> None:
    periods, _ = ledger(14)
    for target, said in (
        (Target(1.2, "2020-02", "2020-04"), "A rate of 1.2"),
        (Target(0.3, "2019-02", "2019-04"), "Nothing of 2019-02 to 2019-04 lies ahead"),
        (Target(0.3, "2018-02", "2020-04"), "2018-02 was never seen"),
        (Target(0.3, "spring", "2020-04"), '"spring" is no month or week'),
        (Target(0.3, "2020-13", "2020-04"), '"2020-13" is no month or week'),
        (Target(0.3, "2020-02", "2020-W20"), "not both months or both weeks"),
    ):
        with pytest.raises(UsageError, match=said):
            plan(periods, target, 2, draws=50)
    with pytest.raises(NotReadyError, match="2 complete periods are too few"):
        plan(periods[:2], Target(0.3, "2019-03", "2019-04"), 2)


def test_spans_cross_years() -> None:
    assert span("2020-11", "2021-02") == ["2020-11", "2020-12", "2021-01", "2021-02"]
    assert span("2020-W52", "2021-W02") == ["2020-W52", "2020-W53", "2021-W01", "2021-W02"]
    assert span("2020-02", "2020-01") == []
