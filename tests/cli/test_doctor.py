"""`reprise doctor` and the key that releases are signed with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cli.main import call
from serving.manifest import MANIFEST, SIGNATURE, _signature
from serving.publication import current_directory

KEY = "REPRISE_RELEASE_KEY"


def _release(workspace: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    capsys.readouterr()
    call(["-w", str(workspace), "--json", "doctor"])
    found = json.loads(capsys.readouterr().out)
    return [(each["state"], each["found"]) for each in found if each["what"] == "release"]


def test_what_is_signed_and_the_key_that_is_set_have_to_agree(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(shop, workspace)
    folder = current_directory(workspace / "releases")
    monkeypatch.delenv(KEY, raising=False)
    assert [state for state, _ in _release(workspace, capsys)] == ["ok"]
    monkeypatch.setenv(KEY, "k1")
    assert "is not signed with the key in use" in _release(workspace, capsys)[0][1]
    (folder / SIGNATURE).write_text(_signature((folder / MANIFEST).read_bytes(), b"k1"), encoding="ascii")
    assert [state for state, _ in _release(workspace, capsys)] == ["ok"]
    monkeypatch.setenv(KEY, "k2")
    assert [state for state, _ in _release(workspace, capsys)] == ["broken"]
    monkeypatch.delenv(KEY)
    assert [state for state, _ in _release(workspace, capsys)] == ["ok", "warning"]
    monkeypatch.setenv(KEY, f"@{tmp_path / 'nowhere'}")
    assert "cannot be read" in _release(workspace, capsys)[0][1]
