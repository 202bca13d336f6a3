"""Customers as they were on a date, with what they then did: the rows every model is made from.

Features of a cutoff are built once for all targets and horizons and kept as Parquet, by the fingerprint of the store
and of the code that builds them; label sets are counted once for each question.
"""

from __future__ import annotations

import hashlib
import shutil
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from threading import Lock, RLock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

import features
from features import rules
from features.building import build_features, encodings
from features.catalogue import by_name, families_of, modelled_families
from features.labels import labels_of
from features.outcomes import outcome_counts
from features.source import Source
from training import label_dates
from training.targets import Target
from warehouse.errors import NotReadyError, RepriseError
from warehouse.files import atomic_file
from warehouse.progress import Progress, silent
from warehouse.workspace import Workspace

KEPT_BYTES = 512 * 2**20
FOLDS = 5
_Key = tuple[date, frozenset[str] | None]
"""A cutoff and the families that were built as of it; None for all there are."""
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
        return min(self.positives, self.n - self.positives) >= min_positives


@dataclass(frozen=True)
class Pool:
    """Samples of several cutoffs, one under the other; a customer may be in several of them.

    `folds` gives each row one of five numbers by its customer, so that nobody is on both sides of a fold.
    """

    table: pa.Table
    y: NDArray[np.float64]
    folds: NDArray[np.int64]


def pool(samples: Iterable[Sample], most_rows: int | None = None) -> Pool:
    """All rows of the samples in their order; beyond twice `most_rows`, those of a random part of the customers.

    A part is only taken as long as it holds half of `most_rows` positives: where they are rare, all rows stay, and
    it is the fit that samples negatives.
    """
    given = list(samples)
    rows, positives = sum(sample.n for sample in given), sum(sample.positives for sample in given)
    if most_rows is not None and rows > 2 * most_rows:
        share = max(2 * most_rows / rows, min(1.0, most_rows / 2 / max(positives, 1)))
        given = [_of_customers(sample, share) for sample in given]
    table = pa.concat_tables([sample.table for sample in given], promote_options="permissive")
    return Pool(table, np.concatenate([sample.y for sample in given]), fold_of(table.column("entity_id")))


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


class Snapshots:
    """Features and labels by cutoff; threads that train several targets at once share them.

    With a workspace they are kept on disk under the store's `fingerprint`, and those of other fingerprints are
    removed; without, they live in memory. Only `KEPT_BYTES` of tables are held at a time.
    """

    def __init__(
        self,
        workspace: Workspace | None,
        source: Source,
        fingerprint: str = "memory",
        progress: Progress = silent,
    ) -> None:
        self.source = source
        self.fingerprint = fingerprint
        self.progress = progress
        self._folder = self._fresh_folder(workspace.snapshots, fingerprint) if workspace else None
        self._tables: dict[_Key, pa.Table] = {}
        self.known: date | None = None
        self._hits: dict[tuple[date | None, date, int, str, str], pa.ChunkedArray] = {}
        self._samples: dict[tuple[date | None, date, int, Target], Sample] = {}
        self._lock = RLock()
        self._building: dict[_Key, Lock] = {}

    @staticmethod
    def _fresh_folder(root: Path, fingerprint: str) -> Path:
        folder = root / f"{fingerprint[:16]}-{_code_fingerprint()}"
        folder.mkdir(parents=True, exist_ok=True)
        for other in root.iterdir():
            if other != folder and other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
        for left in folder.glob(".writing-*"):
            left.unlink(missing_ok=True)
        return folder

    def features(self, as_of: date) -> pa.Table:
        """What models may read of each entity seen before `as_of`, a row each, sorted by `entity_id`; built once."""
        return self._built(as_of, frozenset({*modelled_families(), *self.source.own.families}))

    def everything(self, as_of: date) -> pa.Table:
        """The same rows with every feature there is, those that models do not read among them."""
        return self._built(as_of, None)

    def _built(self, as_of: date, families: frozenset[str] | None) -> pa.Table:
        key = (as_of, families)
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
        """The Parquet file of `everything(as_of)`; only with a workspace."""
        self.everything(as_of)
        path = self._path((as_of, None))
        if path is None:
            raise RepriseError("Snapshots without a workspace have no files.")
        return path

    def _path(self, key: _Key) -> Path | None:
        as_of, families = key
        told = "all" if families is None else hashlib.sha256(" ".join(sorted(families)).encode()).hexdigest()[:8]
        return self._folder / f"{as_of.isoformat()}-{told}.parquet" if self._folder else None

    def prepare(self, cutoffs: Iterable[date], threads: int) -> None:
        """Builds the features of several cutoffs, as many at once as there are threads; they are on disk then."""
        with ThreadPoolExecutor(threads) as workers:
            for _ in workers.map(self.features, sorted(set(cutoffs))):
                pass

    def _read_or_build(self, key: _Key) -> pa.Table:
        as_of, families = key
        path = self._path(key)
        if path is not None and path.exists():
            return pq.read_table(path)
        self.progress(f"features as of {as_of}", 0)
        table = build_features(self.source, as_of, families=families)
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
            found = outcome_counts(self.source, as_of, horizon, target.counted, target.settings, self.known)
            self._hits[key] = found.column("entity_id")
        return self._hits[key]

    def population(self, target: Target, horizon: int, as_of: date) -> pa.Table:
        """The rows of features of those the question is asked about on that day."""
        table = self.features(as_of)
        rule = rules.parse(target.population(horizon))
        return table.filter(pa.array(rules.evaluate(rule, self._asked(table, as_of, rules.fields_of(rule)))))

    def _asked(self, table: pa.Table, as_of: date, names: Iterable[str]) -> pa.Table:
        """The features of a cutoff, and beside them those that only a rule reads; their families are built for it."""
        absent = [name for name in names if name not in table.column_names]
        if families := frozenset(families_of(absent)):
            beside = self._built(as_of, families)
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
            return self._sampled(key, target, horizon, as_of)

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

    def samples(self, target: Target, horizon: int, cutoffs: Iterable[date]) -> list[Sample]:
        """The samples of several cutoffs, in their order; `NotReadyError` where nobody is asked about in any."""
        found = [self.sample(target, horizon, cutoff) for cutoff in cutoffs]
        if not any(sample.n for sample in found):
            raise NotReadyError(
                f"Nobody is in the population of {target.name} ({target.population(horizon)}) at any cutoff.",
                hint="It needs customers for whom the rule is true.",
            )
        return found


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
