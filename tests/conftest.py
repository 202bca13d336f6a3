"""What tests of several packages share: one Spark, since it takes half a minute to start, and a PostgreSQL server."""

from __future__ import annotations

import importlib.util
import os
import socket
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from warehouse.errors import NotReadyError
from warehouse.spark import check_java, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CLUSTER = "local-cluster[2,1,2048]"
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Code that runs for a minute is not worth the second compiler, nor a small heap the collector with threads."""

# Two processes of tests share the machine with Spark's: how long one example takes tells nothing.
settings.register_profile("reprise", deadline=None)
settings.load_profile("reprise")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first: begun last, one process would work on it when the others are done."""
    first = ("spark", "tests/cli", "tests/pipeline")
    groups = {item: _group(item.nodeid) for item in items}
    items.sort(
        key=lambda item: next((n for n, start in enumerate(first) if groups[item].startswith(start)), len(first))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Several processes share the tests by `_group`, in the order of collection."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        _split_scope = staticmethod(_group)

    config.option.loadscopereorder = False
    return Groups(config, log)


def _group(nodeid: str) -> str:
    """Tests of one group are run by one process, so that what is dear to make is made once: those of a file, all that
    need Spark, and all that need the workspace of `tests/cli`."""
    file = nodeid.split("::")[0]
    if file.startswith("tests/cli/"):
        return "tests/cli"
    return "spark" if _needs_spark(file) else file


@cache
def _needs_spark(file: str) -> bool:
    return "SparkSession" in (Path(__file__).parents[1] / file).read_text(encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def spark_port() -> int:
    """Where the cluster of `spark` also answers as a server of Spark Connect."""
    return _free_port()


@pytest.fixture(scope="session")
def spark(spark_port: int) -> SparkSession:
    """Two workers in processes of their own, which answer over the network too."""
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install -e .[spark]")
    try:
        check_java()
    except NotReadyError as error:
        pytest.skip(f"no Spark without Java: {error.message} apt-get install openjdk-17-jre-headless")
    given = os.environ.get("PYSPARK_SUBMIT_ARGS")
    settings = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": spark_port,
        # What a server sets for itself: what a client sends belongs to its session alone.
        "spark.sql.artifact.isolation.enabled": "true",
        # To compile each of hundreds of small queries, or to plan it anew after each step, takes longer than to run it.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.driver.extraJavaOptions": JAVA,
        "spark.executor.extraJavaOptions": JAVA,
    }
    told = " ".join(f"--conf '{name}={value}'" for name, value in settings.items())
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"{told} pyspark-shell"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = session(CLUSTER)
            # One for each worker: the rows are few, and every further piece of a table is a task more.
            opened.conf.set("spark.sql.shuffle.partitions", "2")
    finally:
        if given is None:
            del os.environ["PYSPARK_SUBMIT_ARGS"]
        else:
            os.environ["PYSPARK_SUBMIT_ARGS"] = given
    return opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as the tests; skips where there is none to install."""
    spec = importlib.util.spec_from_file_location("postgres_server", Path(__file__).parent / "postgres_server.py")
    assert spec is not None
    assert spec.loader is not None
    server = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(server)
    folder = server.install()
    if folder is None:
        pytest.skip("PostgreSQL is not installed, and only root may install it: apt-get install postgresql")
    with server.running(folder) as address:
        yield address
