"""Wrong settings files, each given to the command line, and all that is said of it: tests/bad_configs/expected.toml."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from cli.main import call

FILES = Path(__file__).parents[1] / "bad_configs"
CASES: dict[str, dict[str, str]] = tomllib.loads((FILES / "expected.toml").read_text(encoding="utf-8"))
TOLD = re.compile(
    r'(error: )?reprise\.toml, line [0-9]+: ("[\w.]+" (is|holds) .+; allowed: .+[.?^]'
    r'|there is no setting "[\w.]+"\. (Did you mean "\w+"\?|It belongs under \[\w+\]|Allowed here: ).*'
    r'|".+" cannot be the name of a section here; allowed: .+|not valid TOML at column [0-9]+: .+\.)'
)


def test_there_are_twenty_five_and_more_and_each_file_has_its_message() -> None:
    assert len(CASES) >= 25
    assert {path.name for path in FILES.iterdir()} - {"expected.toml"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_wrong_settings(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copyfile(FILES / name, tmp_path / "reprise.toml")
    (tmp_path / "orders.csv").write_text("user_id,ordered_at,amount\nu1,2024-05-01,10\n")
    assert call(["-w", str(tmp_path), "run"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", CASES[name]["says"])
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", CASES)
def test_each_names_the_line_what_was_found_and_what_is_allowed(name: str) -> None:
    for line in CASES[name]["says"].splitlines():
        if not line.startswith("  "):  # A rule is shown again below its line, with a mark under what is wrong.
            assert TOLD.fullmatch(line), line
