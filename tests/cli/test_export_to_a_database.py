"""`reprise export --to`: what docs/exports.md tells to type, run twice."""

from __future__ import annotations

import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cli.main import call

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exports.md"


def test_the_commands_of_the_page(
    shop: str, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRM_DB", postgres)
    (tmp_path / "my-shop").symlink_to(shop)
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for expected in ("(a new table)", "nothing was written"):
        for line in block.splitlines():
            assert call(shlex.split(line)[1:]) == 0, capfd.readouterr().err
            assert expected in capfd.readouterr().out
    with closing(sqlite3.connect(tmp_path / "crm.db")) as connection:
        ((wide,),) = connection.execute("select count(*) from scores_wide").fetchall()
        ((users,),) = connection.execute("select count(distinct user_id) from scores").fetchall()
    assert wide == users > 0


@pytest.mark.parametrize(
    "words", [[], ["--out", "a.csv", "--to", "sqlite:///a.db"], ["--to", "sqlite:///a.db", "--raw"], ["--to", "crm"]]
)
def test_a_file_or_a_database(
    shop: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(["-w", shop, "export", "scores", *words]) == 2
    assert not list(tmp_path.iterdir())
