"""Sessions of Spark: a server that is asked over the network (`sc://`), or a cluster of this machine (`local-cluster`).

The names of our shims are the same on every engine, so that a SQL file runs unchanged on each. pyspark is loaded only
here and only when a workspace asks for it.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir, mkdtemp
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from warehouse.errors import NotReadyError, RepriseError
from warehouse.hidden import show

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]")
OLDEST_JAVA = 17
DEFAULT_PORT = 15002
_ANSWER_SECONDS = 5.0
_HOME = "reprise-spark-"
_SHIPPED = ("warehouse", "features", "models", "audiences", "serving")
_ROOT = Path(__file__).resolve().parent.parent

# Times of the store have no zone, and no engine may give them one. A division by zero or an overflow is an error, never
# silently NULL: the SQL files rule out both.
_SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    # While it is on, keeping a table clones the session, and when the clone is collected the packages that were sent to
    # the server are deleted with it: executors that come later do not find them (Spark 4.3).
    "spark.sql.sources.bucketing.autoBucketedScan.enabled": "false",
}
_SHIMS = (
    "days_between(earlier timestamp_ntz, later timestamp_ntz) returns double "
    "return timestampdiff(microsecond, earlier, later) / 8.64e10d",
    "day_number(moment timestamp_ntz) returns bigint return cast(unix_date(cast(moment as date)) as bigint)",
    # Groups and joins only, so its numbers need not be those of the other engine.
    "key_of(id string) returns bigint return case when id is not null then xxhash64(id) end",
    "iso_dow(moment timestamp_ntz) returns int return weekday(cast(moment as date)) + 1",
    "rounded(number double, digits int) returns double "
    "return floor(number * power(10, digits) + 0.5d) / power(10, digits)",
)
_OPENED: dict[str, SparkSession] = {}
_OPENING = Lock()
_LOGGING = """
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = Spark: %m%n
"""


def session(engine: str, memory_limit: str = "1GB") -> SparkSession:
    """The session of an engine such as `sc://host:15002` or `local-cluster[2,1,2048]`, opened once for a process.

    A local cluster has that many workers with so many cores and MB each, in processes of their own, bound to this
    machine; `memory_limit` is for the process that leads it. `NotReadyError` where pyspark or Java are missing or too
    old, `RepriseError` where a server does not answer.
    """
    with _OPENING:
        if engine not in _OPENED:
            _OPENED[engine] = _open(engine, memory_limit)
        return _OPENED[engine]


def check(engine: str) -> str:
    """What stands ready for an engine, in words, found in seconds and without a session; raises as `session` does."""
    _needs_pyspark(engine)
    if engine.startswith("sc://"):
        show()
        _channel(engine)
        return "a server answers"
    return f"Java {check_java()}"


def _open(engine: str, memory_limit: str) -> SparkSession:
    _needs_pyspark(engine)
    show()
    # Nothing of ours passes through pandas on Spark: rows come and go as Arrow.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas >= 3", FutureWarning)
    opened = _of_server(engine) if engine.startswith("sc://") else _of_cluster(engine, memory_limit)
    for name, value in _SESSION.items():
        opened.conf.set(name, value)
    for shim in _SHIMS:
        opened.sql(f"create or replace temporary function {shim}")
    return opened


def _needs_pyspark(engine: str) -> None:
    if importlib.util.find_spec("pyspark") is None:
        raise NotReadyError(
            f"The engine {without_secrets(engine)} needs pyspark, which is not installed.",
            hint='Install the extra: pip install "reprise-crm[spark]"; or set engine = "duckdb".',
        )


def _channel(engine: str) -> tuple[str, int]:
    """Host and port of a server that was asked, and answered as Spark Connect does (gRPC)."""
    address = urlsplit(engine)
    host, port = address.hostname or "", address.port or DEFAULT_PORT
    try:
        # Asked before Spark's client is, which would go on trying for minutes.
        socket.create_connection((host, port), _ANSWER_SECONDS).close()
    except OSError as error:
        raise RepriseError(
            f"No Spark server answers at {host}:{port} ({error}).",
            hint="Start one there (sbin/start-connect-server.sh of Spark 4), mend engine in reprise.toml, or set it to "
            '"duckdb".',
        ) from error
    import grpc
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client import DefaultChannelBuilder

    try:
        channel = DefaultChannelBuilder(engine).toChannel()
        grpc.channel_ready_future(channel).result(_ANSWER_SECONDS)
        channel.close()
    except (PySparkException, grpc.FutureTimeoutError, grpc.RpcError) as error:
        raise _no_spark(host, port, error) from error
    return host, port


def _no_spark(host: str, port: int, error: Exception) -> RepriseError:
    import grpc

    silent = isinstance(error, grpc.FutureTimeoutError)
    told = f"no answer within {_ANSWER_SECONDS:.0f} seconds" if silent else _first_line(error)
    return RepriseError(
        f"What answers at {host}:{port} is no Spark server we can use: {told}",
        hint="It must speak Spark Connect, version 4 or later; a token is given as sc://host:port/;token=….",
    )


def _of_server(engine: str) -> SparkSession:
    host, port = _channel(engine)
    import grpc
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    try:
        opened = SparkSession.builder.remote(engine).getOrCreate()
        version = opened.version
    except (PySparkException, grpc.RpcError) as error:
        raise _no_spark(host, port, error) from error
    if int(version.split(".")[0]) < 4:
        opened.stop()
        raise NotReadyError(f"The server at {host}:{port} is Spark {version}.", hint="Use Spark 4 or later.")
    if opened.conf.get("spark.sql.artifact.isolation.enabled", "false") != "true":
        opened.stop()
        raise NotReadyError(
            f"The server at {host}:{port} shares what is sent to it among its sessions, and ours ends before theirs.",
            hint="Start it with sbin/start-connect-server.sh, or with spark.sql.artifact.isolation.enabled=true.",
        )
    with TemporaryDirectory(prefix="reprise-") as folder:
        opened.addArtifacts(_zipped(Path(folder)), pyfile=True)
    atexit.register(opened.stop)
    return opened


def _zipped(folder: Path) -> str:
    """Our packages that executors need, in one file: a server has none of ours.

    Its name tells its content, for a server takes no second content under one name, whoever sends it.
    """
    digest = hashlib.sha256()
    written = folder / "packages.zip"
    with ZipFile(written, "w", ZIP_DEFLATED) as packed:
        for package in _SHIPPED:
            for file in sorted((_ROOT / package).rglob("*.py")):
                name, content = str(file.relative_to(_ROOT)), file.read_bytes()
                digest.update(name.encode() + content)
                packed.writestr(ZipInfo(name), content)
    return str(written.rename(folder / f"reprise_{digest.hexdigest()[:16]}.zip"))


def _of_cluster(engine: str, memory_limit: str) -> SparkSession:
    found = LOCAL_CLUSTER.fullmatch(engine)
    if found is None:
        allowed = 'Write "duckdb", sc://host:port or local-cluster[2,1,2048].'
        raise RepriseError(f'"{without_secrets(engine)}" is no engine.', hint=allowed)
    workers, cores, megabytes = (int(number) for number in found.groups())
    check_java()
    home = _home()
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(engine).appName("reprise")
    for name, value in {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": memory_limit.lower().removesuffix("b"),
        "spark.driver.maxResultSize": "0",
        # The rest of a worker's memory is for its Python.
        "spark.executor.memory": f"{max(512, megabytes * 3 // 4)}m",
        "spark.executorEnv.PYTHONPATH": os.pathsep.join([str(_ROOT), *_given("PYTHONPATH")]),
        "spark.local.dir": str(home / "spill"),
        "spark.sql.shuffle.partitions": str(2 * workers * cores),
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }.items():
        builder = builder.config(name, value)
    opened = builder.getOrCreate()

    def close() -> None:
        opened.stop()
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(close)
    return opened


def check_java() -> int:
    """The version of the Java that Spark would start; `NotReadyError` where there is none or it is too old."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    hint = 'Install Java 17 or 21 (Debian: apt-get install openjdk-17-jre-headless), or set engine = "duckdb".'
    try:
        told = subprocess.run(
            [java or "java", "-version"], capture_output=True, text=True, check=False, timeout=_ANSWER_SECONDS
        ).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotReadyError(
            f"A local cluster of Spark needs Java, and there is none ({java or 'java'}).", hint=hint
        ) from error
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    version = int(found[1]) if found else 0
    if version < OLDEST_JAVA:
        raise NotReadyError(f"Spark needs Java {OLDEST_JAVA} or later; {java} is {version or 'no Java'}.", hint=hint)
    return version


def _home() -> Path:
    """A folder that stands for Spark's own: its programs are linked, and what workers write stays in it."""
    import pyspark

    package = Path(pyspark.__file__).parent
    _sweep()
    home = Path(mkdtemp(prefix=f"{_HOME}{os.getpid()}-"))
    for name in ("bin", "jars", "python", "sbin"):
        (home / name).symlink_to(package / name)
    (home / "conf").mkdir()
    (home / "conf" / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    os.environ |= {
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(home / "conf"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    return home


def _sweep() -> None:
    """Removes what killed processes left behind."""
    for left in Path(gettempdir()).glob(f"{_HOME}*-*"):
        owner = left.name.removeprefix(_HOME).split("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)


def without_secrets(engine: str) -> str:
    """The address of an engine without what follows it: a token may."""
    return engine.split(";")[0]


def _given(variable: str) -> list[str]:
    return [os.environ[variable]] if os.environ.get(variable) else []


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
