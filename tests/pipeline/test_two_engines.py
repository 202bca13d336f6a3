"""Online Retail counted and scored by DuckDB and by Spark: one release comes out of both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.main import call
from features.outcomes import interactions
from features.source import StoreSource
from models import recommenders
from models.recommenders.als import ALS
from models.recommenders.interactions import Interactions
from models.recommenders.suggesting import suggest
from pipeline import nightly
from serving.publication import current_directory
from serving.release import Release, open_release
from tests.conftest import CLUSTER
from training.als_on_spark import fit_als
from warehouse.store import Store
from warehouse.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Nothing of ours passes through pandas on Spark: rows come and go as Arrow.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas >= 3:FutureWarning"),
    pytest.mark.usefixtures("tracked"),
]
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "online_retail"
AS_OF = date(2011, 6, 11)
QUICK = """
[training]
max_cutoffs = 2
rounds = 20
bootstrap_draws = 100

[recommend]
models = ["popularity", "personal_frequency", "gp_topfreq", "bm25"]
"""


@dataclass(frozen=True)
class Both:
    """The same workspace twice, each with a release made by its engine."""

    by_duckdb: Path
    by_spark: Path

    def releases(self) -> tuple[Release, Release]:
        return tuple(open_release(current_directory(root / "releases"), canary=False) for root in vars(self).values())  # type: ignore[return-value]


@pytest.fixture(scope="module")
def both(spark: SparkSession, tracked: None, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Trained by DuckDB; scored by both with these models, Spark having to count the features itself."""
    files = sorted(FOLDER.glob("*.parquet"))
    if not files:
        pytest.skip("Online Retail is not there (../shared/data/online_retail)")
    folder = tmp_path_factory.mktemp("engines")
    here, there = folder / "duckdb", folder / "spark"
    assert call(["init", str(here), "--preset", "online-retail", "--orders", str(files[0]), "--yes"]) == 0
    with (here / "reprise.toml").open("a", encoding="utf-8") as settings:
        settings.write(QUICK)
    trained = nightly.run(Workspace.open(here), AS_OF, loaded_at=datetime(2012, 1, 1))
    assert trained.users > 2_500
    shutil.copytree(here, there, ignore=shutil.ignore_patterns("snapshots", "releases"))
    settings = there / "reprise.toml"
    settings.write_text(f'engine = "{CLUSTER}"\n' + settings.read_text(encoding="utf-8"), encoding="utf-8")
    nightly.score_now(Workspace.open(there), AS_OF, datetime(2012, 1, 1), lambda *told: None, lambda line: None)
    return Both(here, there)


def test_scores_agree(both: Both) -> None:
    one, other = (released(release) for release in both.releases())
    assert one.num_rows == other.num_rows > 10_000
    for name in ("user_id", "target", "horizon_days", "state", "as_of", "model_version"):
        assert one[name].equals(other[name]), name
    for name in ("probability", "percentile"):
        assert one[name].is_null().equals(other[name].is_null()), name
        np.testing.assert_allclose(other[name].drop_null(), one[name].drop_null(), rtol=0, atol=1e-9)


def test_features_agree(both: Both) -> None:
    one, other = (
        pq.read_table(next((root / "snapshots").rglob(f"{AS_OF}-all.parquet"))) for root in vars(both).values()
    )
    assert one.schema.equals(other.schema)
    for name in one.column_names:
        a, b = one[name].combine_chunks(), other[name].combine_chunks()
        assert a.is_null().equals(b.is_null()), name
        if pa.types.is_floating(a.type):
            x, y = a.drop_null().to_numpy(), b.drop_null().to_numpy()
            assert (np.abs(x - y) <= 1e-9 * np.maximum(1, np.abs(x))).all(), name
        else:
            assert a.equals(b), name


def test_suggestions_of_the_same_model_are_the_same(both: Both) -> None:
    one, other = both.releases()
    assert one.recommender == other.recommender
    shown = [suggestions(release).drop_columns(["release", "suggestion_id"]) for release in (one, other)]
    assert shown[0].num_rows > 10_000
    assert shown[0].equals(shown[1])


def test_factors_of_spark_serve_as_any_others(both: Both, spark: SparkSession, tmp_path: Path) -> None:
    held = Interactions.from_table(interactions(StoreSource(Store(Workspace.open(both.by_duckdb))), AS_OF), AS_OF)
    settings = {"factors": 16, "iterations": 5}
    model = fit_als(spark, ALS(**settings), held)
    recommenders.save(model, tmp_path / "model.npz")
    again = recommenders.load(tmp_path / "model.npz")
    people = held.user_ids.to_pylist()[:200]
    assert suggest(model, people, 10).equals(suggest(again, people, 10))
    here = recommenders.create("als", settings).fit(held)
    rows = np.arange(500)
    lists = [each.recommend(rows, 10).items for each in (model, here)]
    shared = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*lists, strict=True)])
    # Another start, another regularization of rare items: not the same lists, but the same taste.
    assert shared > 0.4


# The last: jobs without a session of SQL, such as those of ALS, look for what closed sessions were sent (Spark 4.3).
def test_a_server_counts_and_scores_the_same(both: Both, spark_port: int, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    shutil.copytree(both.by_duckdb, asked, ignore=shutil.ignore_patterns("snapshots", "releases"))
    settings = asked / "reprise.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f'engine = "sc://127.0.0.1:{spark_port}"\n' + text, encoding="utf-8")
    command = [sys.executable, "-m", "cli.main", "score", "-w", str(asked), "--as-of", str(AS_OF)]
    root = Path(__file__).resolve().parents[2]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK", "PYSPARK"))}
    told = subprocess.run(command, cwd=root, env=clean, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    one, _ = both.releases()
    other = open_release(current_directory(asked / "releases"), canary=False)
    np.testing.assert_allclose(
        released(other)["probability"].drop_null(), released(one)["probability"].drop_null(), rtol=0, atol=1e-9
    )


def released(release: Release) -> pa.Table:
    return pq.read_table(release.directory / "scores.parquet")


def suggestions(release: Release) -> pa.Table:
    return pq.read_table(release.directory / "suggestions.parquet")
