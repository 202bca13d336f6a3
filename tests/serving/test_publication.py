"""The pointer: swapped last, walked back release by release."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.manifest import MANIFEST, ReleaseError
from serving.publication import current_directory, current_release, history, publish, rollback
from warehouse.errors import NotReadyError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).write_text("{}")
    return tmp_path


def test_nothing_published(folder: Path) -> None:
    assert current_release(folder) is None
    with pytest.raises(NotReadyError, match="Nothing has been published"):
        current_directory(folder)
    with pytest.raises(NotReadyError, match="no earlier release"):
        rollback(folder)


def test_rollback_walks_back_and_publishing_goes_on_from_there(folder: Path) -> None:
    for name in ("a", "b", "c"):
        publish(folder, name)
    assert [rollback(folder), rollback(folder)] == ["b", "a"]
    assert current_directory(folder) == folder / "a"
    with pytest.raises(NotReadyError):
        rollback(folder)
    publish(folder, "c")
    assert rollback(folder) == "a"
    assert [line["action"] for line in history(folder)] == ["publish"] * 3 + ["rollback"] * 2 + ["publish", "rollback"]


def test_publishing_again_changes_nothing(folder: Path) -> None:
    publish(folder, "a")
    publish(folder, "a")
    assert len(history(folder)) == 1


@pytest.mark.parametrize("name", ["z", "../a", "a/../a", ""])
def test_only_a_release_of_this_folder_is_published(folder: Path, name: str) -> None:
    with pytest.raises(ReleaseError, match="There is no release"):
        publish(folder, name)
    assert current_release(folder) is None


def test_a_torn_history_line_is_passed_over(folder: Path) -> None:
    publish(folder, "a")
    publish(folder, "b")
    with (folder / "history.jsonl").open("a") as file:
        file.write('{"action": "publish", "rel')
    assert rollback(folder) == "a"
