"""Whether sellers planted into the made-up shop come back, compared on the same mix of categories, over several seeds.

    python -m benchmarks.sellers --seeds 1 2 3 4 5 --users 8000

Every seed is a shop of its own, its files read as they are. What is planted is the share of those shown an item who
pay for it, by seller and category; of it follows the difference of each seller from all others on the same mix.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from scipy.stats import norm, spearmanr

from benchmarks.behaviours import source_of
from features.paths import ItemWays, item_ways
from insights.discoveries import interval_level
from insights.paths import compare_sellers, seller_of
from insights.standardised import LEAST, Standardised
from pipeline.pathing import WINDOW
from warehouse.shop import make_shop


@dataclass(frozen=True)
class Seed:
    """What was told of the sellers of one shop, and the planted difference of each from all others."""

    told: list[Standardised]
    planted: Mapping[str, float]

    def row(self) -> str:
        """How well told and planted agree: ranks (of crude rates, too), intervals, verdicts."""
        told = [each for each in self.told if each.difference is not None]
        truth = np.array([self.planted[each.name] for each in told])
        low, high, rate = (np.array([getattr(each, name) for each in told]) for name in ("low", "high", "difference"))
        sure = np.array([each.verdict != "open" for each in told])
        widened = norm.ppf(0.5 + interval_level(int(sure.sum()), len(told)) / 2)
        half = (high - low) / 2 / widened * norm.ppf(0.975)
        ranks = [spearmanr(found, truth).statistic for found in (rate, [each.hits / each.tries for each in told])]
        held = [(np.abs(rate - truth) <= half).mean(), ((low <= truth) & (truth <= high)).mean()]
        wrong = sure & (np.sign(rate) != np.sign(truth))
        told_of = (*(f"{rank:.2f}" for rank in ranks), *(f"{share:.1%}" for share in held))
        return " | ".join(map(str, (len(told), *told_of, sure.sum(), wrong.sum())))


def compared(folder: Path, seed: int, users: int, days: int) -> Seed:
    """The sellers of a shop of that seed, compared, beside the truth."""
    shop = make_shop(folder / "shop", users=users, seed=seed, days=days, sellers=True)
    source = source_of(shop)
    ways = item_ways(source, shop.end, shop.end, WINDOW)
    assert ways is not None
    items = pacsv.read_csv(
        shop.files["items"], convert_options=pacsv.ConvertOptions(column_types={"item_id": pa.string()})
    )
    category = dict(zip(items["item_id"].to_pylist(), items["category"].to_pylist(), strict=True))
    truth = json.loads((folder / "shop" / "truth" / "sellers.json").read_text(encoding="utf-8"))
    return Seed(compare_sellers(ways, category), planted_differences(ways, category, truth))


def planted_differences(ways: ItemWays, category: Mapping[str, str], truth: Mapping[str, Any]) -> dict[str, float]:
    """What the difference of each seller from all others would be if every pair came to pay with its planted chance."""
    sellers = seller_of(ways)
    tries: dict[str, dict[str, int]] = {name: {} for name in truth}
    for row in ways.counts.to_pylist():
        name, kind = sellers.get(row["value"]), category[row["value"]]
        if name is not None:
            tries[name][kind] = tries[name].get(kind, 0) + row["users"]
    found = {}
    for name, own in tries.items():
        others = {k: {n: tries[n][k] for n in tries if n != name and k in tries[n]} for k in own}
        kinds = [k for k, n in own.items() if n >= LEAST and sum(others[k].values()) >= LEAST]
        weights = np.array([own[k] + sum(others[k].values()) for k in kinds], float)
        rates = [
            truth[name]["rates"][k] - _mean(others[k], {n: truth[n]["rates"][k] for n in others[k]}) for k in kinds
        ]
        found[name] = float(np.average(rates, weights=weights)) if kinds else np.nan
    return found


def _mean(weights: Mapping[str, int], values: Mapping[str, float]) -> float:
    return sum(weights[name] * values[name] for name in weights) / sum(weights.values())


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--users", type=int, default=8000)
    parser.add_argument("--days", type=int, default=540)
    asked = parser.parse_args()
    columns = ("seed", "compared", "rank correlation", "of crude rates", "in 95 %", "in those told", "found", "wrong")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as folder:
            print(f"| {seed} | {compared(Path(folder), seed, asked.users, asked.days).row()} |", flush=True)


if __name__ == "__main__":
    main()
