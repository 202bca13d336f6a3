"""What `reprise exposures` says: what was shown, what came of it, and what another model would have made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.outcomes import interactions
from features.shown import bought_within, exposures
from features.source import Source
from insights.off_policy import Comparison, compare
from insights.position_bias import Examination, examination
from insights.shown import Group, Shown, rates
from models import recommenders
from models.recommenders.suggesting import suggest
from models.recommenders.takers import Takers
from pipeline import ruling
from pipeline.exploring import COLUMN
from pipeline.opening import load
from pipeline.suggestions import fitted, items_known, on_sale, refused_profiling
from serving.erasing import release_folders
from serving.fallbacks import suggestion_ids
from training.echo import Echo, echoed
from training.recommendation import with_items
from warehouse.errors import NotReadyError
from warehouse.progress import Progress
from warehouse.workspace import Workspace

BESIDE = "popular_or_basket"
"""The source of what was answered beside a customer's own list: what is popular, or completes a basket."""
UNKNOWN = "unknown"
_EPOCH = date(1970, 1, 1).toordinal()
_SAID = {
    "en": (
        "{:,} suggestions shown to {:,} customers; purchases: of that item within {} days; intervals of 95 %, by "
        "exposure and by customer",
        "{:,} rows of customers who refused profiling are left out",
        "looked at beside the first place: {} (the same item shown to the same customer at two places, {:,} times)",
        "how often each place is looked at is not known: hardly anything was shown to the same customer at two places",
        "{}: {:.1%} of its lists was shown; clicks per place looked at {}, shown lists {}, difference {}",
        "{}: no comparison, for {}",
    ),
    "zh": (
        "共向{1:,}名顾客展示{0:,}次推荐；购买：{2}天内购买该商品；95%区间：按展示次数、按顾客",
        "不同意画像的顾客的{:,}行未计入",
        "各位置相对首位被看到的比例：{}（同一商品在不同位置向同一顾客展示，共{:,}对）",
        "各位置被看到的比例未知：几乎没有同一商品在不同位置向同一顾客展示过",
        "{}：其列表的{:.1%}被展示过；每个被看到位置的点击 {}，已展示列表 {}，差异 {}",
        "{}：无法比较（{}）",
    ),
}
_COLUMNS = ("by", "value", "shown", "clicks", "from", "to", "from_user", "to_user",
            "purchases", "from", "to", "from_user", "to_user")  # fmt: skip


@dataclass(frozen=True)
class Exposed:
    """What came of what was shown as of a date; `compared` by the name of the model, where one was asked for."""

    as_of: date
    days: int
    shown: Shown
    refused: int
    groups: Sequence[Group]
    looked: Examination
    echo: Echo
    compared: dict[str, Comparison]
    language: str

    def payload(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of,
            "days": self.days,
            "shown": len(self.shown),
            "customers": len(np.unique(self.shown.user)),
            "withheld_no_profiling": self.refused,
            "rates": [group.payload() for group in self.groups],
            "position_bias": self.looked.payload(),
            "against": {name: found.payload() for name, found in self.compared.items()},
            "learnt_from_shown": self.echo.payload(),
        }

    def lines(self) -> list[str]:
        """A table, tab-separated, and sentences below it."""
        say = _SAID[self.language]
        told = [say[0].format(len(self.shown), len(np.unique(self.shown.user)), self.days)]
        told += ["\t".join(_COLUMNS), *("\t".join(_row(group)) for group in self.groups)]
        told += [say[1].format(self.refused)] if self.refused else []
        places = self.looked.payload()["positions"]
        looked = ", ".join(f"{each['position']}: {each['examined']:.2f}" for each in places)
        told.append(say[2].format(looked, self.looked.pairs) if self.looked.known else say[3])
        for name, found in self.compared.items():
            figures = [_figure(each) for each in (found.other, found.logged, found.difference)]
            told.append(
                say[5].format(name, found.refused) if found.refused else say[4].format(name, found.coverage, *figures)
            )
        return [*told, self.echo.text_zh if self.language == "zh" else self.echo.text]


def exposed(
    workspace: Workspace, as_of: date | None, days: int, against: Sequence[str], loaded_at: datetime, progress: Progress
) -> Exposed:
    """Loads what is new and tells what was shown before `as_of` and what followed within `days`.

    `against` names recommenders: how their lists would have done, fitted on the sales before each release. `UsageError`
    for an unknown one, `NotReadyError` where nothing was shown.
    """
    for name in against:
        recommenders.create(name)
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        source, day = loaded.source, loaded.as_of
        table = exposures(source, day)
        kept = pc.invert(
            pc.is_in(table["user_id"], value_set=pa.array(sorted(refused_profiling(source, day)), pa.string()))
        )
        left, told = int(table.num_rows - (pc.sum(kept).as_py() or 0)), table.filter(kept)
        echo = echoed(source, day, workspace.settings.recommend)
        if not told.num_rows or echo is None:
            raise NotReadyError(
                "Nothing was shown before that date, or it was not told.",
                hint="Post what was shown to /v1/exposures, or name files under [tables.exposures].",
            )
        origin = _origins(workspace, told)
        until = min(day, loaded.store.observed_until("orders")) if "orders" in source.tables else day
        shown = _shown(told, origin, source, until, day, days)
        looked = examination(shown)
        compared = {}
        for number, name in enumerate(against):
            progress(f"exposures: {name}", number, len(against))
            compared[name] = _against(workspace, source, name, told, origin, shown, looked)
    return Exposed(day, days, shown, left, rates(shown), looked, echo, compared, workspace.settings.language)


@dataclass(frozen=True)
class _Origins:
    """Per exposure where it came from, and by what chance; and the releases by name: as of when, and their place here
    (−1: unknown)."""

    source: npt.NDArray[np.str_]
    model: npt.NDArray[np.str_]
    release: npt.NDArray[np.int64]
    propensity: npt.NDArray[np.float64]
    dates: list[date]


def _origins(workspace: Workspace, told: pa.Table) -> _Origins:
    """By `suggestion_id`, which is a hash of release, user and item: found in the lists of the releases that are kept,
    or made anew for what was answered beside them."""
    n = told.num_rows
    dates: list[date] = []
    source, model = np.full(n, UNKNOWN, object), np.full(n, UNKNOWN, object)
    release, propensity = np.full(n, -1), np.ones(n)
    ids = told["suggestion_id"].combine_chunks()
    for folder in release_folders(workspace.releases):
        first = _first(folder / "suggestions.parquet")
        if first is None:
            continue
        made = suggestion_ids(folder.name, told["user_id"], told["item_id"])
        mine = np.asarray(pc.equal(ids, made.combine_chunks()).to_numpy(zero_copy_only=False), bool)
        if not mine.any():
            continue
        wanted = ids.filter(pa.array(mine))
        path = folder / "suggestions.parquet"
        some = [name for name in ("suggestion_id", "source", COLUMN) if name in pq.read_schema(path).names]
        rows = pq.read_table(path, columns=some, filters=[("suggestion_id", "in", wanted)])
        place = pc.index_in(wanted, value_set=rows["suggestion_id"].combine_chunks())
        source[mine] = pc.fill_null(rows["source"].combine_chunks().take(place), BESIDE).to_pylist()
        if COLUMN in some:
            propensity[mine] = pc.fill_null(rows[COLUMN].combine_chunks().take(place), 1.0)
        model[mine], release[mine] = first["model_version"], len(dates)
        dates.append(first["as_of"])
    return _Origins(source.astype(str), model.astype(str), release, propensity, dates)


def _first(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(1, columns=["model_version", "as_of"]), None)
    found: list[dict[str, Any]] = batch.to_pylist() if batch is not None else []
    return found[0] if found else None


def _shown(told: pa.Table, origin: _Origins, source: Source, until: date, day: date, days: int) -> Shown:
    users, pairs = _numbers(told["user_id"]), _numbers(_pair(told["user_id"], told["item_id"]))
    place = np.nan_to_num(told["position"].to_numpy(zero_copy_only=False).astype(np.float64)).astype(np.int64)
    closed = np.asarray(told["day"]) + days <= until.toordinal() - _EPOCH
    bought = bought_within(told, with_items(interactions(source, day)), days)
    return Shown(
        users,
        pairs,
        place,
        np.asarray(told["clicked"].to_numpy(zero_copy_only=False), dtype=np.float64),
        np.where(closed, bought.astype(np.float64), np.nan),
        origin.source,
        origin.model,
        origin.propensity,
    )


def _against(
    workspace: Workspace, source: Source, name: str, told: pa.Table, origin: _Origins, shown: Shown, looked: Examination
) -> Comparison:
    """How the lists of another recommender would have done: fitted on the sales before each release, for its users."""
    rank = np.zeros(len(shown), np.int64)
    places, was_shown = [np.empty(0, np.int64)], [np.empty(0)]
    every = _pair(told["user_id"], told["item_id"])
    for number, as_of in enumerate(origin.dates):
        mine = np.flatnonzero(origin.release == number)
        k = int(np.clip(shown.position[mine].max(initial=1), 1, 100))
        users = pc.unique(told["user_id"].take(pa.array(mine)))
        lists = _lists(workspace, source, name, as_of, users, k)
        listed, here = _pair(lists["user_id"], lists["item_id"]), every.take(pa.array(mine))
        found = pc.index_in(here, value_set=listed)
        rank[mine] = pc.fill_null(lists["rank"].combine_chunks().take(found), 0).to_numpy(zero_copy_only=False)
        places.append(np.asarray(lists["rank"], dtype=np.int64))
        times = pa.array(1 / origin.propensity[mine])
        was_shown.append(np.asarray(pc.fill_null(times.take(pc.index_in(listed, value_set=here)), 0.0)))
    return compare(shown, rank, (np.concatenate(places), np.concatenate(was_shown)), looked)


def _lists(workspace: Workspace, source: Source, name: str, as_of: date, users: pa.Array, k: int) -> pa.Table:
    told = workspace.settings.recommend
    model, items = fitted(source, told, name, as_of), items_known(source, as_of)
    held = model.interactions
    allowed = on_sale(held, items, as_of, source.time_zone)
    ruled_items = ruling.items_of(workspace.settings, source, items, as_of)
    rules = ruling.compiled(told.rules, Takers(held, None), ruled_items, allowed, told.horizon)
    return suggest(model, users, k, rules.allowed if rules else allowed, rules=rules)


def _pair(users: pa.ChunkedArray, items: pa.ChunkedArray) -> pa.Array:
    joined = pc.binary_join_element_wise(users, items, "\x1f")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _numbers(texts: Any) -> npt.NDArray[np.int64]:
    codes = pa.chunked_array(texts).combine_chunks() if not isinstance(texts, pa.Array) else texts
    return np.asarray(codes.dictionary_encode().indices).astype(np.int64)


def _row(group: Group) -> list[str]:
    cells = [group.by, "" if group.value is None else str(group.value), f"{group.clicks.n:,}"]
    for rate, by_user in ((group.clicks, group.clicks_by_user), (group.purchases, group.purchases_by_user)):
        ends = [*(rate.interval or (None, None)), *(by_user or (None, None))]
        cells += [_percent(rate.share), *(_percent(end) for end in ends)]
    return cells


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _figure(told: tuple[float, tuple[float, float] | None] | None) -> str:
    if told is None:
        return ""
    low, high = told[1] or (float("nan"), float("nan"))
    return f"{told[0]:.4f} ({low:.4f} … {high:.4f})"
