"""How well expected spending was told: who is worth most, how far off it is, whether totals add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.evaluation.intervals import Interval

Floats = NDArray[np.float64]
TOP = 0.1
COMPARED = ("top_decile_share", "mean_absolute_error")


def evaluate(spent: Floats, expected: Floats) -> dict[str, float]:
    """`top_decile_share`: the share of all money spent by the tenth expected to spend most (ties shared); `possible`:
    by the tenth that did; `mean_absolute_error` in money; `rank_correlation` (Spearman); `total_ratio`: expected over
    spent; NaN where nothing was spent."""
    total = float(spent.sum())
    nothing = total <= 0
    return {
        "top_decile_share": np.nan if nothing else float(_top(expected) @ spent) / total,
        "possible": np.nan if nothing else float(_top(spent) @ spent) / total,
        "mean_absolute_error": float(np.abs(expected - spent).mean()),
        "rank_correlation": _rank_correlation(spent, expected),
        "total_ratio": np.nan if nothing else float(expected.sum()) / total,
    }


def compare(
    spent: Floats, expected: Mapping[str, Floats], challenger: str, champion: str, draws: int, seed: int
) -> dict[str, Interval]:
    """95 % intervals, over customers drawn with replacement, by which the challenger is better: more of the money in
    the top decile, and a smaller mean absolute error as a share of the mean spent. Each model's top decile is that of
    all judged customers."""
    first, second = expected[challenger], expected[champion]
    n, random = spent.size, np.random.default_rng(seed)
    gained = (_top(first) - _top(second)) * spent
    error = np.abs(second - spent) - np.abs(first - spent)
    drawn = np.empty((draws, 2))
    for k in range(draws):
        times = np.bincount(random.integers(0, n, n), minlength=n)
        total = max(float(times @ spent), 1e-12)
        drawn[k] = float(times @ gained) / total, float(times @ error) / total
    total = max(float(spent.sum()), 1e-12)
    values = (float(gained.sum()) / total, float(error.sum()) / total)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return {name: Interval(values[i], float(low[i]), float(high[i])) for i, name in enumerate(COMPARED)}


def deciles(spent: Floats, expected: Floats) -> list[dict[str, Any]]:
    """Calibration: customers in ten equal parts by what was expected, most first, with the means of both."""
    order = np.argsort(-expected, kind="stable")
    total = max(float(spent.sum()), 1e-12)
    return [
        {
            "decile": k + 1,
            "customers": int(part.size),
            "expected_mean": float(expected[part].mean()),
            "spent_mean": float(spent[part].mean()),
            "spent_share": float(spent[part].sum()) / total,
        }
        for k, part in enumerate(np.array_split(order, 10))
        if part.size
    ]


def _top(values: Floats) -> Floats:
    """How much of each customer is in the top tenth: 1, 0, or for ties at its edge the share there is room for."""
    room = max(1, round(values.size * TOP))
    edge = np.partition(values, values.size - room)[values.size - room]
    above, tied = values > edge, values == edge
    return np.asarray(above + tied * ((room - above.sum()) / tied.sum()), dtype=np.float64)


def _rank_correlation(spent: Floats, expected: Floats) -> float:
    first, second = rankdata(spent), rankdata(expected)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
