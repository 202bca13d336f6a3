"""The worked examples of the docs: the files they show, the commands they tell to type, and what these answer."""

import re
import shlex
from pathlib import Path

import pytest

from cli.main import call

DOCS = Path(__file__).resolve().parent.parent / "docs"


def blocks(page: str) -> list[tuple[str, str]]:
    """Every fenced block as what stands behind its fence, and its text."""
    return re.findall(r"```([^\n]+)\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def follow(page: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Writes the files (`text NAME`), runs the commands (`sh`), and looks for the lines shown (`console`)."""
    told = ""
    for kind, text in blocks(page):
        if kind.startswith("text "):
            (folder / kind.removeprefix("text ")).write_text(text, encoding="utf-8")
        elif kind == "sh":
            told = ""
            for line in text.splitlines():
                words = shlex.split(line, comments=True)
                code = call(words[1:])
                said = capfd.readouterr()
                assert code == 0, f"{line}\n{said.out}\n{said.err}"
                told += said.out
        elif kind == "console":
            for line in text.splitlines():
                assert line in told.splitlines(), f"{line}\nis not in\n{told}"


def test_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("presets.md", tmp_path, capfd)
