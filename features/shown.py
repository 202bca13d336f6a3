"""What was shown to whom before a date, and which purchases followed it: nobody shall learn blindly from an echo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.outcomes import interactions, item_acts
from features.source import FramesSource, Source, StoreSource
from warehouse.clock import instant

_KEY = ("entity_id", "item_id", "suggestion_id", "shown_at")
_WANTED = (*_KEY, "position", "clicked_at", "local_at")
_DWELL = (0.1, 10.0)
_DAY_SHIFT = 1 << 24
"""More than there are days: a pair and a day make one number."""


def exposures(source: Source, as_of: date) -> pa.Table:
    """Each suggestion shown before `as_of` once, however often it was told.

    Columns: `user_id`, `item_id`, `suggestion_id`, `shown_at` (UTC), `position` (null: not told), `clicked` (before
    `as_of`), `day` (number of the local day); sorted by the first four.
    """
    end = pa.scalar(instant(as_of, source.time_zone), pa.timestamp("us"))
    rows = _rows(source)
    rows = rows.filter(pc.less(rows["shown_at"], end))
    clicked = pc.fill_null(pc.less(rows["clicked_at"], end), False)
    rows = rows.set_column(rows.column_names.index("clicked_at"), "clicked", clicked)
    told = rows.group_by(_KEY).aggregate([("position", "min"), ("clicked", "max"), ("local_at", "min")])
    told = told.sort_by([(name, "ascending") for name in _KEY])
    day = told["local_at_min"].cast(pa.timestamp("s"), safe=False).cast(pa.date32(), safe=False).cast(pa.int32())
    return pa.table(
        {
            "user_id": told["entity_id"],
            **{name: told[name] for name in _KEY[1:]},
            "position": told["position_min"],
            "clicked": told["clicked_max"],
            "day": day.cast(pa.int64()),
        }
    )


def followed(sales: pa.Table, shown: pa.Table, days: int) -> npt.NDArray[np.bool_]:
    """Of sales (`user_id`, `item_id`, `day`) those of an item shown to that user on the day or one of the `days` − 1
    before it."""
    sold, seen = _numbered(sales, shown)
    last = np.searchsorted(np.sort(seen), sold, side="right") - 1
    before = np.append(np.sort(seen), 0)[last]
    return np.asarray((last >= 0) & (sold - before < days), dtype=np.bool_)


def bought_within(shown: pa.Table, sales: pa.Table, days: int) -> npt.NDArray[np.bool_]:
    """Of what was shown what that user bought on the day or one of the `days` − 1 after it."""
    sold, seen = _numbered(sales, shown)
    following = np.searchsorted(np.sort(sold), seen)
    after = np.append(np.sort(sold), np.iinfo(np.int64).max)[following]
    return np.asarray(after - seen < days, dtype=np.bool_)


def learnt_from(
    source: Source, as_of: date, leave_out_days: int, kinds: Mapping[str, float] | None = None, dwell: float = 0.0
) -> pa.Table:
    """As `outcomes.interactions`, without the sales that followed being shown within so many days; 0: all of them.

    With `kinds`, events and what one counts beside a day of purchase, there is a column `worth`, and below the sales
    a row for each act on an item that was sold (`weighed_acts`), left out like them where it followed.
    """
    table = interactions(source, as_of)
    if kinds and "events" in source.tables:
        acts = weighed_acts(item_acts(source, as_of, sorted(kinds)), kinds, dwell)
        sold = pc.is_in(acts["item_id"], value_set=table["item_id"].combine_chunks())
        table = pa.concat_tables([table, acts.filter(sold)], promote_options="default")
    if not leave_out_days:
        return table
    return table.filter(pa.array(~followed(table, exposures(source, as_of), leave_out_days)))


def weighed_acts(acts: pa.Table, kinds: Mapping[str, float], dwell: float) -> pa.Table:
    """What each row of `outcomes.item_acts` is worth: `user_id`, `item_id`, `day`, `worth`.

    That of its kind, times (seconds that day / the median of those of the kind above 0) to the power of `dwell`; the
    ratio is at least 0.1 and at most 10, as that of money spent is (`History.spend`), and 1 where no seconds are known.
    """
    event = np.asarray(acts["event"].combine_chunks().dictionary_encode().indices)
    names = acts["event"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    worth = np.array([kinds[name] for name in names], dtype=np.float64)[event]
    seconds = acts["dwell_seconds"].cast(pa.float64()).to_numpy()
    for kind in range(len(names)) if dwell else ():
        some = (event == kind) & (seconds >= 0)
        if (seconds[some] > 0).any():
            middle = np.median(seconds[some & (seconds > 0)])
            worth[some] *= np.clip(seconds[some] / middle, *_DWELL) ** dwell
    return acts.select(["user_id", "item_id", "day"]).append_column("worth", pa.array(worth))


def _rows(source: Source) -> pa.Table:
    everyone = source.everybody
    tables: list[pa.Table] = []
    if isinstance(everyone, StoreSource) and everyone.store.has("exposures"):
        store = everyone.store
        tables = [pq.read_table(store.bucket("exposures", k), columns=list(_WANTED)) for k in range(store.buckets)]
    elif isinstance(everyone, FramesSource) and "exposures" in everyone.frames:
        tables = [everyone.frames["exposures"].select(_WANTED)]
    return pa.concat_tables(tables) if tables else _NONE


def _numbered(sales: pa.Table, shown: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """One number for each row, of its pair of user and item and, last, its day."""
    everything = pa.chunked_array([*_pairs(sales).chunks, *_pairs(shown).chunks], pa.string())
    pair = np.asarray(everything.combine_chunks().dictionary_encode().indices).astype(np.int64) * _DAY_SHIFT
    day = np.concatenate([np.asarray(table["day"]).astype(np.int64) for table in (sales, shown)])
    both = pair + day
    return both[: sales.num_rows], both[sales.num_rows :]


def _pairs(table: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["user_id"], table["item_id"], "\x1f").cast(pa.string())


_NONE = pa.schema(
    [
        *((name, pa.string()) for name in _KEY[:3]),
        ("shown_at", pa.timestamp("us")),
        ("position", pa.float64()),
        ("clicked_at", pa.timestamp("us")),
        ("local_at", pa.timestamp("us")),
    ]
).empty_table()
