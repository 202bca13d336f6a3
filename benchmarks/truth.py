"""How well preferences find what is true of the made-up shop, over several seeds.

    python -m benchmarks.truth --seeds 1 2 3 4 5 --users 4000 --days 1200

Every seed is a shop of its own: written, loaded and counted as a workspace does, then compared with its `truth/`. AUC
is that of ranking customers who are so before those who are not; precision and recall are those of the tag.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from features.building import build_features
from features.source import StoreSource
from warehouse.shop import ShopReport, make_shop
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

FAMILIES = (
    "frequency", "order_preferences", "discount_sensitivity", "festivals", "campaign_dependence", "gifts", "price",
)  # fmt: skip
BANDS = ("lowest", "low", "middle", "high", "highest")
DEALS = ("discount_lover", "coupon_hunter")
FESTIVE = ("discount_lover", "coupon_hunter", "gift_buyer")
"""The kinds of people whom festivals draw about twice as much as the others."""


def counted(folder: Path, seed: int, users: int, days: int) -> pd.DataFrame:
    """What is counted of every customer of a shop as of its end, beside what is true of them."""
    shop = make_shop(folder / "shop", users=users, seed=seed, days=days)
    store = _loaded(folder, shop)
    found = build_features(StoreSource(store), shop.end, families=FAMILIES).to_pandas().set_index("entity_id")
    people = pd.read_parquet(shop.directory / "truth" / "users.parquet").set_index("user_id")
    contacts = pd.read_parquet(shop.directory / "truth" / "contacts.parquet")
    added = contacts[contacts["treated"]].groupby("user_id")["added_probability"].mean()
    return found.join(people, how="inner").join(added.rename("added_probability"))


def _loaded(folder: Path, shop: ShopReport) -> Store:
    files = {table: shop.files[table] for table in ("orders", "items", "contacts")}
    workspace = folder / "workspace"
    workspace.mkdir()
    policies = {"orders": {"non_products": shop.non_products}, "items": {"static": True}}
    init_workspace(workspace, files, tz=shop.time_zone, currency=shop.currency, duplicates="drop", policies=policies)
    store = Store(Workspace.open(workspace))
    store.load_new(datetime.combine(shop.end, datetime.min.time()))
    return store


def measures(told: pd.DataFrame) -> dict[str, float]:
    """The table's column of one shop."""
    lover, hunter = told["kind"] == "discount_lover", told["kind"] == "coupon_hunter"
    found: dict[str, float] = {}
    found |= _tag("discount lovers", told, "discount_sensitivity", "discount_lover", lover, apart=hunter)
    found |= _tag("coupon hunters", told, "deep_discount_share_365d", "coupon_hunter", hunter)
    found |= _tag("festival lovers", told, "festival_preference", "festival_lover", told["kind"].isin(FESTIVE))
    gifts = told[told["gift_line_share_lifetime"].notna()]
    found["gift buyers: AUC"] = _auc(gifts["kind"] == "gift_buyer", gifts["gift_line_share_lifetime"])
    return found | _bands(told) | _campaigns(told)


def _tag(
    name: str, told: pd.DataFrame, number: str, tag: str, true: pd.Series, apart: pd.Series | None = None
) -> dict[str, float]:
    """AUC of a number among those of whom it is known (and who are not `apart`), precision and recall of its tag."""
    known = told[number].notna() & told[tag].isin(["yes", "no"])
    ranked = known if apart is None else known & ~apart
    yes = told[tag] == "yes"
    return {
        f"{name}: judged": float(known.sum()),
        f"{name}: AUC": _auc(true[ranked], told.loc[ranked, number]),
        f"{name}: precision": _share(true[yes & known]),
        f"{name}: recall": _share(yes[true & known]),
        f"{name}: share of all": _share(true[known]),
    }


def _bands(told: pd.DataFrame) -> dict[str, float]:
    """Of who bought at least five times so far: the band told against the band drawn."""
    known = told[told["preferred_price_band"].notna() & (told["order_count_lifetime"] >= 5)]
    found = known["preferred_price_band"].map({band: k for k, band in enumerate(BANDS)}).astype(float)
    apart = (found - known["price_band"]).abs()
    return {
        "price bands: the same": _share(apart == 0),
        "price bands: at most one apart": _share(apart <= 1),
        "price bands: rank correlation": float(
            known["average_price_percentile_lifetime"].corr(known["price_band"].astype(float), method="spearman")
        ),
    }


def _campaigns(told: pd.DataFrame) -> dict[str, float]:
    known = told[told["campaign_dependence"].notna() & told["added_probability"].notna()]
    return {
        "campaign dependence: judged": float(len(known)),
        "campaign dependence: AUC of deal seekers": _auc(known["kind"].isin(DEALS), known["campaign_dependence"]),
        "campaign dependence: rank correlation": float(
            known["campaign_dependence"].corr(known["added_probability"], method="spearman")
        ),
    }


def _auc(true: pd.Series, number: pd.Series) -> float:
    return float(roc_auc_score(true, number)) if 0 < true.sum() < len(true) else float("nan")


def _share(flags: pd.Series) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def table(found: Mapping[int, Mapping[str, float]]) -> str:
    """The measures as Markdown: mean over the seeds, lowest and highest."""
    lines = ["| measure | mean | lowest | highest |", "|---|---|---|---|"]
    for name in next(iter(found.values())):
        values = np.array([measured[name] for measured in found.values()])
        form = "{:,.0f}" if name.endswith("judged") else "{:.3f}"
        lines.append(f"| {name} | " + " | ".join(form.format(f(values)) for f in (np.mean, np.min, np.max)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--users", type=int, default=4000)
    parser.add_argument("--days", type=int, default=1200)
    asked = parser.parse_args()
    found = {}
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as folder:
            found[seed] = measures(counted(Path(folder), seed, asked.users, asked.days))
    print(table(found))


if __name__ == "__main__":
    main()
