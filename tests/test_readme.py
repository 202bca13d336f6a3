"""What the READMEs tell people to type works when typed."""

import re
import shlex
from pathlib import Path

import pytest

from cli.main import call
from warehouse.shop import make_shop

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh.md")


def commands(readme: str) -> list[str]:
    """Every line of the shell blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)
    return [
        " ".join(words)
        for block in blocks
        for line in block.splitlines()
        if (words := shlex.split(line, comments=True))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with somebody's orders.csv."""
    place = tmp_path_factory.mktemp("readme")
    shop = make_shop(place / "shop", users=600, seed=3, days=160)
    (place / "orders.csv").write_bytes(shop.files["orders"].read_bytes())
    return place


def test_both_readmes_show_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh.md")


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [command.split()[1] for command in commands("README.md") if command.startswith("make ")]
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_the_commands_run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    for command in commands("README.md"):
        if command.startswith("reprise "):
            code = call(shlex.split(command)[1:])
            told = capfd.readouterr()
            assert code == 0, f"{command}\n{told.out}\n{told.err}"


def test_linked_pages_exist() -> None:
    for readme in READMES:
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / readme).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{readme}: {target}"
