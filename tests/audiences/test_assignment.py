"""Arms: stable, independent of order and of other salts, of the share asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency

from audiences.assignment import CONTROL, TREATMENT, assign_arms
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
