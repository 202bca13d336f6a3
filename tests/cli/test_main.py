"""The command line: common options anywhere, exit codes, errors without tracebacks."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.main import COMMANDS, call, hoisted
from cli.session import Session, Told

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


@pytest.mark.parametrize("noun", COMMANDS)
def test_a_workspace_may_be_called_like_a_command(noun: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(noun).mkdir()
    Path(noun, "reprise.toml").write_text('time_zone = "UTC"\n')
    assert call(["recommend", "somebody", "-w", noun]) == 4
    assert call(["-w", noun, "explain", noun]) == 4


def test_what_follows_two_dashes_is_left_alone() -> None:
    assert hoisted(["explain", "--", "--json"]) == ["explain", "--", "--json"]


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(noun in told for noun in COMMANDS)
    for noun in COMMANDS:
        assert call([noun, "--help"]) == 0


@pytest.mark.parametrize("noun", [[], ["features"], ["models"], ["segments"], ["benchmark"]])
def test_what_a_command_does_fits_one_line(
    noun: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call([*noun, "--help"]) == 0
    told = capsys.readouterr().out
    assert "..." not in told.partition("Commands:")[2]
    assert all(len(line) <= 80 for line in told.splitlines())


def test_commands_stand_in_the_order_of_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--help"]) == 0
    told = capsys.readouterr().out.partition("Commands:")[2].partition("\n\n")[0]
    assert tuple(line.split()[0] for line in told.strip().splitlines()) == COMMANDS


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


def test_without_a_terminal_what_is_unclear_is_an_error_and_with_yes_assumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    (tmp_path / "orders.csv").write_text("customer_id,member_id,date,amount\na,b,03/04/2021,1\n")
    command = ["init", str(tmp_path / "w"), "--orders", str(tmp_path / "orders.csv")]
    assert call(command) == 2
    told = capsys.readouterr().err
    assert "There is no terminal to ask on: Times in orders have no zone." in told
    assert "--yes, which takes UTC" in told
    assert not (tmp_path / "w").exists()
    assert call([*command, "--yes"]) == 0
    told = capsys.readouterr().out
    settings = (tmp_path / "w" / "reprise.toml").read_text(encoding="utf-8")
    for assumed in ("time zone UTC", "customer_id (it might be member_id)", "%d/%m/%Y (it might be %m/%d/%Y)"):
        assert assumed in told
        assert assumed in settings


@pytest.mark.parametrize(
    ("folder", "made"),
    [([], "."), (["w"], "w"), (["-w", "w"], "w"), (["w", "-w", "w"], "w"), (["w", "-w", "./w"], "w")],
)
def test_init_makes_the_workspace_where_it_is_told(
    folder: list[str], made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text("user_id,ordered_at,amount\na,2021-03-04,1\n")
    assert call(["init", *folder, "--orders", "orders.csv", "--yes"]) == 0
    assert Path(made, "reprise.toml").is_file()
    *_, following = capsys.readouterr().out.splitlines()
    assert following.startswith("next: reprise ")
    assert call([*following.split()[2:-1], "check"]) == 0


def test_init_is_not_told_two_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text("user_id,ordered_at,amount\na,2021-03-04,1\n")
    assert call(["init", "one", "-w", "two", "--orders", "orders.csv", "--yes"]) == 2
    assert "Two folders are named: one, and two after -w." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]


def test_labels_alone_are_checked_and_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("target,user_id,y\ncontract,u1,1\ncontract,u2,0\n")
    assert call(["init", "w", "--labels", "labels.csv", "--yes"]) == 0
    *_, following = told = capsys.readouterr().out.splitlines()
    assert following == "next: reprise -w w run"
    [note] = [line for line in told if line.startswith("note: ")]
    assert "# " + note in Path("w", "reprise.toml").read_text(encoding="utf-8").splitlines()
    assert call(["-w", "w", "check"]) == 0
    assert call(["-w", "w", "features", "build"]) == 0
    for work in (["score"], ["backtest", "contract"]):
        assert call(["-w", "w", *work]) == 4
        assert "It needs" in capsys.readouterr().err or work == ["score"]


def test_a_bad_day_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reprise.toml").write_text('time_zone = "UTC"\n')
    assert call(["-w", str(tmp_path), "run", "--as-of", "soon"]) == 2
    assert '"soon" is not a date' in capsys.readouterr().err


def test_a_wrong_command_line_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--json", "export", "scores"]) == 2
    told = capsys.readouterr()
    assert "error" in json.loads(told.out)
    assert "--out" in told.err


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "reprise.toml").write_text('time_zone = "UTC"\n')
    command = f"{sys.executable} -m cli.main --help | true"
    ended = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stderr == ""


def test_progress_is_one_bar_on_a_terminal_and_one_line_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.session.SECONDS_BETWEEN_LINES", -1.0)
    piped = io.StringIO()
    told = Told(Console(file=piped, width=80))
    told("features as of 2020-01-01", 0)
    told("training", 2, 6)
    told("orders: checking orders.csv", 0.25, 1.0)
    assert piped.getvalue().splitlines() == [
        "features as of 2020-01-01", "training 2 of 6", "orders: checking orders.csv 25%",
    ]  # fmt: skip
    drawn = io.StringIO()
    told = Told(Console(file=drawn, width=80, force_terminal=True, _environ={}))
    for day in ("2020-01-01", "2020-01-02", "2020-01-03"):
        told(f"features as of {day}", 0)
    told.close()
    assert drawn.getvalue().count("\n") == 1


def drawn_table(width: int, **said: Any) -> list[str]:
    out = io.StringIO()
    # Without the environment of the test: where TERM is dumb every width would be 80.
    console = Console(file=out, width=width, force_terminal=True, color_system=None, _environ={})
    shell = Session(Path(), False, out=console)
    rows = [("a-version-that-is-copied", "[kind] of it", "Some words that say why it is there and not another.", 1)]
    shell.table([], ("version", "kind", "why", "n"), rows, **said)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_table_on_a_terminal_fits_and_cuts_nothing(width: int) -> None:
    lines = drawn_table(width, shown=("version", "kind", "why"), notes=["A note of more words than one line can hold."])
    assert all(len(line) <= width for line in lines)
    text = " ".join(" ".join(lines).split())
    assert "a-version-that-is-copied" in text
    assert "[kind] of it" in text
    assert "…" not in text
    words = re.findall(r"[A-Za-z.]+", text)
    assert {"Some", "another.", "note", "hold."} <= set(words)
    assert " n" not in lines[0]


def test_a_table_when_piped_has_all_columns_and_no_notes(capsys: pytest.CaptureFixture[str]) -> None:
    Session(Path(), False).table([], ("a", "b"), [(1, None)], shown=("a",), notes=["why"])
    assert capsys.readouterr().out.splitlines() == ["a\tb", "1\t"]


def test_tables_among_lines_are_tabs_when_piped_and_columns_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["model\tauc", "days_since_last_order\t0.700", "lightgbm\t0.800", "One sentence."]
    Session(Path(), False).answer({}, lines)
    assert capsys.readouterr().out.splitlines() == lines
    Session(Path(), False, out=Console(force_terminal=True)).answer({}, lines)
    drawn = capsys.readouterr().out.splitlines()
    assert len({line.rindex("  ") for line in drawn[:3]}) == 1
    assert drawn[3] == "One sentence."
