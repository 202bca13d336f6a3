"""The command line: common options anywhere, exit codes, errors without tracebacks."""

import json
from pathlib import Path

import pytest

from cli.main import COMMANDS, call, hoisted

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-w", "here", "--json", "models", "list"],
        ["models", "-w", "here", "list", "--json"],
        ["models", "list", "--json", "-w", "here"],
    ],
)
def test_common_options_stand_anywhere(arguments: list[str]) -> None:
    moved = hoisted(arguments)
    assert moved[-2:] == ["models", "list"]
    assert sorted(moved[:-2]) == ["--json", "-w", "here"]


def test_what_follows_two_dashes_is_left_alone() -> None:
    assert hoisted(["explain", "--", "--json"]) == ["explain", "--", "--json"]


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(noun in told for noun in COMMANDS)
    for noun in COMMANDS:
        assert call([noun, "--help"]) == 0


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--nonsense"], ["export", "nothing", "--out", "x.csv"]])
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_no_workspace_is_said_in_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["check", "--json", "-w", str(tmp_path)]) == 2
    told = json.loads(capsys.readouterr().out)
    assert "no reprise.toml" in told["error"]["message"]


def test_nothing_published_exits_with_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reprise.toml").write_text('time_zone = "UTC"\n')
    assert call(["-w", str(tmp_path), "recommend", "somebody"]) == 4
    assert "reprise run" in capsys.readouterr().err


def test_bad_data_exits_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "orders.csv").write_text(
        "user_id,ordered_at,amount\nu1,2020-01-01,12\nu2,yesterday,3\nu3,2020-01-02,lots\n"
    )
    assert call(["init", str(tmp_path / "w"), "--orders", str(tmp_path / "orders.csv"), "--yes"]) in (0, 3)
    capsys.readouterr()
    if (tmp_path / "w" / "reprise.toml").exists():
        assert call(["check", "-w", str(tmp_path / "w")]) == 3
        told = capsys.readouterr().err
        assert "line 3" in told
        assert "line 4" in told


def test_a_bad_day_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reprise.toml").write_text('time_zone = "UTC"\n')
    assert call(["-w", str(tmp_path), "run", "--as-of", "soon"]) == 2
    assert '"soon" is not a date' in capsys.readouterr().err
