"""Clusters: planted ones come back, no structure is one group, names last from run to run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from models import clusters
from models.clusters import (
    LEAST_CUSTOMERS,
    Clusters,
    Scaling,
    _named,
    _strength,
    apart,
    fit,
    label_of,
    nearest,
    strongest,
)

Floats = NDArray[np.float64]
LOGS = {"orders": True, "days": True, "share": False, "hours": False}
CENTRES = np.array([[0.7, 2, 0.1, 12], [3, 4.5, 0.15, 13], [3.2, 2, 0.8, 12], [0.8, 5, 0.75, 20]])


def planted(
    seed: int, n: int = 600, some: tuple[int, ...] = (0, 1, 2, 3)
) -> tuple[dict[str, Floats], NDArray[np.int64]]:
    """Customers around some of four centres (orders and days as logs), and of which each is."""
    rng = np.random.default_rng(seed)
    truth = np.sort(rng.integers(0, len(some), n))
    x = CENTRES[list(some)][truth] + rng.normal(size=(n, 4)) * [0.3, 0.35, 0.08, 1.2]
    x[:, :2] = np.expm1(np.maximum(x[:, :2], 0))
    return dict(zip(LOGS, x.T, strict=True)), truth


def test_planted_clusters_come_back() -> None:
    columns, truth = planted(1)
    found = fit(columns, LOGS)
    assert len(found.centres) == 4
    sizes = np.bincount(found.assign(columns))
    assert (sizes.tolist(), found.labels) == (sorted(sizes, reverse=True), ("A", "B", "C", "D"))
    assert adjusted_rand_score(truth, found.assign(columns)) > 0.9
    chosen = next(each for each in found.tried if each.number == 4)
    assert (chosen.parted, chosen.strength > 0.8, chosen.rand > 0.8) == (True, True, True)


def test_without_structure_everybody_is_one_group() -> None:
    """Also of a cloud that is long and thin, which two centres cut in the same place each time."""
    rng = np.random.default_rng(5)
    round_ = rng.normal(size=(500, 4))
    for x in (round_, rng.normal(size=(500, 1)) + 0.1 * round_):
        found = fit(dict(zip(LOGS, x.T, strict=True)), dict.fromkeys(LOGS, False))
        assert found.labels == ("all",)
        assert set(found.assign(dict(zip(LOGS, x.T, strict=True)))) == {0}
    # long, so that halves agree on two; but a normal cloud is parted as well
    assert any(each.parted is False for each in found.tried)
    few = {name: column[::7] for name, column in planted(1)[0].items()}
    assert len(few["orders"]) < LEAST_CUSTOMERS
    assert fit(few, LOGS).labels == ("all",)


def test_names_last_from_run_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MOST", 5)  # six and more are not what this is about, and take most of the time
    first = fit(planted(1)[0], LOGS)
    assert (sorted(first.labels), first.used) == (["A", "B", "C", "D"], 4)

    def around(found: Clusters, some: tuple[int, ...] = (0, 1, 2, 3)) -> Mapping[str, int]:
        """Which of the planted centres each label stands for."""
        scaled = found.scaling.apply(
            {name: np.expm1(CENTRES[:, k]) if LOGS[name] else CENTRES[:, k] for k, name in enumerate(LOGS)}
        )
        return {found.labels[place]: k for k, place in enumerate(nearest(scaled, found.centres)) if k in some}

    kept = Clusters.from_json(first.to_json())
    # other customers: the same names; without one centre its name is gone, and what comes back later is new
    again = fit(planted(2, 500)[0], LOGS, kept)
    assert (around(again), again.used) == (around(first), 4)
    three = fit(planted(3, some=(0, 1, 2))[0], LOGS, again)
    lost = {label for label, k in around(first).items() if k == 3}
    assert set(three.labels) == set(first.labels) - lost
    back = fit(planted(4)[0], LOGS, three)
    assert (back.used, around(back).get("E")) == (5, 3)
    assert [label_of(k) for k in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]


@given(st.permutations(range(4)), st.floats(0, 0.49), st.sets(st.integers(0, 3), max_size=2))
def test_a_name_goes_on_with_what_is_nearer_than_half_way_to_its_neighbour(
    order: list[int], moved: float, gone: set[int]
) -> None:
    """Centres 1 apart on a scale of 10 to 1: each keeps its name while it moves less than half way; what comes instead
    of one is new, and no name is given twice."""
    at = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    before = _named(Scaling(("a", "b"), (False, False), (5.0, 5.0), (10.0, 10.0)), at, (), None)
    assert (before.labels, before.used) == (("A", "B", "C", "D"), 4)
    now = at + np.array([moved, 0])
    for k, far in zip(sorted(gone), ([9.0, 9.0], [-9.0, 9.0]), strict=False):
        now[k] = far
    shown = now[order] * 10 + 5
    after = _named(Scaling(("a", "b"), (False, False), (0.0, 0.0), (1.0, 1.0)), shown, (), before)
    names = dict(zip(order, after.labels, strict=True))
    assert {k: label for k, label in names.items() if k not in gone} == {
        k: label for k, label in enumerate("ABCD") if k not in gone
    }
    assert {names[k] for k in gone} == set("EF"[: len(gone)])
    assert after.used == 4 + len(gone)
    nobody = _named(after.scaling, shown[:1], (), after)
    assert (nobody.labels, nobody.used) == (("all",), after.used)
    others = Scaling(("a", "c"), (False, False), (0.0, 0.0), (1.0, 1.0))
    assert set(_named(others, shown, (), after).labels).isdisjoint(after.labels)


def test_strength_by_hand() -> None:
    """Three are one cluster of which two stay together; of two both do; a cluster of one in a hundred is none."""
    own, told = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
    assert _strength(own, told, 2) == pytest.approx(1 / 3)
    assert _strength(told, told, 2) == 1
    small = np.array([1, 1, *[0] * 200])
    assert _strength(small, small, 2) == 0


def test_what_sets_apart_by_hand() -> None:
    x = np.array([[0.0, 1], [2, 1], [4, 1], [6, 1]])
    found = apart(x, np.array([0, 0, 1, 1]), 2)
    assert found == pytest.approx(np.array([[-4, 0], [4, 0]]) / [np.sqrt(5), 1])
    assert strongest(np.array([0.6, -2.0, 0.4, 1.0])) == [1, 3, 0]
    columns = {"a": np.array([1.0, 2, 3, np.nan, 90]), "b": np.full(5, 7.0)}
    scaling = Scaling.fit(columns, {"a": False, "b": False})
    assert scaling.names == ("a",)
    scaled = scaling.apply(columns)[:, 0]
    assert (scaled[3], scaled[4]) == (0, 3)
