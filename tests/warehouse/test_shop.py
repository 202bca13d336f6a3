"""The made-up shop: same seed same bytes, whole users at any size, and what was put in can be found again."""

from __future__ import annotations

import json
import tracemalloc
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from warehouse.contracts import CONTRACTS
from warehouse.errors import UsageError
from warehouse.shop import ShopReport, make_shop
from warehouse.shop.making import CHUNK
from warehouse.shop.sellers import SKILLS
from warehouse.shop.world import CATEGORY_NAMES, CONSUMABLE

TABLES = ("orders", "events", "users", "items", "contacts", "tags", "identities")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ShopReport:
    return make_shop(tmp_path_factory.mktemp("shop"), users=2 * CHUNK, seed=7)


def table(shop: ShopReport, name: str) -> pd.DataFrame:
    """A table of the shop: ids and flags as text, times and numbers as such."""
    return _read(shop.files[name], name)


@lru_cache(maxsize=30)
def _read(path: Path, name: str) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pandas()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    for column in CONTRACTS[name].columns:
        if column.name in frame and column.kind in ("money", "quantity", "number", "year"):
            frame[column.name] = pd.to_numeric(frame[column.name])
        if column.name in frame and column.kind == "time":
            frame[column.name] = pd.to_datetime(frame[column.name], format="%Y-%m-%d %H:%M:%S")
    return frame


def truth(shop: ShopReport, name: str) -> pd.DataFrame:
    return pq.read_table(shop.directory / "truth" / f"{name}.parquet").to_pandas()


def sales(shop: ShopReport) -> pd.DataFrame:
    """Sales of products, each row once, with the local day."""
    orders = table(shop, "orders").drop_duplicates()
    kept = orders[(orders.kind == "sale") & ~orders.item_id.str.match(shop.non_products)]
    return kept.assign(day=kept.ordered_at.dt.normalize())


def all_bytes(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_same_seed_same_bytes_and_another_seed_another_shop(tmp_path: Path) -> None:
    first, again, other = (
        make_shop(tmp_path / n, users=150, seed=s).directory for n, s in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all_bytes(first) == all_bytes(again)
    differing = {name for name, content in all_bytes(first).items() if all_bytes(other)[name] != content}
    assert differing == set(all_bytes(first))


def test_a_chunk_does_not_depend_on_how_many_there_are(shop: ShopReport, tmp_path: Path) -> None:
    one = make_shop(tmp_path, users=CHUNK, seed=7)
    for name in ("orders", "users", "contacts", "tags", "identities"):
        small, large = one.files[name].read_bytes(), shop.files[name].read_bytes()
        assert len(small) < len(large)
        assert large.startswith(small)
    small_events, large_events = table(one, "events"), table(shop, "events")
    pd.testing.assert_frame_equal(small_events, large_events.iloc[: len(small_events)])


def test_the_first_users_of_a_larger_shop_are_those_of_a_smaller_one(shop: ShopReport, tmp_path: Path) -> None:
    small = make_shop(tmp_path, users=70, seed=7)
    ids = set(table(small, "users").user_id)
    for name in ("orders", "events", "users", "contacts", "tags", "identities"):
        few, many = table(small, name), table(shop, name)
        mine = few[few.user_id.notna()].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, many[many.user_id.isin(ids)].reset_index(drop=True), check_dtype=False)
    assert small.rows["orders"] == len(table(small, "orders"))


def test_sizes_that_make_no_shop_are_refused(tmp_path: Path) -> None:
    for wrong in ({"users": 0}, {"seed": -1}, {"days": 20}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            make_shop(tmp_path, **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", TABLES)
def test_every_table_keeps_its_contract(shop: ShopReport, name: str) -> None:
    frame, contract = table(shop, name), CONTRACTS[name]
    assert shop.rows[name] == len(frame) > 0
    assert contract.open_ended or set(frame) <= set(contract.names)
    assert set(contract.required) <= set(frame)
    for column in contract.columns:
        if column.name not in frame:
            continue
        values = frame[column.name].dropna()
        if column.required and not (name == "orders" and column.name == "user_id"):
            assert len(values) == len(frame)
        if column.kind == "id":
            assert values.str.fullmatch(r"\S{1,128}").all()
        if column.kind in ("money", "quantity", "number"):
            assert np.isfinite(values).all()
        if column.kind == "flag":
            assert set(values) <= {"true", "false"}
        if column.allowed:
            assert set(values) <= set(column.allowed)
    happened = contract.happened
    if happened:
        assert (frame[happened] < pd.Timestamp(shop.end)).all()
    if "recorded_at" in frame and happened != "recorded_at":
        assert (frame.recorded_at >= frame[happened]).all()
        assert (frame.recorded_at < pd.Timestamp(shop.end)).all()


def test_money_adds_up_and_returns_are_negative(shop: ShopReport) -> None:
    orders = table(shop, "orders")
    sold, back = orders[orders.kind == "sale"], orders[orders.kind == "return"]
    cents = (sold[["amount", "unit_price", "discount"]] * 100).round().astype(int)
    assert (cents.amount == sold.quantity * cents.unit_price - cents.discount).all()
    assert (sold.amount > 0).all()
    assert (cents.discount >= 0).all()
    assert (back[["amount", "quantity"]] < 0).all(axis=None)
    assert back.discount.isna().all()
    paid = sold.drop_duplicates()
    matched = back.drop_duplicates().merge(
        paid, "left", on=["order_id", "item_id"], suffixes=("", "_sold"), validate="one_to_one"
    )
    assert (matched.amount == -matched.amount_sold).all()
    assert (matched.ordered_at > matched.ordered_at_sold).all()


def test_dirt_is_there_in_measure(shop: ShopReport) -> None:
    orders, events = table(shop, "orders"), table(shop, "events")
    parameters = json.loads((shop.directory / "truth" / "parameters.json").read_text("utf-8"))
    assert orders.user_id.isna().mean() == pytest.approx(parameters["guest_share"], rel=0.4)
    assert 0.001 < orders.duplicated().mean() < 0.003
    assert 0.002 < (orders.item_id == "POSTAGE").mean() < 0.01
    assert 0.005 < ((orders.recorded_at - orders.ordered_at) > timedelta(hours=6)).mean() < 0.05
    assert orders.user_id.str.startswith("00").any()
    assert orders.item_id.str.startswith("00").any()
    anonymous = events[events.user_id.isna()]
    known_later = anonymous.device_id.isin(events[events.user_id.notna()].device_id)
    assert known_later.any()
    assert not known_later.all()
    assert set(table(shop, "users").seller_id.dropna()) <= set(orders.seller_id)


def test_guests_of_the_truth_are_the_guests_of_the_orders(shop: ShopReport) -> None:
    orders = table(shop, "orders")
    assert set(orders[orders.user_id.isna()].order_id) <= set(truth(shop, "guests").order_id)
    assert not set(orders[orders.user_id.notna()].order_id) & set(truth(shop, "guests").order_id)


def test_every_item_sold_stood_on_the_shelf_at_that_price(shop: ShopReport) -> None:
    lines, items = sales(shop), table(shop, "items")
    assert set(lines.item_id) <= set(items.item_id)
    known = pd.merge_asof(
        lines.sort_values("ordered_at"),
        items.sort_values("recorded_at")[["item_id", "price", "launched_at", "retired_at", "recorded_at"]],
        left_on="ordered_at",
        right_on="recorded_at",
        by="item_id",
        suffixes=("", "_item"),
    )
    assert (known.unit_price == known.price).all()
    assert (known.ordered_at >= known.launched_at).all()
    assert not (known.ordered_at >= known.retired_at).any()


def test_users_are_versioned_and_nobody_buys_before_registering(shop: ShopReport) -> None:
    users = table(shop, "users")
    assert not users.duplicated(["user_id", "recorded_at"]).any()
    assert users.user_id.nunique() < len(users)
    first = users.groupby("user_id").first()
    assert (first.registered_at == first.recorded_at).all()
    bought = sales(shop).dropna(subset="user_id").groupby("user_id").ordered_at.min()
    assert (bought > first.registered_at.reindex(bought.index)).all()
    referrers = first.referred_by.dropna()
    assert (first.registered_at.reindex(referrers).to_numpy() < first.registered_at[referrers.index].to_numpy()).all()


def gaps(shop: ShopReport) -> pd.DataFrame:
    """Days between purchases within a habit, of people who were there from the first day to the last.

    Whoever left early would show short gaps only. Habits slower than 90 days show too few gaps to be measured.
    """
    people = truth(shop, "users").merge(table(shop, "users").drop_duplicates("user_id")[["user_id", "registered_at"]])
    throughout = (people.registered_at < pd.Timestamp(shop.first_day)) & (people.fading_from >= pd.Timestamp(shop.end))
    habits = truth(shop, "habits").query("mean_gap_days < 90")
    habits = habits[habits.user_id.isin(people.user_id[throughout])]
    category = table(shop, "items").drop_duplicates("item_id").set_index("item_id").category
    lines = sales(shop).dropna(subset="user_id").assign(category=lambda x: x.item_id.map(category))
    days = lines[["user_id", "category", "day"]].drop_duplicates().sort_values(["user_id", "category", "day"])
    days["gap"] = days.groupby(["user_id", "category"]).day.diff().dt.days
    return days.dropna().merge(habits, on=["user_id", "category"])


def test_the_cycles_of_categories_come_back(shop: ShopReport) -> None:
    parameters = json.loads((shop.directory / "truth" / "parameters.json").read_text("utf-8"))
    cycle = pd.Series(parameters["cycle_days"], CATEGORY_NAMES)[CONSUMABLE]
    found = gaps(shop)
    found = found[found.category.isin(cycle.index)]
    ratio = (found.gap / found.mean_gap_days).groupby(found.category).mean()
    assert ratio.between(0.8, 1.2).all(), ratio
    measured = found.groupby("category").gap.median()
    assert measured.corr(cycle[measured.index], method="spearman") > 0.85


def test_consumables_return_more_evenly_than_chance(shop: ShopReport) -> None:
    found = gaps(shop)
    scaled = found[found.category.isin(np.array(CATEGORY_NAMES)[CONSUMABLE])].eval("gap / mean_gap_days")
    # An exponential gap lies below 0.3 of its mean in 26 of 100 cases.
    assert (scaled < 0.3).mean() < 0.17


def test_what_a_campaign_brought_is_what_the_truth_says(shop: ShopReport) -> None:
    contacted = truth(shop, "contacts")
    bought = sales(shop).dropna(subset="user_id")[["user_id", "day"]].drop_duplicates()
    for campaign, people in contacted.groupby("campaign_id"):
        first = start_of(shop, campaign)
        within = bought[(bought.day >= first) & (bought.day < first + timedelta(days=14))]
        buyers = people.user_id.isin(within.user_id)
        assert (buyers == (people.buys_anyway | people.added_order)).all()


def start_of(shop: ShopReport, campaign: str) -> pd.Timestamp:
    """The day of a campaign as its contacts have it."""
    touched = table(shop, "contacts").query("campaign_id == @campaign").touched_at
    assert touched.nunique() == 1
    return touched.iloc[0]


def test_the_effect_of_campaigns_lies_in_its_interval_over_seeds(tmp_path: Path) -> None:
    errors = []
    for seed in range(6):
        contacted = truth(make_shop(tmp_path / str(seed), users=CHUNK, seed=seed), "contacts")
        contacted["buys"] = contacted.buys_anyway | contacted.added_order
        for _, people in contacted.groupby("campaign_id"):
            arms = people.groupby("treated").buys.agg(["mean", "var", "size"])
            standard_error = np.sqrt((arms["var"] / arms["size"]).sum())
            errors.append((arms["mean"][True] - arms["mean"][False] - people.true_effect.mean()) / standard_error)
    assert len(errors) == 18
    assert np.abs(errors).max() < 3.5
    assert abs(np.mean(errors)) < 3 / np.sqrt(18)
    assert np.std(errors) > 0.4


def test_arms_are_by_lot_and_need_consent(shop: ShopReport) -> None:
    contacts, users = table(shop, "contacts"), table(shop, "users").groupby("user_id").first()
    trial = contacts[contacts.channel == "sms"]
    assert set(trial.arm) == {"treatment", "control"}
    assert (users.consent_sms.reindex(trial.user_id) == "true").all()
    assert (users.blocked.reindex(trial.user_id) == "false").all()
    assert {"true", "false"} == set(users.consent_sms) == set(users.blocked)


FESTIVALS = {"618": 3.0, "double_11": 3.0, "qixi": 1.5, "christmas": 1.4}


@pytest.mark.parametrize("name", FESTIVALS)
def test_festivals_are_peaks(shop: ShopReport, name: str) -> None:
    parameters = json.loads((shop.directory / "truth" / "parameters.json").read_text("utf-8"))
    lines = sales(shop).groupby("day").size()
    days = [date.fromisoformat(f["day"]) for f in parameters["festivals"] if f["name"] == name]
    assert days
    for day in days:
        near = lines[pd.Timestamp(day) - timedelta(days=4) : pd.Timestamp(day) + timedelta(days=1)].nlargest(2)
        usual = lines[pd.Timestamp(day) - timedelta(days=45) : pd.Timestamp(day) - timedelta(days=14)].median()
        assert near.mean() > FESTIVALS[name] * usual


def test_kinds_of_people_differ_as_told(shop: ShopReport) -> None:
    kind = truth(shop, "users").set_index("user_id").kind
    orders = table(shop, "orders").drop_duplicates().dropna(subset="user_id").assign(who=lambda x: x.user_id.map(kind))
    sold = orders[(orders.kind == "sale") & (orders.item_id != "POSTAGE")]
    depth = (sold.discount / (sold.amount + sold.discount)).groupby(sold.who).median()
    assert depth.coupon_hunter > 0.33 > 0.2 > depth.regular
    assert depth.coupon_hunter > depth.discount_lover > depth.loyal
    returned = (orders.kind == "return").groupby(orders.who).mean()
    assert returned.idxmax() == "coupon_hunter"
    assert sold.groupby("who").size().div(kind.value_counts()).idxmax() == "loyal"


def test_favourites_beat_popularity(shop: ShopReport) -> None:
    lines = sales(shop).dropna(subset="user_id")
    cut = pd.Timestamp(shop.end) - timedelta(days=60)
    past, future = lines[lines.day < cut], lines[lines.day >= cut][["user_id", "item_id"]].drop_duplicates()
    future = future[future.user_id.isin(past.user_id)]
    popular = set(past.item_id.value_counts().index[:5])
    counts = past.groupby(["user_id", "item_id"]).day.nunique().sort_values(ascending=False).reset_index()
    own = counts.groupby("user_id").head(5)[["user_id", "item_id"]]
    assert len(future.merge(own)) > 1.5 * future.item_id.isin(popular).sum()


def test_registrations_grow(shop: ShopReport) -> None:
    registered = table(shop, "users").drop_duplicates("user_id").registered_at
    middle = pd.Timestamp(shop.first_day) + (pd.Timestamp(shop.end) - pd.Timestamp(shop.first_day)) / 2
    first_half = registered[registered >= pd.Timestamp(shop.first_day)] < middle
    assert first_half.mean() < 0.45


def test_contact_points_reach_nobody(shop: ShopReport) -> None:
    points = table(shop, "identities")
    assert points[points.kind == "phone"].value.str.startswith("100").all()
    assert points[points.kind == "email"].value.str.endswith("@example.com").all()
    assert not points.duplicated(["kind", "value"]).any()


def test_progress_is_told_chunk_by_chunk(tmp_path: Path) -> None:
    heard: list[tuple[float, float | None]] = []
    make_shop(tmp_path, users=CHUNK + 1, progress=lambda label, done, total=None: heard.append((done, total)))
    assert heard == [(CHUNK, CHUNK + 1), (CHUNK + 1, CHUNK + 1)]


def test_memory_does_not_grow_with_the_number_of_users(tmp_path: Path) -> None:
    """Of a chunk that was written nothing is kept: eight thousand users more cost some row groups' worth of notes."""
    peaks = []
    for users in (2 * CHUNK, 6 * CHUNK):
        tracemalloc.start()
        make_shop(tmp_path / str(users), users=users, seed=7)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.15 * peaks[0]


def test_planted_behaviours_move_nothing_else(tmp_path: Path) -> None:
    plain = all_bytes(make_shop(tmp_path / "plain", users=150, seed=4, days=200).directory)
    more = make_shop(tmp_path / "more", users=150, seed=4, days=200, behaviours=True)
    planted = all_bytes(more.directory)
    assert set(planted) - set(plain) == {"truth/behaviours.json"}
    assert [name for name, content in plain.items() if planted[name] != content] == ["events.parquet"]
    features = {name for names in json.loads(planted["truth/behaviours.json"]).values() for name in names}
    events = table(more, "events")
    added = events[events.feature.isin(features)]
    kept = events[~events.feature.isin(features)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, pq.read_table(tmp_path / "plain" / "events.parquet").to_pandas())
    assert set(added.feature) == features
    assert added.user_id.notna().all()


def test_planted_sellers_move_nothing_else_and_sell_as_planted(tmp_path: Path) -> None:
    plain = make_shop(tmp_path / "plain", users=CHUNK, seed=4, days=200)
    more = make_shop(tmp_path / "more", users=CHUNK, seed=4, days=200, sellers=True)
    before, after = all_bytes(plain.directory), all_bytes(more.directory)
    assert set(after) - set(before) == {"truth/sellers.json"}
    assert {name for name in before if after[name] != before[name]} == {"events.parquet", "orders.csv"}
    added = {}
    for name in ("events", "orders"):
        old, new = table(plain, name), table(more, name)
        pd.testing.assert_frame_equal(new[: len(old)], old)
        added[name] = new[len(old) :]
    shown = added["events"][added["events"].event == "view_item_list"][["user_id", "item_id"]]
    assert not shown.duplicated().any()
    everything = pd.concat([table(plain, "events"), table(plain, "orders")])[["user_id", "item_id"]].drop_duplicates()
    assert shown.merge(everything).empty
    bought = added["orders"][["user_id", "item_id", "seller_id"]].assign(bought=1)
    category = table(plain, "items").drop_duplicates("item_id").set_index("item_id").category
    seller = table(plain, "orders").dropna().drop_duplicates("item_id").set_index("item_id").seller_id
    told = json.loads(after["truth/sellers.json"])
    looks = shown.merge(bought[["user_id", "item_id", "bought"]], how="left").fillna({"bought": 0})
    looks = looks.assign(category=looks.item_id.map(category), seller=looks.item_id.map(seller)).dropna()
    looks["chance"] = [told[s]["rates"][c] for s, c in zip(looks.seller, looks.category, strict=True)]
    looks["skill"] = [told[s]["skill"] for s in looks.seller]
    found = looks.groupby("skill")[["bought", "chance"]].sum()
    assert len(found) == len(SKILLS)
    # people differ in how easily they pay, which widens the binomial by little: five classes within four errors
    assert (abs(found.bought - found.chance) < 4 * found.chance**0.5).all()
    assert set(bought.seller_id) <= set(told)
