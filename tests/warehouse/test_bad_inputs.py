"""Bad files, each loaded over the command line, and the whole of what is said of it: tests/bad_inputs/expected.toml."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.main import call

FILES = Path(__file__).parents[1] / "bad_inputs"
CASES: dict[str, dict[str, Any]] = tomllib.loads((FILES / "expected.toml").read_text(encoding="utf-8"))
NOT_THERE = "orders-nowhere.csv"


_DO = (
    "Mend", "Set ", "set ", "Write", "Name it", "Remove", "remove", "Fill it in", "Rename", "Close it", "Check",
    "Quote", "Copy", "Convert", "Leave", "Save", "Correct", "Find out", "Take it out", "Add it", "Format", "Say how",
    "A discount is",
)  # fmt: skip
"""How what is to be done begins."""


def _check(root: Path, name: str, settings: str) -> int:
    table = name.partition("-")[0]
    files = f"[tables.{table}]\nfiles = [{json.dumps(str(FILES / name))}]\n"
    (root / "reprise.toml").write_text(f'time_zone = "UTC"\n{files}{settings}\n', encoding="utf-8")
    return call(["-w", str(root), "check"])


def test_there_are_sixty_and_more_and_no_file_stands_there_for_nothing() -> None:
    assert len(CASES) >= 60
    assert {path.name for path in FILES.iterdir() if path.suffix not in (".toml", ".py")} - {"__pycache__"} == (
        CASES.keys() - {NOT_THERE}
    )


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_a_bad_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    code = _check(tmp_path, name, case.get("settings", ""))
    said = capsys.readouterr()
    assert (said.out + said.err).replace(f"{FILES}/", "") == case["says"]
    assert code == case.get("exit", 3)
    if code:
        assert not (tmp_path / "store" / "current.json").exists()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.get("exit", 3)])
def test_each_names_the_file_and_the_place_and_what_to_do(name: str) -> None:
    told = CASES[name]["says"].splitlines()[1:]
    for line in told:
        if name == NOT_THERE:
            continue
        assert line.startswith(f"  {name}")
        _, expected, fix = line.partition("; expected ")
        assert expected
        assert any(word in fix for word in _DO), fix
