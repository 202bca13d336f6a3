"""A small workspace and a frame of customers made so that every count is known."""

import os
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audiences.audience import build_audience
from audiences.expecting import Scored
from warehouse.settings import AudienceSettings, Settings
from warehouse.workspace import Workspace

AS_OF = date(2011, 6, 11)
NOW = datetime(2011, 6, 11, 2, 0)
CHURN = Scored("churn", 30, "", "churn-1")


@pytest.fixture
def memory_path(tmp_path):
    """A folder in memory where there is such a thing: hundreds of builds wait for no disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(prefix="reprise-", dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def shop(tmp_path):
    return shop_at(tmp_path)


@pytest.fixture
def shop_in_memory(memory_path):
    return shop_at(memory_path)


def shop_at(tmp_path):
    """`build(**settings)` makes an audience; `suppress(text)` writes the list one hour before NOW."""

    def workspace():
        listed = {"file": "nobody.csv"} if (tmp_path / "nobody.csv").exists() else {}
        return Workspace(tmp_path, Settings.model_validate({"suppression": listed}))

    def suppress(text, hours=1.0, name="nobody.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        written = NOW.replace(tzinfo=UTC).timestamp() - hours * 3600
        os.utime(path, (written, written))
        return path

    def build(frame, rule="everyone", name="spring", keywords=None, **settings):
        declared = AudienceSettings.model_validate({"rule": rule, **settings})
        scores = (CHURN,) if CHURN.probability in frame.column_names else ()
        given = {"as_of": AS_OF, "release": "r1", "now": NOW, "scores": scores, **(keywords or {})}
        return build_audience(workspace(), name, frame, declared, **given)

    return SimpleNamespace(root=tmp_path, suppress=suppress, build=build, workspace=workspace)


@pytest.fixture
def frame():
    """1,000 customers 0000 … 0999; churn_probability is i / 1000."""
    i = np.arange(1000)
    return pa.table(
        {
            "entity_id": [f"{one:04d}" for one in i],
            "churn_probability": i / 1000,
            "churn_percentile": i / 10,
            "order_count_lifetime": (i % 7).astype(float),
        }
    )


def members(report):
    """The customers of an audience as they were written."""
    return pq.read_table(report.folder / "audience.parquet").column("user_id").to_pylist()


def bytes_of(folder):
    """The files of a folder by their names."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
