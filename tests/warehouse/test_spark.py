"""A Spark that cannot be had is told with what to do next; none of these tests starts one."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from warehouse.errors import NotReadyError, RepriseError
from warehouse.settings import parse_settings
from warehouse.spark import check_java, session

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install -e .[spark]")


def _java(folder: Path, version: str) -> None:
    """A Java that tells its version as Java does, on stderr."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-16' >&2\n")
    program.chmod(0o755)


@pytest.mark.parametrize(("version", "known"), [("17.0.15", 17), ("21.0.2", 21), ("25", 25)])
def test_a_java_that_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, known: int) -> None:
    _java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert check_java() == known


@pytest.mark.parametrize(("version", "told"), [("1.8.0_392", "is 8"), ("11.0.22", "is 11"), ("x", "is no Java")])
def test_a_java_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, told: str) -> None:
    _java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(NotReadyError, match=told) as raised:
        session("local-cluster[1,1,1024]")
    assert "openjdk-17-jre-headless" in str(raised.value)


def test_no_java_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(NotReadyError, match="needs Java, and there is none"):
        check_java()


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotReadyError, match=r"reprise-crm\[spark\]") as raised:
        session("sc://127.0.0.1:1/;token=secret")
    assert "secret" not in str(raised.value)


def test_a_server_that_does_not_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RepriseError, match=f"No Spark server answers at 127.0.0.1:{port}") as raised:
        session(f"sc://127.0.0.1:{port}/;token=secret")
    assert "start-connect-server" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas >= 3:FutureWarning")
def test_a_server_of_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RepriseError, match=f"What answers at 127.0.0.1:{port} is no Spark server"):
            session(f"sc://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "engine",
    ["duckdb", "sc://spark", "sc://10.0.0.1:15002", "sc://h:1/;token=a;use_ssl=true", "local-cluster[2,1,2048]"],
)
def test_engines_that_may_be_set(engine: str) -> None:
    assert parse_settings(f'engine = "{engine}"').engine == engine


def test_nothing_of_spark_is_loaded_where_nobody_asks_for_it() -> None:
    code = "import sys, pipeline.nightly, cli.main; print([m for m in sys.modules if m.split('.')[0] == 'pyspark'])"
    root = Path(__file__).resolve().parents[2]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"
