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
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from features.building import build_features
from features.outcomes import interactions
from features.source import StoreSource
from warehouse.shop import ShopReport, make_shop
from warehouse.shop.festivals import festivals_between
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

FAMILIES = (
    "frequency", "order_preferences", "discount_sensitivity", "festivals", "campaign_dependence", "gifts", "price",
)  # fmt: skip
BANDS = ("lowest", "low", "middle", "high", "highest")
DEALS = ("discount_lover", "coupon_hunter")
EXTRA_ORDERS = 0.6
"""Orders that a festival of pull 1 brings a customer of love 1 (`warehouse.shop.purchases`)."""
FESTIVE = ("discount_lover", "coupon_hunter", "gift_buyer")
"""The kinds of people whom festivals draw about twice as much as the others."""


def counted(folder: Path, seed: int, users: int, days: int) -> pd.DataFrame:
    """What is counted of every customer of a shop as of its end, beside what is true of them."""
    shop = make_shop(folder / "shop", users=users, seed=seed, days=days)
    store = _loaded(folder, shop)
    found = build_features(StoreSource(store), shop.end, families=FAMILIES).to_pandas().set_index("entity_id")
    people = pd.read_parquet(shop.directory / "truth" / "users.parquet").set_index("user_id")
    contacts = pd.read_parquet(shop.directory / "truth" / "contacts.parquet")
    treated = contacts[contacts["treated"]].merge(people["kind"], left_on="user_id", right_index=True)
    added = treated.groupby("user_id")["added_probability"].mean()
    told: pd.DataFrame = found.join(people, how="inner").join(added.rename("added_probability"))
    told["campaign_oracle"] = _brought(treated)
    told["festival_oracle"] = _drawn(store, shop, told)
    return told


def _brought(treated: pd.DataFrame) -> pd.Series:
    """How much likelier a customer is of the kinds that look for deals, for who sees which orders contacts brought.

    Nobody sees that: what would have been bought anyway is not in any file. Log-likelihood ratio of Bernoulli draws.
    """
    deals = treated["kind"].isin(DEALS)
    one, other = (treated.loc[which, "added_probability"].mean() for which in (deals, ~deals))
    told = np.where(treated["added_order"], np.log(one / other), np.log((1 - one) / (1 - other)))
    return pd.Series(told, treated["user_id"]).groupby(level=0).sum()


def _drawn(store: Store, shop: ShopReport, told: pd.DataFrame) -> pd.Series:
    """How much likelier a customer is of the kinds that festivals draw, for who knows on which days the shop has its
    festivals, how strong these are and how strongly they draw either sort of people: Poisson orders at the own rate of
    other days, and so many more. Log-likelihood ratio.
    """
    source = StoreSource(store)
    bought = interactions(source, shop.end).to_pandas()[["user_id", "day"]].drop_duplicates()
    bought["day"] = pd.to_datetime(bought["day"], unit="D")
    days = bought.groupby("user_id")["day"]
    first, last, orders = days.min(), days.max(), days.count() - 1
    festivals = festivals_between(first.min().date(), shop.end)
    held = {
        day: festival
        for festival in festivals
        for day in pd.date_range(festival.first_day, periods=festival.shopping_days)
    }
    within = bought[bought["day"].isin(held)]
    rate = (orders - within.groupby("user_id")["day"].count().reindex(orders.index, fill_value=0)).clip(lower=0.5)
    rate = rate / (last - first).dt.days.clip(lower=1)
    ratio = pd.Series(0.0, first.index)
    for festival in festivals:
        begins = pd.Timestamp(festival.first_day)
        there = first.index[(first < begins) & (last >= begins)]
        ours = within[within["day"].map(held).eq(festival)]
        seen = ours.groupby("user_id")["day"].count().reindex(there, fill_value=0)
        usual = rate[there] * festival.shopping_days
        one, other = (usual + EXTRA_ORDERS * festival.pull * love for love in (0.62, 0.27))
        ratio[there] += seen * np.log(one / other) - (one - other)
    return ratio.reindex(told.index)


def _loaded(folder: Path, shop: ShopReport) -> Store:
    files = {table: shop.files[table] for table in ("orders", "items", "contacts")}
    workspace = folder / "workspace"
    workspace.mkdir()
    policies: dict[str, dict[str, Any]] = {"orders": {"non_products": shop.non_products}, "items": {"static": True}}
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
    judged = told[told["festival_lover"].isin(["yes", "no"])]
    found["festival lovers: AUC of an oracle"] = _auc(judged["kind"].isin(FESTIVE), judged["festival_oracle"])
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
        "campaign dependence: AUC of an oracle": _auc(known["kind"].isin(DEALS), known["campaign_oracle"]),
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
