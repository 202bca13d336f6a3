"""Acts of a device before a login: the user's once the login is known, and no trace of it on any earlier date."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.building import build_features
from features.last_uses import last_uses
from features.source import StoreSource
from insights.growth import growth
from tests.features.conftest import differences
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COLUMNS = "user_id,device_id,occurred_at,event,page,feature,session_id,recorded_at"
FAMILIES = ("activity", "browsing", "sessions", "touchpoints", "act_preferences", "lifecycle")
Act = tuple[str, str, int, int]


def source_of(root: Path, lines: list[str]) -> StoreSource:
    root.mkdir(exist_ok=True)
    (root / "events.csv").write_text("\n".join([COLUMNS, *lines, ""]))
    tables = {"events": TableSettings(files=("events.csv",))}
    store = Store(Workspace(root, Settings(tables=tables, buckets=2, time_zone="Asia/Shanghai")))
    store.load_new(datetime(2026, 1, 1))
    return StoreSource(store, part_rows=1)


BY_HAND = [
    ",phone,2025-03-03T01:00:00Z,view,tea,coupons,s1,",
    ",phone,2025-03-04T01:00:00Z,view,tea,coupons,s2,",
    ",laptop,2025-03-04T02:00:00Z,view,cups,,s3,",
    "zoe,,2025-03-05T01:00:00Z,view,cups,search,s4,",
    "ann,phone,2025-05-06T01:00:00Z,login,account,,s5,",
]


def told(source: StoreSource, as_of: date) -> dict[str, tuple[Any, ...]]:
    names = ("act_day_count_lifetime", "days_since_first_act", "preferred_page", "lifecycle_group")
    table = build_features(source, as_of, families=FAMILIES)
    return {row["entity_id"]: tuple(row[name] for name in names) for row in table.to_pylist()}


def growing(source: StoreSource, as_of: date) -> dict[str, tuple[int, int, int]]:
    """By month: ever seen, active, devices never signed in."""
    found = growth(source, as_of).payload()
    devices = {end["period"]: end["devices_never_signed_in"] for end in found["concentration"]["ends"]}
    return {each["period"]: (each["ever_seen"], each["active_users"], devices[each["period"]])
            for each in found["periods"]}  # fmt: skip


def test_history_before_a_login_is_seen_from_the_login_on(tmp_path: Path) -> None:
    source = source_of(tmp_path / "w", BY_HAND)
    assert told(source, date(2025, 5, 6)) == {"zoe": (1.0, 62.0, "cups", "lapsed")}
    after = told(source, date(2025, 5, 7))
    assert after == {"zoe": (1.0, 63.0, "cups", "lapsed"), "ann": (3.0, 65.0, "tea", "awakened")}
    # As of the login ann's device is hers: one more customer ever seen, one device less, and nothing is counted twice.
    assert growing(source, date(2025, 5, 6)) == {"2025-03": (1, 1, 2), "2025-04": (1, 0, 2), "2025-05": (1, 0, 2)}
    assert growing(source, date(2025, 5, 7)) == {"2025-03": (2, 2, 1), "2025-04": (2, 0, 1), "2025-05": (2, 1, 1)}


def test_spark_reads_them_too(spark: SparkSession, tmp_path: Path) -> None:
    store = source_of(tmp_path / "w", BY_HAND).store
    found = last_uses(StoreSource(store, spark=spark), date(2025, 5, 7))
    assert found is not None
    assert found.to_pylist() == [
        {"entity_id": "ann", "feature": "coupons", "last_used_on": date(2025, 3, 4)},
        {"entity_id": "zoe", "feature": "search", "last_used_on": date(2025, 3, 5)},
    ]


START = datetime(2025, 3, 3, 4)


def made_up(seed: int) -> list[Act]:
    """Devices on which two users come and go, some acts being recorded late."""
    rng = random.Random(seed)
    acts = [
        (
            rng.choice(["", "", f"ann{device}", f"bob{device}"]),
            f"d{device}",
            rng.randint(0, 50),
            rng.choice([0, 0, 1, 20]),
        )
        for device in range(30)
        for _ in range(rng.randint(1, 8))
    ]
    return [("zoe", "d", 0, 0), *acts]


def written(n: int, act: Act) -> str:
    user, device, day, late = act
    at, known = START + timedelta(days=day), START + timedelta(days=day + late)
    return f"{user},{device},{at:%Y-%m-%dT%H:%M:%SZ},view,p{n % 3},f{n % 2},s{n},{known:%Y-%m-%dT%H:%M:%SZ}"


def test_no_login_is_foreseen(tmp_path: Path) -> None:
    """On every date all is as if what was recorded later were not in the files, logins among it."""
    every = list(enumerate(made_up(1)))
    with_later = source_of(tmp_path / "all", [written(n, act) for n, act in every])
    cut = 25
    known = [written(n, act) for n, act in every if act[2] + act[3] < cut]
    without = source_of(tmp_path / "known", known)
    as_of = (START + timedelta(days=cut)).date()
    tables = [build_features(one, as_of, families=FAMILIES) for one in (with_later, without)]
    assert tables[0].num_rows > 20
    assert differences(*tables) == []
    assert growth(with_later, as_of, "week").payload() == growth(without, as_of, "week").payload()
