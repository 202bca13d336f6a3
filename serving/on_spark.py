"""Batch scoring on Spark: executors score batches of Arrow rows with the functions that score everywhere.

They are given the text of the models, as a release holds it, and read it as a release is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa

from serving.complements import Key, Model
from serving.release import load_models, write_models
from serving.schemas import SCORES
from serving.scoring import ranked, score

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TYPES = {pa.string(): "string", pa.int32(): "int", pa.float64(): "double", pa.date32(): "date"}
_COLUMNS = ", ".join(f"`{field.name}` {_TYPES[field.type]}" for field in SCORES)

Texts = Mapping[str, str]
"""Text files by their path below a folder."""


def score_on_spark(
    session: SparkSession, models: Mapping[Key, Model], features: Path, *, as_of: date, release: str
) -> pa.Table:
    """What `scoring.score` gives without a reference, for the features in a Parquet file that executors can read."""
    rows = session.read.parquet(f"file://{features.resolve()}")
    # One file of one row group would be one task.
    spread = rows.repartition("entity_id")
    scored = spread.mapInArrow(_batches_of(_texts(models), as_of, release), _COLUMNS).toArrow()
    return ranked(scored.select(SCORES.names).cast(SCORES))


def score_batches(
    texts: Texts, batches: Iterator[pa.RecordBatch], as_of: date, release: str
) -> Iterator[pa.RecordBatch]:
    """Long scores of batches of features, without percentiles: those need everybody."""
    models = _models(texts)
    for batch in batches:
        features = pa.Table.from_batches([batch])
        yield from score(models, features, as_of=as_of, release=release, reference={}).to_batches()


def _batches_of(
    texts: Texts, as_of: date, release: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What an executor runs. It finds our code by name, from the packages that it was given."""

    def scored(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from score_batches(texts, batches, as_of, release)

    return scored


def _texts(models: Mapping[Key, Model]) -> Texts:
    with TemporaryDirectory(prefix="reprise-models-") as folder:
        write_models(Path(folder), models)
        files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes().decode("utf-8") for path in files}


def _models(texts: Texts) -> dict[Key, Model]:
    with TemporaryDirectory(prefix="reprise-models-") as folder:
        for name, text in texts.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8"))
        return load_models(Path(folder))
