"""Arms and draws: stable, independent of order and of other salts, and as chance would have them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency

from audiences.assignment import CONTROL, TREATMENT, assign_arms, draw
from warehouse.errors import UsageError

IDS = [f"{one:05d}" for one in range(20_000)]


def test_the_arms_of_these_ids_never_change():
    assert assign_arms(["007", "7", "", "好"], "spring", 0.5).tolist() == KNOWN


# The first hexadecimal digits of sha256("spring", NUL, id) by another program: 10…, e0…, 01…, 48…; below 80 is control.
KNOWN = ["control", "treatment", "control", "control"]


@given(st.lists(st.text(max_size=8), max_size=30, unique=True), st.text(max_size=8), st.floats(0, 0.99), st.randoms())
@settings(max_examples=100)
def test_an_id_has_its_arm_whoever_else_is_there(ids, salt, share, random):
    arms = dict(zip(ids, assign_arms(ids, salt, share).tolist(), strict=True))
    some = random.sample(ids, len(ids) // 2)
    assert assign_arms(some, salt, share).tolist() == [arms[one] for one in some]
    assert set(arms.values()) <= {TREATMENT, CONTROL}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("salt", ["a", "b", "spring"])
def test_the_share_is_binomial(share, salt):
    controls = int((assign_arms(IDS, salt, share) == CONTROL).sum())
    assert binomtest(controls, len(IDS), share).pvalue > 1e-4


def test_different_salts_are_independent():
    a, b = (assign_arms(IDS, salt, 0.3) == CONTROL for salt in ("a", "b"))
    table = [[int((a & b).sum()), int((a & ~b).sum())], [int((~a & b).sum()), int((~a & ~b).sum())]]
    assert chi2_contingency(table).pvalue > 1e-4


def test_a_larger_share_keeps_everyone_who_was_control():
    small, large = (assign_arms(IDS, "a", share) == CONTROL for share in (0.1, 0.2))
    assert not np.any(small & ~large)
    assert large.sum() > small.sum()


def test_no_control_is_possible_and_nothing_else_out_of_range():
    assert set(assign_arms(IDS, "a", 0).tolist()) == {TREATMENT}
    for share in (-0.1, 1, 1.5, float("nan")):
        with pytest.raises(UsageError):
            assign_arms(IDS, "a", share)


def test_salt_and_id_do_not_run_together():
    assert assign_arms(IDS, "a1", 0.5).tolist() != assign_arms([f"1{one}" for one in IDS], "a", 0.5).tolist()


@given(st.lists(st.text(max_size=8), max_size=30, unique=True), st.text(max_size=8), st.integers(0, 30), st.randoms())
@settings(max_examples=100)
def test_a_draw_is_of_ids_whatever_their_order(ids, salt, size, random):
    shuffled = random.sample(ids, len(ids))
    places = draw(ids, salt, size)
    assert places.tolist() == sorted(set(places.tolist()))
    assert len(places) == min(size, len(ids))
    assert drawn(shuffled, salt, size) == drawn(ids, salt, size)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=30, unique=True), st.text(max_size=8), st.integers(0, 30))
@settings(max_examples=100)
def test_a_larger_draw_holds_the_smaller_and_who_leaves_is_replaced_by_one_at_most(ids, salt, size):
    now = drawn(ids, salt, size)
    assert now <= drawn(ids, salt, size + 1)
    for gone in ids:
        later = drawn([one for one in ids if one != gone], salt, size)
        assert now - {gone} <= later
        assert len(later - now) == (1 if gone in now and len(ids) > size else 0)


def test_who_is_drawn_is_chance():
    """1,000 seeds, 7 of 40: each id, and each pair of ids, as often as chance would have it."""
    ids, seeds = IDS[:40], 1_000
    hits = np.zeros((seeds, 40), int)
    for seed in range(seeds):
        hits[seed, draw(ids, f"seed {seed}", 7)] = 1
    together = hits.T @ hits
    bound = 0.001 / (40 * 41 / 2)
    for i in range(40):
        assert binomtest(int(together[i, i]), seeds, 7 / 40).pvalue > bound
        for j in range(i):
            assert binomtest(int(together[i, j]), seeds, 7 / 40 * 6 / 39).pvalue > bound


def test_a_draw_has_nothing_to_do_with_the_arms_of_its_salt():
    control = assign_arms(IDS, "spring", 0.5) == CONTROL
    hits = np.zeros(len(IDS), bool)
    hits[draw(IDS, "spring", 2_000)] = True
    assert binomtest(int((control & hits).sum()), 2_000, float(control.mean())).pvalue > 1e-4


def drawn(ids, salt, size):
    return {ids[place] for place in draw(ids, salt, size)}
