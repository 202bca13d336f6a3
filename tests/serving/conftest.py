"""A small made-up shop, its raw lines, and a release made from them by the real parts."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pyarrow as pa
import pytest

from features.building import build_features
from features.catalogue import FEATURES, fields
from features.outcomes import interactions
from features.source import FramesSource
from models.baselines import Rule
from models.boosting import BoostingSettings, boost
from models.calibration import Calibration
from models.encoding import FeatureSchema
from models.propensity import PropensityModel
from models.recommenders import create
from models.recommenders.interactions import Interactions
from serving.complements import Complement
from serving.fallbacks import suggestion_id
from serving.holder import Holder
from serving.lookups import create_app
from serving.publication import publish
from serving.release import Release, ReleaseContents, open_release, write_release
from serving.scoring import score
from warehouse.checking import Checker
from warehouse.contracts import CONTRACTS
from warehouse.rulebook import KEY
from warehouse.settings import Settings

AS_OF = date(2024, 6, 1)
ODD_IDS = ("007", "a/b", "a/scores", "小明", "with space", "e\u0301", "x%41", "q?r#s")
_MODELLED = frozenset(f.name for f in FEATURES if not f.protected and not f.is_segment)
CATEGORIES = ("tea", "cups", "cake")
SETTINGS = Settings.model_validate(
    {
        "time_zone": "Europe/London",
        "currency": "GBP",
        "tables": {name: {"files": [f"{name}.csv"]} for name in ("orders", "events", "users", "items", "tags")}
        | {"orders": {"files": ["orders.csv"], "columns": {"channel": "shop_channel"}}},
    }
)


@dataclass(frozen=True)
class Shop:
    """Raw lines by table, as they would stand in the files."""

    lines: Mapping[str, list[dict[str, Any]]]

    def of(self, user_id: str, table: str) -> list[dict[str, Any]]:
        return [line for line in self.lines[table] if line.get("user_id") == user_id]


def _orders(rng: random.Random, user: str, n: int) -> list[dict[str, Any]]:
    lines = []
    for k in range(n):
        at = datetime(2024, 5, 31, 20) - timedelta(days=rng.randrange(0, 300), minutes=rng.randrange(1200))
        for _ in range(rng.randrange(1, 4)):
            item = rng.randrange(12)
            quantity = rng.randrange(1, 5)
            lines.append(
                {
                    "user_id": user, "ordered_at": at.isoformat(sep=" "), "order_id": f"{user}-{k}",
                    "item_id": f"item{item}", "quantity": quantity, "amount": round(quantity * (1.25 + item), 2),
                    "discount": rng.choice([0, 0.5]), "channel": rng.choice(["web", "shop"]),
                }
            )  # fmt: skip
            if rng.random() < 0.1:
                lines.append(dict(lines[-1]))
            if rng.random() < 0.1:
                lines.append({**lines[-1], "kind": "return", "amount": -1.25, "quantity": -1})
    return lines


def make_shop(seed: int = 3, users: int = 80) -> Shop:
    rng = random.Random(seed)
    ids = [*ODD_IDS, *(f"u{k:03}" for k in range(users))]
    orders = [line for user in ids for line in _orders(rng, user, rng.choice([0, 1, 1, 2, 5, 9]))]
    events = [
        {
            "user_id": user, "event": rng.choice(["view", "cart"]), "item_id": f"item{rng.randrange(12)}",
            "occurred_at": (datetime(2024, 5, 31, 12) - timedelta(hours=rng.randrange(3000))).isoformat() + "Z",
        }
        for user in ids
        for _ in range(rng.randrange(0, 8))
    ]  # fmt: skip
    people = [
        {
            "user_id": user, "region": rng.choice(["north", "south"]), "recorded_at": "2024-01-01",
            "consent_sms": rng.choice(["true", "false", None]), "blocked": rng.choice(["true", "false"]),
            "registered_at": "2023-01-01", "consent_profiling": ("false", None, "true", "true")[number % 4],
        }
        for number, user in enumerate(ids)
    ]  # fmt: skip
    items = [
        {
            "item_id": f"item{k}", "category": CATEGORIES[k % 3], "recorded_at": "2023-01-01",
            "retired_at": "2024-05-01" if k == 11 else None, "in_stock": "false" if k == 10 else "true",
        }
        for k in range(12)
    ]  # fmt: skip
    tags = [{"user_id": user, "tag": "vip", "set_at": "2024-02-01"} for user in ids[::7]]
    return Shop({"orders": orders, "events": events, "users": people, "items": items, "tags": tags})


def stored(shop: Shop) -> dict[str, pa.Table]:
    """The rows of the store: checked, without duplicates, sorted."""
    tables = {}
    for name, lines in shop.lines.items():
        names = sorted({key for line in lines for key in line})
        raw = pa.table({key: pa.array([_text(line.get(key)) for line in lines], pa.string()) for key in names})
        theirs = SETTINGS.tables[name].columns
        raw = raw.rename_columns([theirs.get(column, column) for column in raw.column_names])
        with Checker(CONTRACTS[name], SETTINGS.tables[name], SETTINGS, datetime(2024, 6, 2)) as checker:
            checked = checker.check(raw)
        assert not checked.problems
        firsts = pa.array(np.sort(np.unique(checked.accepted[KEY].to_numpy(), return_index=True)[1]))
        rows = checked.accepted.take(firsts).drop_columns([KEY])
        first = "item_id" if name == "items" else "entity_id"
        tables[name] = rows.sort_by([(first, "ascending"), ("local_at", "ascending")])
    return tables


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def fitted(features: pa.Table, target: str, population: str, seed: int = 1, horizon: int = 30) -> PropensityModel:
    """Real trees on made-up labels that depend on the features."""
    rng = np.random.default_rng(seed)
    recency = features["days_since_last_act"].to_numpy(zero_copy_only=False)
    y = (rng.random(features.num_rows) < np.where(np.isnan(recency), 0.1, 1 / (1 + recency / 40))).astype(float)
    names = [name for name in features.column_names if name in _MODELLED]
    schema = FeatureSchema.from_table(features, names)
    matrix = schema.encode(features)
    grown = boost(matrix, y, BoostingSettings(rounds=15, seed=seed, threads=1), schema.categorical)
    bare = PropensityModel(
        target, horizon, f"{target}-{seed}", "lightgbm", population, float(y.mean()), schema, grown.text
    )
    raw = np.log(bare.predict(features) / (1 - bare.predict(features)))
    return PropensityModel(
        target, horizon, f"{target}-{seed}", "lightgbm", population, float(y.mean()), schema, grown.text,
        calibration=Calibration.fit(raw, y),
    )  # fmt: skip


def ruled(features: pa.Table, target: str, population: str, horizon: int = 90) -> PropensityModel:
    y = (np.arange(features.num_rows) % 3 == 0).astype(float)
    rule = Rule.fit("days_since_last_order", features, y, horizon)
    return PropensityModel(target, horizon, f"{target}-rule", "rule", population, float(y.mean()), rule=rule)


def make_contents(shop: Shop, release: str = "r1", seed: int = 1) -> ReleaseContents:
    tables = stored(shop)
    source = FramesSource(tables, time_zone=SETTINGS.time_zone)
    features = build_features(source, AS_OF)
    repurchase = fitted(features, "repurchase", "order_count_lifetime >= 1", seed)
    models = {
        ("repurchase", 30): repurchase,
        ("repurchase", 90): ruled(features, "repurchase", "order_count_lifetime >= 1"),
        ("churn", 30): Complement("churn", "days_since_last_act <= 60", 1 - repurchase.base_rate, repurchase),
        ("second_order", 30): fitted(features, "second_order", "order_count_lifetime = 1", seed + 1),
        ("win_back", 30): fitted(features, "win_back", "days_since_last_act > 60", seed + 2),
    }
    users = features["entity_id"].to_pylist()
    suggestions = [
        (user, rank, f"item{(rank * 5 + len(user)) % 12}") for user in sorted(users)[::2] for rank in (1, 2, 3)
    ]
    columns = list(zip(*suggestions, strict=True))
    held = Interactions.from_table(interactions(source, AS_OF), AS_OF)
    n = len(suggestions)
    return ReleaseContents(
        release=release,
        as_of=AS_OF,
        settings=SETTINGS,
        models=models,
        features=features,
        fields=[*fields(feature for feature in FEATURES if feature.is_segment).values()],
        scores=score(models, features, as_of=AS_OF, release=release),
        suggestions=pa.table(
            {
                "user_id": columns[0], "rank": columns[1], "item_id": columns[2],
                "probability": [0.5 / r for r in columns[1]], "strength": [1.0 / r for r in columns[1]],
                "source": ["personal"] * n, "reason": ["bought before"] * n,
                "suggestion_id": [suggestion_id(release, u, i) for u, _, i in suggestions],
                "as_of": [AS_OF] * n, "model_version": ["gp_topfreq-1"] * n, "release": [release] * n,
            }
        ),
        similar_items=pa.table(
            {
                "item_id": ["item1"] * 3 + ["item2"], "rank": [1, 2, 3, 1],
                "similar_item_id": ["item4", "item11", "item7", "item5"], "strength": [0.9, 0.8, 0.7, 0.6],
            }
        ),
        popular=pa.table({"item_id": [f"item{k}" for k in range(12)], "strength": [float(12 - k) for k in range(12)]}),
        recommender=("gp_topfreq-1", create("gp_topfreq").fit(held).arrays()),
        tables={name: table for name, table in tables.items() if name not in ("orders", "events")},
        populations=source.population_tables(AS_OF),
        absent=[{"what": "contacts", "why": "there is no table contacts", "needs": "contacts"}],
    )  # fmt: skip


@pytest.fixture(scope="session")
def shop() -> Shop:
    return make_shop()


@pytest.fixture(scope="session")
def contents(shop: Shop) -> ReleaseContents:
    return make_contents(shop)


@pytest.fixture(scope="session")
def releases(contents: ReleaseContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A releases folder with one published release; nobody may change it."""
    folder = tmp_path_factory.mktemp("workspace") / "releases"
    write_release(folder / "r1", contents)
    publish(folder, "r1")
    return folder


@pytest.fixture(scope="session")
def release(releases: Path) -> Release:
    return open_release(releases / "r1", canary=False)


@pytest.fixture(scope="session")
def free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port: int = probing.getsockname()[1]
        return port


class Client:
    """Asks an app in this process, through the same bytes a server would pass on."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://reprise") as asking:
                return await asking.request(method, path, **more)

        return anyio.run(ask)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.request("POST", path, **({"json": body} if body is not None else {}), **more)


@pytest.fixture(scope="session")
def app(releases: Path) -> Any:
    holder = Holder(releases, canary=False)
    assert holder.refresh()
    return create_app(holder)


@pytest.fixture(scope="session")
def client(app: Any) -> Client:
    return Client(app)


@pytest.fixture(scope="session")
def asking() -> type[Client]:
    """Makes a client of an app."""
    return Client
