"""What docs/scale.md tells to write and to type is understood. Run it is not: a cluster takes half a minute to start, a
million customers an hour; tests/pipeline/test_two_engines.py runs on Spark, tests/benchmarks/test_pipeline.py small."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from benchmarks import engines, knowing, pipeline
from warehouse.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


class Understood(Exception):  # noqa: N818 - no error: the benchmark would begin now
    pass


def blocks(kind: str) -> list[str]:
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for each, text in found if each == kind]


def test_the_engines_are_settings() -> None:
    (block,) = blocks("toml")
    lines = [line.removeprefix("# ") for line in block.splitlines()]
    told = [Settings.model_validate(tomllib.loads(line)).engine for line in (*lines, 'engine = "duckdb"')]
    assert told == ["sc://spark.example.org:15002", "local-cluster[2,1,2048]", "duckdb"]
    assert 'set `engine = "duckdb"`' in PAGE


def test_the_settings_it_names_are_there() -> None:
    named = re.findall(r"`(training)\.(\w+)`", PAGE)
    assert set(named) == {("training", "max_rows"), ("training", "max_customers")}
    for section, name in named:
        assert hasattr(getattr(Settings(), section), name)
    assert "`memory_limit`" in PAGE
    assert Settings().memory_limit


def test_the_benchmarks_take_these_options(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(*_: object) -> None:
        raise Understood

    monkeypatch.setattr(pipeline, "run", begin)
    monkeypatch.setattr(engines, "session", begin)
    monkeypatch.setattr(knowing.Workspace, "open", begin)
    commands = re.findall(r"python -m benchmarks\.(\w+)([^`\n]*)", PAGE)
    assert {name for name, _ in commands} == {"pipeline", "engines", "knowing"}
    (steps,) = re.findall(r"`(--steps [^`]+)`", PAGE)
    for name, options in [*commands, ("pipeline", steps)]:
        monkeypatch.setattr(sys, "argv", [name, *shlex.split(options)])
        with pytest.raises(Understood):
            {"pipeline": pipeline, "engines": engines, "knowing": knowing}[name].main()


def test_the_server_can_be_started_so() -> None:
    (shell,) = [text for text in blocks("") if "SPARK_HOME" in text]
    assert subprocess.run(["bash", "-n"], input=shell, text=True, check=False).returncode == 0
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed: pip install -e .[spark]")
    (script,) = re.findall(r"\$SPARK_HOME/(\S+)", shell)
    assert (Path(pyspark.__file__).parent / script).is_file()


def test_what_it_points_at_is_there() -> None:
    for path in re.findall(r"`(tests/[\w/]+\.py)`", PAGE):
        assert (ROOT / path).is_file()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert re.findall(r"reprise-crm\[(\w+)\]", PAGE)[0] in extras
