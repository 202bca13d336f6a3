"""Exposures: rates by hand, planted looks and wishes that come back, and models compared without being shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from insights.off_policy import compare
from insights.position_bias import Examination, examination, strengths
from insights.shown import Shown, draws_by_user, rates

THETA = np.array([1.0, 0.7, 0.5, 0.35, 0.25])


def exposures(user: list[int], item: list[int], position: list[int], clicked: list[int], bought: list[float]) -> Shown:
    n = len(user)
    return Shown(
        np.array(user), np.array(user) * 1000 + np.array(item), np.array(position), np.array(clicked, float),
        np.array(bought, float), np.array(["personal"] * n), np.array(["als-1"] * n),
    )  # fmt: skip


def simulated(seed: int, users: int = 1500, shuffled: float = 0.5, views: int = 4) -> tuple[Shown, np.ndarray]:
    """Lists of five items whose order is by wish, but for a share of views where it is any; and the wishes."""
    draw = np.random.default_rng(seed)
    wish = np.sort(draw.beta(2, 3, (users, 5)), axis=1)[:, ::-1]
    rows = []
    for user in range(users):
        for _ in range(views):
            order = draw.permutation(5) if draw.random() < shuffled else np.arange(5)
            clicks = draw.random(5) < THETA * wish[user, order]
            rows += [
                (user, item, place + 1, click) for place, (item, click) in enumerate(zip(order, clicks, strict=True))
            ]
    user, item, place, clicked = (np.array(column) for column in zip(*rows, strict=True))
    return exposures(user.tolist(), item.tolist(), place.tolist(), clicked.tolist(), [np.nan] * len(rows)), wish


def test_rates_by_hand() -> None:
    shown = exposures([1, 1, 2, 2], [1, 2, 1, 2], [1, 2, 1, 0], [1, 0, 0, 1], [1, 0, np.nan, 0])
    found = {(group.by, group.value): group for group in rates(shown)}
    assert list(found) == [("all", None), ("position", 1), ("position", 2), ("source", "personal"), ("model", "als-1")]
    every = found["all", None]
    assert (every.clicks.hits, every.clicks.n, every.purchases.hits, every.purchases.n) == (2, 4, 1, 3)
    assert found["position", 2].clicks.interval is not None
    assert found["position", 1].clicks.share == 0.5
    # Wilson for 1 of 2: (p + z²/2n ± z √(pq/n + z²/4n²)) / (1 + z²/n).
    assert found["position", 1].clicks.interval == pytest.approx((0.0945, 0.9055), abs=1e-4)


def test_all_rows_of_a_user_are_drawn_together() -> None:
    from scipy.sparse import csr_matrix

    drawn = draws_by_user(np.array([4, 4, 9]), csr_matrix(np.array([[1.0], [1.0], [10.0]])), draws=64)
    assert set(drawn.ravel().tolist()) == {4.0, 12.0, 20.0}


def test_bradley_terry_by_hand() -> None:
    # The first place wins two of three clicks against the second, which ties with the third; the fourth met nobody.
    wins = np.array([[0, 20, 0, 0], [10, 0, 7, 0], [0, 7, 0, 0], [0, 0, 0, 0]], float)
    assert strengths(wins)[:3] == pytest.approx([1, 0.5, 0.5], abs=1e-6)
    assert np.isnan(strengths(wins)[3])
    assert np.isnan(strengths(np.zeros((2, 2)))).all()


def test_planted_looks_come_back() -> None:
    found = examination(simulated(3)[0])
    assert found.known
    assert found.share == pytest.approx(THETA, abs=0.06)
    assert ((found.low <= THETA) & (found.high >= THETA)).sum() >= 4
    # What people wish for stands first, so the rates by place alone would say too little of the later ones.
    shown = simulated(3)[0]
    by_place = np.array([shown.clicked[shown.position == k].mean() for k in range(1, 6)])
    assert (by_place / by_place[0])[4] < THETA[4] - 0.05


def test_lists_that_never_change_tell_nothing_of_places() -> None:
    shown, _ = simulated(2, users=200, shuffled=0.0)
    found = examination(shown)
    assert not found.known
    assert (found.pairs, found.clicks) == (0, 0)
    refused = compare(shown, shown.position, (np.arange(1, 6), np.ones(5, bool)), found)
    assert refused.refused == "how often each place is looked at is not known"
    assert refused.other is None


def test_the_other_order_is_worth_what_it_would_have_been() -> None:
    shown, wish = simulated(3)
    looked = examination(shown)
    # The other model lists the same items the wrong way round.
    other = 5 - shown.pair % 1000
    everything = (np.tile(np.arange(1, 6), 1500), np.ones(7500, bool))
    found = compare(shown, other, everything, looked)
    assert found.refused is None
    assert found.coverage == pytest.approx(1)
    truth = (THETA * wish[:, ::-1]).sum() / (THETA.sum() * len(wish))
    assert found.other is not None
    assert found.difference is not None
    assert found.difference[1] is not None
    assert found.other[0] == pytest.approx(truth, abs=0.02)
    assert found.difference[1][1] < 0
    same = compare(shown, shown.position, everything, looked)
    assert same.difference is not None
    assert same.difference[0] == pytest.approx(0, abs=1e-12)
    assert same.effective_sample == pytest.approx(len(shown))


def test_what_was_never_shown_cannot_be_judged() -> None:
    shown, _ = simulated(3, users=400)
    looked = examination(shown)
    known = np.zeros(400 * 5, bool)
    known[:400] = True
    refused = compare(shown, np.where(shown.pair % 1000 == 0, 1, 0), (np.repeat(np.arange(1, 6), 400), known), looked)
    assert refused.refused is not None
    assert refused.refused.startswith("only 3")
    assert 0.3 < refused.coverage < 0.45


def explored(seed: int, users: int = 3000) -> tuple[Shown, np.ndarray, tuple[np.ndarray, np.ndarray], float]:
    """Lists of five: four that always stand, liked little, and one drawn of the next twenty; another model lists the
    first of all and four of these twenty, of which it knows whom they please. What was shown, the other's places of it
    and all of them, and the truth."""
    draw = np.random.default_rng(seed)
    wish = draw.beta(1, 4, (users, 24))
    wish[:, :4] /= 4
    liked = 4 + np.argsort(-(wish[:, 4:] + draw.normal(0, 0.2, (users, 20))), axis=1)[:, :4]
    theirs = np.column_stack([np.zeros(users, np.int64), liked])
    items = np.column_stack([np.tile(np.arange(4), (users, 1)), draw.integers(4, 24, users)])
    clicks = draw.random((users, 5)) < THETA * np.take_along_axis(wish, items, axis=1)
    user = np.repeat(np.arange(users), 5)
    place = np.tile(np.arange(1, 6), users)
    shown = exposures(
        user.tolist(), items.ravel().tolist(), place.tolist(), clicks.ravel().tolist(), [np.nan] * len(user)
    )
    shown = replace(shown, propensity=np.where(place == 5, 1 / 20, 1.0))
    same = theirs[:, None, :] == items[:, :, None]
    rank = np.where(same.any(axis=2), same.argmax(axis=2) + 1, 0).ravel()
    was_shown = same.any(axis=1)
    truth = (THETA * np.take_along_axis(wish, theirs, axis=1)).sum() / (THETA.sum() * users)
    return shown, rank, (np.tile(np.arange(1, 6), users), was_shown.ravel().astype(float)), float(truth)


LOOKED = Examination(THETA, THETA, THETA, 1000, 1000.0)


def test_a_recorded_chance_lets_what_was_seldom_shown_be_judged() -> None:
    """Without it a twentieth was shown and the comparison is refused; with it the intervals hold the truth as often as
    they say, and the errors of thirty shops cancel out."""
    errors, held = [], 0
    for seed in range(30):
        shown, rank, (places, was_shown), truth = explored(seed)
        if seed == 0:
            blind = compare(replace(shown, propensity=None), rank, (places, was_shown), LOOKED)
            assert blind.refused is not None
            assert "was ever shown" in blind.refused
        found = compare(shown, rank, (places, was_shown * 20), LOOKED)
        assert found.refused is None
        assert found.coverage > 0.85
        assert found.other is not None
        assert found.other[1] is not None
        low, high = found.other[1]
        errors.append(found.other[0] - truth)
        held += low <= truth <= high
    assert held >= 26  # of 30 at 95 %: 25 or fewer once in two hundred times
    assert abs(np.mean(errors)) < 3 * np.std(errors) / 30**0.5
