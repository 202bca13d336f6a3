"""Customers as they were on a date, with what they then did: the rows every model is made from.

Features of a cutoff are built once for all targets and horizons and kept as Parquet, by the fingerprint of the store
and of the code that builds them; label sets are counted once for each question.
"""

from __future__ import annotations

import hashlib
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from threading import Lock, RLock
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

import features
from features import rules
from features.building import build_features, encodings, write_features
from features.catalogue import by_name, families_of, modelled_families
from features.labels import labels_of
from features.outcomes import outcome_counts
from features.source import PEOPLE, Source, StoreSource, counted_by
from training import label_dates
from training.targets import Target
from warehouse.errors import NotReadyError, RepriseError
from warehouse.files import atomic_file, sweep
from warehouse.progress import Progress, silent
from warehouse.workspace import Workspace

KEPT_BYTES = 512 * 2**20
FOLDS = 5
_Key = tuple[date, frozenset[str] | None, bool]
"""A cutoff; the families that were built as of it, None for all; whether of those alone who are learnt from."""
COUNTED_BY = {"items", "categories", "channels", "min_amount"}
"""The settings of a target that decide what is counted; targets that differ in others share their labels."""


@dataclass(frozen=True)
class Sample:
    """The population of a question at one cutoff: a row of features for each customer, and y (0 or 1) beside it."""

    as_of: date
    table: pa.Table
    y: NDArray[np.float64]

    @property
    def n(self) -> int:
        return int(self.y.size)

    @property
    def positives(self) -> int:
        return int(self.y.sum())

    def usable(self, min_positives: int) -> bool:
        """Whether both classes are frequent enough to learn from or to judge on."""
        return usable(self.n, self.positives, min_positives)

    def narrowed(self, columns: Iterable[str]) -> Sample:
        """The same rows with some of the columns, those that are there, and the ids."""
        kept = ["entity_id", *(name for name in columns if name in self.table.column_names)]
        return Sample(self.as_of, self.table.select(kept), self.y)


def usable(n: int, positives: int, min_positives: int) -> bool:
    """Whether a sample has enough of both classes to learn from or to judge on."""
    return min(positives, n - positives) >= min_positives


@dataclass(frozen=True)
class Pool:
    """Samples of several cutoffs, one under the other; a customer may be in several of them.

    `folds` gives each row one of five numbers by its customer, so that nobody is on both sides of a fold.
    """

    table: pa.Table
    y: NDArray[np.float64]
    folds: NDArray[np.int64]


def pool(samples: Iterable[Sample], share: float = 1.0) -> Pool:
    """The rows of the samples in their order, of a random share of the customers; one sample is looked at at a time."""
    kept = [sample if share >= 1 else _of_customers(sample, share) for sample in samples]
    table = pa.concat_tables([sample.table for sample in kept], promote_options="permissive")
    return Pool(table, np.concatenate([sample.y for sample in kept]), fold_of(table.column("entity_id")))


def pooled_share(rows: int, positives: int, most_rows: int) -> float:
    """The share of the customers of a pool: all of them up to twice `most_rows` rows.

    A part is only taken as long as it holds half of `most_rows` positives: where they are rare, all rows stay, and
    it is the fit that samples negatives.
    """
    if rows <= 2 * most_rows:
        return 1.0
    return max(2 * most_rows / rows, min(1.0, most_rows / 2 / max(positives, 1)))


def _of_customers(sample: Sample, share: float) -> Sample:
    """The rows of a random share of the customers, the same ones at every cutoff."""
    ids = sample.table.column("entity_id").to_pylist()
    kept = np.array([zlib.crc32(f"part:{i}".encode()) < share * 2**32 for i in ids], dtype=bool)
    return Sample(sample.as_of, sample.table.filter(pa.array(kept)), sample.y[kept])


def fold_of(entity_ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number in 0 … 4 for each id, the same wherever the id appears."""
    return np.array([zlib.crc32(f"fold:{i}".encode()) % FOLDS for i in entity_ids.to_pylist()], dtype=np.int64)


@lru_cache(maxsize=1)
def _code_fingerprint() -> str:
    """Changes with any file that takes part in building features, so that no cache outlives its code."""
    folder = Path(next(iter(features.__path__)))
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".sql")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()[:8]


AnySource = TypeVar("AnySource", bound=Source)


class Snapshots:
    """Features and labels by cutoff; threads that train several targets at once share them.

    With a workspace they are kept on disk by the store's `fingerprint` and how rows are counted, and others are
    removed; without, they live in memory. Only `KEPT_BYTES` of tables are held at a time.

    Of very many customers a random part is learnt from and judged on, `learning`; it is chosen before their features
    are built. `features` are of everybody all the same.
    """

    def __init__(
        self,
        workspace: Workspace | None,
        source: Source,
        fingerprint: str = "memory",
        progress: Progress = silent,
        learning: Source | None = None,
    ) -> None:
        self.source = source
        self.learning = learning if learning is not None else source
        self.fingerprint = fingerprint
        self.progress = progress
        counted = f"{fingerprint}|{counted_by(source)}"
        self._folder = self._fresh_folder(workspace.snapshots, counted) if workspace else None
        self._tables: dict[_Key, pa.Table] = {}
        self.known: date | None = None
        self._hits: dict[tuple[date | None, date, int, str, str], pa.ChunkedArray] = {}
        self._samples: dict[_Question, Sample] = {}
        self._counts: dict[_Question, tuple[int, int]] = {}
        self._lock = RLock()
        self._building: dict[_Key, Lock] = {}

    @staticmethod
    def _fresh_folder(root: Path, fingerprint: str) -> Path:
        folder = root / f"{hashlib.sha256(fingerprint.encode()).hexdigest()[:16]}-{_code_fingerprint()}"
        folder.mkdir(parents=True, exist_ok=True)
        for other in root.iterdir():
            if other != folder and other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
        sweep(folder)
        return folder

    def features(self, as_of: date) -> pa.Table:
        """What models may read of each entity seen before `as_of`, a row each, sorted by `entity_id`; built once."""
        return self._built((as_of, self._modelled, False))

    def learnt_from(self, as_of: date) -> pa.Table:
        """The rows of `features(as_of)` of the customers that are learnt from; nobody else's are built."""
        return self._built((as_of, self._modelled, self._some))

    def everything(self, as_of: date) -> pa.Table:
        """The rows of `features(as_of)` with every feature there is, those that models do not read among them."""
        return self._built((as_of, None, False))

    @property
    def _modelled(self) -> frozenset[str]:
        return frozenset({*modelled_families(), *self.source.own.families})

    @property
    def _some(self) -> bool:
        return self.learning is not self.source

    def _built(self, key: _Key) -> pa.Table:
        with self._lock:
            if key in self._tables:
                return self._tables[key]
            building = self._building.setdefault(key, Lock())
        with building:
            found = self._tables.get(key)
            if found is None:
                found = self._read_or_build(key)
                with self._lock:
                    self._keep(key, found)
            return found

    def file(self, as_of: date) -> Path:
        """The Parquet file of `everything(as_of)`, which is not read for it; only with a workspace."""
        path = self._path((as_of, None, False))
        if path is None:
            raise RepriseError("Snapshots without a workspace have no files.")
        with self._lock:
            building = self._building.setdefault((as_of, None, False), Lock())
        with building:
            if not path.exists():
                self.progress(f"features as of {as_of}", 0)
                write_features(self.source, as_of, path)
        return path

    def _path(self, key: _Key) -> Path | None:
        as_of, families, some = key
        told = "all" if families is None else hashlib.sha256(" ".join(sorted(families)).encode()).hexdigest()[:8]
        told += "-learnt-from" if some else ""
        return self._folder / f"{as_of.isoformat()}-{told}.parquet" if self._folder else None

    def prepare(self, cutoffs: Iterable[date], threads: int) -> None:
        """Builds what is learnt from at several cutoffs, as many at once as there are threads; it is on disk then."""
        with ThreadPoolExecutor(threads) as workers:
            for _ in workers.map(self.learnt_from, sorted(set(cutoffs))):
                pass

    def _read_or_build(self, key: _Key) -> pa.Table:
        as_of, families, some = key
        path = self._path(key)
        if path is not None and path.exists():
            return pq.read_table(path)
        self.progress(f"features as of {as_of}", 0)
        table = build_features(self.learning if some else self.source, as_of, families=families)
        if path is not None:
            with atomic_file(path) as temporary:
                pq.write_table(table, temporary, compression="zstd", **encodings(table.column_names))
        return table

    def _keep(self, key: _Key, table: pa.Table) -> None:
        while self._tables and sum(t.nbytes for t in self._tables.values()) + table.nbytes > KEPT_BYTES:
            self._tables.pop(next(iter(self._tables)))
        self._tables[key] = table

    def _with_outcome(self, target: Target, horizon: int, as_of: date) -> pa.ChunkedArray:
        narrowed = target.settings.model_dump_json(include=COUNTED_BY)
        key = (self.known, as_of, horizon, target.counted, narrowed)
        if key not in self._hits:
            found = outcome_counts(self.learning, as_of, horizon, target.counted, target.settings, self.known)
            self._hits[key] = found.column("entity_id")
        return self._hits[key]

    def population(self, target: Target, horizon: int, as_of: date) -> pa.Table:
        """The rows of features of those learnt from whom the question is asked about on that day."""
        table = self.learnt_from(as_of)
        rule = rules.parse(target.population(horizon))
        return table.filter(pa.array(rules.evaluate(rule, self._asked(table, as_of, rules.fields_of(rule)))))

    def _asked(self, table: pa.Table, as_of: date, names: Iterable[str]) -> pa.Table:
        """The features of a cutoff, and beside them those that only a rule reads; their families are built for it."""
        absent = [name for name in names if name not in table.column_names]
        if families := frozenset(families_of(absent)):
            beside = self._built((as_of, families, self._some))
            for name in set(absent) & set(beside.column_names):
                table = table.append_column(name, beside[name])
        return table

    def as_known(self, day: date) -> Snapshots:
        """The same customers, with labels as far as they had been recorded before that day."""
        then = copy(self)
        then.known = day
        return then

    def sample(self, target: Target, horizon: int, as_of: date) -> Sample:
        """The population and what it did in `[as_of, as_of + horizon)`. Ask only for cutoffs whose label is known."""
        key = (self.known, as_of, horizon, target)
        with self._lock:
            found = self._sampled(key, target, horizon, as_of)
            self._counts[key] = found.n, found.positives
            return found

    def counted(self, target: Target, horizon: int, as_of: date) -> tuple[int, int]:
        """How many are in a sample, and how many of them with y = 1; the sample itself is not held for it."""
        key = (self.known, as_of, horizon, target)
        if key not in self._counts:
            self.sample(target, horizon, as_of)
        return self._counts[key]

    def pool(self, target: Target, horizon: int, cutoffs: Sequence[date], most_rows: int) -> Pool:
        """The rows of several cutoffs, in their order, of at most the share of customers that `pooled_share` says;
        `NotReadyError` where nobody is asked about in any."""
        counts = [self.counted(target, horizon, cutoff) for cutoff in cutoffs]
        rows, positives = (sum(column) for column in zip(*counts, strict=True))
        if not rows:
            raise NotReadyError(
                f"Nobody is in the population of {target.name} ({target.population(horizon)}) at any cutoff.",
                hint="It needs customers for whom the rule is true.",
            )
        share = pooled_share(rows, positives, most_rows)
        return pool((self.sample(target, horizon, cutoff) for cutoff in cutoffs), share)

    def labels(self, target: Target, horizon: int, as_of: date) -> pa.Table:
        """The closed rows of the labels table of a target, of those known on the day that this is about, sorted by
        date; days until something are counted from `as_of` where a label has no date."""
        found = labels_of(self.source, target.name, as_of, self.known)
        return label_dates.closed(found, target.name, horizon, self.known or date.max)

    def _labelled(self, target: Target, horizon: int, as_of: date) -> Sample:
        """The customers of a cutoff whose label is known, each once: with its first label, in the order of the file.

        What stands beside a label is of that label. Labels without dates say nothing of when things happened, so
        beside them only attributes are read: an order may be younger than the label.
        """
        labels = label_dates.members(self.labels(target, horizon, as_of), as_of, horizon)
        table = self.population(target, horizon, as_of)
        undated = labels.num_rows > 0 and labels["day"].null_count == labels.num_rows
        if undated:
            table = table.select(attributes_alone(table.column_names, self.source))
        _, first = np.unique(labels["entity_id"].to_numpy(zero_copy_only=False).astype(str), return_index=True)
        labels = labels.take(pa.array(np.sort(first)))
        place = pc.index_in(labels["entity_id"], value_set=table["entity_id"])
        labels, table = labels.filter(pc.is_valid(place)), table.take(pc.drop_null(place))
        for name in set(labels.column_names) & set(table.column_names) - {"entity_id"}:
            table = table.set_column(table.column_names.index(name), name, labels[name])
        return Sample(as_of, table, labels["y"].to_numpy().astype(np.float64))

    def _sampled(self, key: tuple[date | None, date, int, Target], target: Target, horizon: int, as_of: date) -> Sample:
        if key not in self._samples and target.of_labels:
            self._samples[key] = self._labelled(target, horizon, as_of)
        if key not in self._samples:
            table = self.population(target, horizon, as_of)
            hit = pc.is_in(table.column("entity_id"), value_set=self._with_outcome(target, horizon, as_of))
            y = np.asarray(hit.to_numpy(zero_copy_only=False), dtype=np.float64)
            while sum(sample.table.nbytes for sample in self._samples.values()) > KEPT_BYTES:
                self._samples.pop(next(iter(self._samples)))
            self._samples[key] = Sample(as_of, table, 1 - y if target.positive_when_absent else y)
        return self._samples[key]


_Question = tuple[date | None, date, int, Target]
"""A sample by what it is of: the day on which labels are known, the cutoff, the horizon, the target."""


def some(source: AnySource, at_most: int) -> AnySource:
    """The people of as many buckets as hold about `at_most` of them, at least of one: a random part, since buckets are
    a hash of the id. The source itself where there are no more, or where it has no buckets."""
    if not isinstance(source, StoreSource):
        return source
    people = max((source.store.manifest(name).entities for name in source.tables if name in PEOPLE), default=0)
    if people <= at_most:
        return source
    return replace(source, used=max(1, source.store.buckets * at_most // people))


def attributes_alone(columns: Iterable[str], source: Source) -> list[str]:
    """The columns that say what somebody is, not what somebody did: of users, beside labels, of static tables."""
    known = by_name()
    timeless = ("users", "labels", *source.static)
    own = {c.feature.name for table in source.own.tables if table.table in timeless for c in table.columns}
    return [
        name
        for name in columns
        if name == "entity_id" or name in own or (name in known and known[name].family == "attributes")
    ]


def parted(sample: Sample, kind: str) -> tuple[Sample, Sample]:
    """(trained on, judged) of the one sample of labels that no date parts: the last quarter of the file is judged, or
    a quarter of the customers at random."""
    if kind == "file":
        judged = np.arange(sample.n) >= round(0.75 * sample.n)
    else:
        ids = sample.table["entity_id"].to_pylist()
        judged = np.array([zlib.crc32(f"judged:{i}".encode()) % 4 == 0 for i in ids], dtype=bool)
    rest, last = (Sample(sample.as_of, sample.table.filter(pa.array(k)), sample.y[k]) for k in (~judged, judged))
    return rest, last


SnapshotsMaker = Callable[[Workspace], Snapshots]
