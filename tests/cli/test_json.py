"""Every verb under --json: one JSON value on stdout and nothing else, and the exit code that was promised."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.main import COMMANDS, call
from warehouse.shop import make_shop

ROOT = Path(__file__).resolve().parents[2]
QUICK = "\n[training]\nmax_cutoffs = 2\nmax_rows = 2000\nrounds = 10\nbootstrap_draws = 100\n"
ONE = "".join(f"[targets.{name}]\nhorizons = [30]\n" for name in ("repurchase", "churn", "second_order", "win_back"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a made-up shop, and beside it a workspace whose file is wrong."""
    folder = tmp_path_factory.mktemp("json")
    shop = make_shop(folder / "shop", users=400, seed=3, days=160)
    (folder / "orders.csv").write_bytes(shop.files["orders"].read_bytes())
    (folder / "wrong.csv").write_text("user_id,ordered_at,amount\nu1,2020-01-01,12\nu2,yesterday,3\n")
    (folder / "typo").mkdir()
    (folder / "typo" / "reprise.toml").write_text("[training]\nround = 9\n")
    (folder / "wrong").mkdir()
    (folder / "wrong" / "reprise.toml").write_text('[tables.orders]\nfiles = ["../wrong.csv"]\nreturns = "sign"\n')
    (folder / "empty").mkdir()
    (folder / "empty" / "reprise.toml").write_text('time_zone = "UTC"\n')
    return folder


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """The exit code and the JSON on stdout, which must be all there is."""
    capfd.readouterr()
    code = call([*arguments, "--json"])
    told = capfd.readouterr()
    return code, json.loads(told.out)


@pytest.fixture(scope="module")
def shop(place: Path) -> str:
    """A workspace with a release, made over the command line."""
    folder = str(place / "shop-workspace")
    assert call(["init", folder, "--orders", str(place / "orders.csv"), "--tz", "UTC", "--yes"]) == 0
    settings = Path(folder, "reprise.toml")
    settings.write_text(settings.read_text(encoding="utf-8") + QUICK + ONE, encoding="utf-8")
    assert call(["-w", folder, "run"]) == 0
    return folder


def test_the_whole_way_in_json(shop: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def asked(*arguments: str) -> Any:
        code, told = said(capfd, *arguments, "-w", shop)
        assert code == 0, (arguments, told)
        return told

    made = said(capfd, "init", str(place / "another"), "--orders", str(place / "orders.csv"))[1]
    assert made["assumed"]
    assert asked("check")
    run = asked("run")
    assert run["already_done"]
    assert asked("doctor")[0].keys() >= {"state", "what", "found"}
    assert asked("features", "list")[0].keys() >= {"name", "en", "zh"}
    out = str(place / "features.parquet")
    assert asked("features", "build", "--out", out)["out"] == out
    assert asked("score")["release"]
    listed = asked("models", "list")
    serving = next(each for each in listed if each["champion"])
    assert asked("models", "show", serving["version"])["text"]
    assert asked("models", "promote", serving["version"], "--reason", "a test")["version"] == serving["version"]
    assert asked("train", "repurchase")
    [replay] = asked(
        "backtest",
        "repurchase",
        "--horizon",
        "30",
        "--as-of",
        str(date.fromisoformat(run["as_of"]) - timedelta(days=31)),
    )
    assert replay.keys() >= {"target", "horizon_days", "protocol", "cutoffs", "champion"}
    for what in ("scores", "suggestions", "features"):
        written = asked("export", what, "--out", str(place / f"{what}.csv"))
        assert json.loads(Path(written["manifest"]).read_text(encoding="utf-8"))["sha256"] == written["sha256"]
    user = (place / "scores.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0].strip('"').lstrip("'")
    assert asked("explain", user)["targets"]
    assert asked("recommend", user, "-k", "2")["items"]
    assert asked("audience", "build", "some", "--rule", "order_count_lifetime >= 1")["counts"]["matched"] > 0


ERRORS = [
    (["nonsense"], 2),
    (["run", "--nonsense"], 2),
    (["export", "scores"], 2),
    (["check", "-w", "nowhere"], 2),
    (["run", "-w", "typo"], 2),
    (["run", "-w", "empty", "--as-of", "soon"], 2),
    (["serve", "-w", "nowhere"], 2),
    (["doctor", "-w", "typo"], 2),
    (["init", "new", "--orders", "absent.csv"], 3),
    (["init", "new", "--users", "wrong.csv"], 2),
    (["check", "-w", "wrong"], 3),
    (["run", "-w", "wrong"], 3),
    (["features", "build", "-w", "wrong"], 3),
    (["train", "-w", "wrong"], 3),
    (["score", "-w", "wrong"], 3),
    (["backtest", "repurchase", "-w", "wrong"], 3),
    (["recommend", "somebody", "-w", "empty"], 4),
    (["explain", "somebody", "-w", "empty"], 4),
    (["explain", "somebody", "-w", "empty", "--language", "fr"], 2),
    (["export", "scores", "--out", "x.csv", "-w", "empty"], 4),
    (["audience", "build", "some", "--rule", "order_count_lifetime >= 1", "-w", "empty"], 4),
    (["models", "show", "nothing", "-w", "empty"], 4),
    (["serve", "-w", "empty"], 4),
    (["explain", "nobody-knows-me", "-w", "shop-workspace"], 2),
    (["models", "show", "nothing", "-w", "shop-workspace"], 2),
    (["models", "rollback", "nothing", "-w", "shop-workspace"], 4),
    (["audience", "build", "some", "--rule", "order_count >>", "-w", "shop-workspace"], 2),
    (["audience", "build", "nobody", "-w", "shop-workspace"], 2),
    (["export", "scores", "--out", "scores.xls", "-w", "shop-workspace"], 2),
    (["export", "scores", "--out", "orders.csv/scores.csv", "-w", "shop-workspace"], 1),
    (["run", "--as-of", "1990-01-01", "-w", "shop-workspace"], 3),
    (["backtest", "nothing", "-w", "shop-workspace"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), ERRORS, ids=[" ".join(arguments) for arguments, _ in ERRORS])
@pytest.mark.usefixtures("shop")
def test_errors_are_json_with_their_exit_code(
    arguments: list[str], code: int, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    found, told = said(capfd, *arguments)
    assert (found, list(told), told["error"].keys() >= {"message", "hint", "problems"}) == (code, ["error"], True)


def test_every_verb_is_walked() -> None:
    """But the demo, which is these verbs one after another and takes half a minute."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [noun for noun in COMMANDS if f'"{noun}", ' not in text and f'asked("{noun}")' not in text] == ["demo"]


def test_serve_says_where_in_json(shop: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "cli.main", "-w", shop, "serve", "--bare", "--port", port, "--json"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert running.stdout is not None
        told = ""
        while not told.rstrip().endswith("}"):
            told += running.stdout.readline()
        assert json.loads(told)["url"].startswith("http://127.0.0.1:")
    finally:
        running.send_signal(signal.SIGINT)
        rest = running.communicate(timeout=30)[0]
    assert (rest, running.returncode) == ("", 0)
