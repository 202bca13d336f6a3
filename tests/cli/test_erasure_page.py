"""The worked example of docs/erasure.md, typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cli.main import call
from warehouse.shop import make_shop

PAGE = Path(__file__).resolve().parents[2] / "docs" / "erasure.md"


def _commands() -> list[list[str]]:
    block = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.strip()]


def test_the_worked_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = make_shop(tmp_path / "shop", users=150, seed=3, days=120)
    place = tmp_path / "mine"
    place.mkdir()
    (place / "orders.csv").write_bytes(shop.files["orders"].read_bytes())
    monkeypatch.chdir(place)
    told = {}
    for command in _commands():
        code = call(command)
        said = capfd.readouterr()
        told[" ".join(command)] = said.out
        assert code == 0, f"{command}\n{said.err}"
    dry, done = (told[each] for each in told if each.startswith("erase "))
    assert "nothing was changed" in dry
    assert done.startswith("erased 1 user (asked on 1 September)")
    assert [line.split(":")[0] for line in done.splitlines()[1:3]] == ["  store", dry.splitlines()[2].split(":")[0]]
    user = next(command[1] for command in _commands() if command[0] == "erase")
    assert user in (place / "orders.csv").read_text()
    assert user not in (place / "scores.csv").read_text()
    assert "Nothing new to load" in told["check"]
