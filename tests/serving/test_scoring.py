"""Laws of scoring: populations, complements, percentiles, and that batch and raw lines agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import answers
from serving.complements import Complement
from serving.release import Release, ReleaseContents
from serving.scoring import percentile, score, score_lines
from warehouse.errors import DataProblemError, UsageError

LOADED = datetime(2024, 6, 2)


def of(scores: pa.Table, target: str, horizon: int) -> dict[str, dict[str, object]]:
    rows = scores.to_pylist()
    return {row["user_id"]: row for row in rows if (row["target"], row["horizon_days"]) == (target, horizon)}


def test_churn_is_one_minus_repurchase_on_its_own_population(contents: ReleaseContents) -> None:
    churn, repurchase = (of(contents.scores, name, 30) for name in ("churn", "repurchase"))
    last = dict(zip(*(contents.features[n].to_pylist() for n in ("entity_id", "days_since_last_act")), strict=True))
    inside = [user for user, days in last.items() if days is not None and days <= 60]
    assert 5 < len(inside) < len(last)
    for user, row in churn.items():
        if user in inside:
            assert row["probability"] == 1 - repurchase[user]["probability"]  # type: ignore[operator]
            assert row["state"] is None
        else:
            assert (row["probability"], row["percentile"]) == (None, None)
            assert row["state"] == ("no act yet" if last[user] is None else "already inactive")


def test_states_say_why_there_is_no_probability(contents: ReleaseContents) -> None:
    orders = dict(zip(*(contents.features[n].to_pylist() for n in ("entity_id", "order_count_lifetime")), strict=True))
    for user, row in of(contents.scores, "second_order", 30).items():
        expected = None if orders[user] == 1 else "no order yet" if orders[user] == 0 else "more than one order"
        assert row["state"] == expected
        assert (row["probability"] is None) == (expected is not None)
    states = {row["state"] for row in of(contents.scores, "win_back", 30).values()}
    assert states == {None, "no act yet", "still active"}


def test_everybody_has_a_row_for_every_target(contents: ReleaseContents) -> None:
    counts = Counter(row["user_id"] for row in contents.scores.select(["user_id"]).to_pylist())
    assert set(counts) == set(contents.features["entity_id"].to_pylist())
    assert set(counts.values()) == {len(contents.models)}


@pytest.mark.parametrize(
    ("probability", "expected"), [(0.05, 0.0), (0.1, 0.0), (0.2, 25.0), (0.3, 75.0), (0.9, 100.0), (0.2 + 1e-12, 25.0)]
)
def test_percentile_by_hand(probability: float, expected: float) -> None:
    among = np.array([0.1, 0.2, 0.2, 0.3])
    assert percentile(np.array([probability]), among)[0] == expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_percentiles_keep_the_order_and_never_reach_100(values: list[float]) -> None:
    numbers = np.array(values)
    told = percentile(numbers, np.sort(numbers))
    assert ((told >= 0) & (told < 100)).all()
    assert (np.diff(told[np.argsort(numbers, kind="stable")]) >= 0).all()


def test_order_of_rows_and_columns_changes_nothing(contents: ReleaseContents) -> None:
    rng = np.random.default_rng(5)
    shuffled = contents.features.take(pa.array(rng.permutation(contents.features.num_rows)))
    shuffled = shuffled.select(list(rng.permutation(shuffled.column_names)))
    again = score(contents.models, shuffled, as_of=contents.as_of, release=contents.release)
    assert again.equals(contents.scores)


def test_the_release_equals_get(release: Release, contents: ReleaseContents) -> None:
    told: dict[str, list[dict[str, object]]] = {}
    for row in contents.scores.to_pylist():
        told.setdefault(row["user_id"], []).append(row)
    for user, rows in told.items():
        got = answers.user_scores(release, user)
        assert got["known"]
        key = lambda row: (row["target"], row["horizon_days"])  # noqa: E731
        for want, have in zip(sorted(rows, key=key), sorted(got["scores"], key=key), strict=True):
            assert have == {name: want[name] for name in have}


def test_raw_lines_give_the_scores_of_the_release(release: Release, shop: Any, contents: ReleaseContents) -> None:
    """F40: all users of the shop, some together as one request would, the odd ids alone."""
    users = contents.features["entity_id"].to_pylist()
    groups = [users[:20], users[20:45], users[45:70], users[70:], ["007"], ["a/b"]]
    compared = 0
    for group in groups:
        orders = [line for user in group for line in shop.of(user, "orders")]
        events = [line for user in group for line in shop.of(user, "events")]
        scores = score_lines(release, release.as_of, orders, events, LOADED)
        seen = {line["user_id"] for line in (*orders, *events)}
        assert set(scores["user_id"].to_pylist()) == seen
        for row in scores.to_pylist():
            want = next(
                each
                for each in release.scores.of(row["user_id"]) or ()
                if (each["target"], each["horizon_days"]) == (row["target"], row["horizon_days"])
            )
            assert row["state"] == want["state"]
            assert (row["probability"] is None) == (want["probability"] is None)
            if row["probability"] is not None:
                assert abs(row["probability"] - want["probability"]) <= 1e-9
                assert row["percentile"] == want["percentile"]
            compared += 1
    assert compared > 5 * len(users) / 2


def test_lines_at_or_after_the_cutoff_change_nothing(release: Release, shop: Any) -> None:
    orders, events = shop.of("u005", "orders"), shop.of("u005", "events")
    later = {**orders[0], "ordered_at": "2024-06-01T00:00:00", "order_id": "later"}
    before = score_lines(release, release.as_of, orders, events, LOADED)
    assert score_lines(release, release.as_of, [*orders, later], events, LOADED).equals(before)


def test_problems_of_lines_are_told_all_at_once(release: Release) -> None:
    line = {"user_id": "u1", "ordered_at": "2024-05-01", "amount": 3}
    bad = [line, {**line, "ordered_at": "soon"}, {**line, "amount": "much"}]
    with pytest.raises(DataProblemError) as caught:
        score_lines(release, release.as_of, bad, (), LOADED)
    assert {(problem.line, problem.column) for problem in caught.value.problems} == {(2, "ordered_at"), (3, "amount")}


def test_too_many_lines(release: Release) -> None:
    line = {"user_id": "u1", "ordered_at": "2024-05-01", "amount": 3}
    with pytest.raises(UsageError, match="at most 1000"):
        score_lines(release, release.as_of, [line] * 1001, (), LOADED)


def test_a_complement_predicts_with_the_other_model(contents: ReleaseContents) -> None:
    churn = contents.models[("churn", 30)]
    assert isinstance(churn, Complement)
    assert np.array_equal(churn.predict(contents.features), 1 - churn.of.predict(contents.features))
    assert (churn.version, churn.kind, churn.columns) == (churn.of.version, churn.of.kind, churn.of.columns)


def test_lines_are_not_shaped_as_files_are(release: Release, shop: Any) -> None:
    """Policies that name columns of the files say nothing about lines under our own names."""
    orders, told = shop.of("u005", "orders"), release.settings.tables
    policies = {"duplicates_by": ("Name",), "fill_down": ("Email",), "share_out": ("Total",)}
    shaped = {**told, "orders": told["orders"].model_copy(update=policies)}
    same = replace(release, settings=release.settings.model_copy(update={"tables": shaped}))
    expected = score_lines(release, release.as_of, orders, (), LOADED)
    assert score_lines(same, release.as_of, orders, (), LOADED).equals(expected)
