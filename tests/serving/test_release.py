"""The release format: what is written is what is opened, and whatever was touched is refused before it is parsed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from serving.manifest import MANIFEST, SIGNATURE, ReleaseError, check_files, write_manifest
from serving.release import Release, ReleaseContents, open_release, write_release

KEY = b"a key that lives outside the store"


@pytest.fixture
def copy(releases: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(releases / "r1", tmp_path / "r1"))


def sign_again(folder: Path, key: bytes | None = None) -> None:
    """What somebody who may write to the store would do after changing a file."""
    told = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).unlink()
    (folder / SIGNATURE).unlink(missing_ok=True)
    from datetime import date

    write_manifest(folder, told["release"], date.fromisoformat(told["as_of"]), key)


def test_what_was_written_is_what_is_opened(release: Release, contents: ReleaseContents) -> None:
    assert (release.id, release.as_of) == (contents.release, contents.as_of)
    assert list(release.models) == list(contents.models)
    assert release.features().equals(contents.features)
    assert release.settings.time_zone == "Europe/London"
    assert all(not table.files for table in release.settings.tables.values())
    assert release.recommender_arrays().keys() == (contents.recommender or ("", {}))[1].keys()
    assert release.tables["items"].equals(contents.tables["items"])
    assert release.not_for_sale == {"item10", "item11"}
    for key, model in contents.models.items():
        assert np.array_equal(release.models[key].predict(contents.features), model.predict(contents.features))


def test_a_release_is_never_written_twice(releases: Path, contents: ReleaseContents) -> None:
    with pytest.raises(ReleaseError, match="already there"):
        write_release(releases / "r1", contents)


def test_every_file_is_hashed(copy: Path) -> None:
    names = [path for path in sorted(copy.rglob("*")) if path.is_file() and path.name != MANIFEST]
    assert len(names) > 12
    for path in names:
        body = path.read_bytes()
        path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
        with pytest.raises(ReleaseError, match="damaged"):
            open_release(copy, canary=False)
        path.write_bytes(body)
    check_files(copy, None)


@pytest.mark.parametrize(
    "touch",
    [
        lambda folder: (folder / "extra.txt").write_text("x"),
        lambda folder: (folder / "models" / "repurchase_30d" / "more.py").write_text("x"),
        lambda folder: (folder / "golden.parquet").unlink(),
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / MANIFEST).write_text("{"),
        lambda folder: (folder / MANIFEST).write_text('{"format": 1, "files": {"a": 3}}'),
        lambda folder: (folder / MANIFEST).write_text("[" * 100_000),
        lambda folder: (folder / "link").symlink_to("/etc/hostname"),
        lambda folder: (folder / "tables" / "linked").symlink_to(folder / "models"),
    ],
)
def test_an_inexact_folder_is_refused(copy: Path, touch: Callable[[Path], object]) -> None:
    touch(copy)
    with pytest.raises(ReleaseError):
        open_release(copy, canary=False)


def test_a_link_in_place_of_a_file_of_equal_content_is_refused(copy: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    (copy / "golden.parquet").rename(moved)
    (copy / "golden.parquet").symlink_to(moved)
    with pytest.raises(ReleaseError, match="no plain file"):
        open_release(copy, canary=False)


def test_a_key_is_asked_for(copy: Path, tmp_path: Path, contents: ReleaseContents) -> None:
    write_release(tmp_path / "signed", replace(contents, release="signed"), KEY)
    assert open_release(tmp_path / "signed", KEY, canary=False).id == "signed"
    for folder, key in ((tmp_path / "signed", b"another key"), (copy, KEY)):
        with pytest.raises(ReleaseError, match="not signed"):
            open_release(folder, key, canary=False)


def test_a_change_that_was_hashed_anew_fails_the_signature(tmp_path: Path, contents: ReleaseContents) -> None:
    folder = tmp_path / "r9"
    write_release(folder, contents, KEY)
    told = json.loads((folder / "release.json").read_text())
    (folder / "release.json").write_text(json.dumps(told | {"previous": "evil"}))
    signature = (folder / SIGNATURE).read_text()
    sign_again(folder)
    (folder / SIGNATURE).write_text(signature)
    check_files(folder, None)
    with pytest.raises(ReleaseError, match="not signed"):
        open_release(folder, KEY, canary=False)


class Evil:
    """Would leave a file behind if it were ever unpickled."""

    marker = "unpickled"

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path(self.marker),))


def test_arrays_that_need_unpickling_are_refused(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: ReleaseContents
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(copy / "recommender.npz", factors=np.array([Evil()], dtype=object))
    sign_again(copy)
    with pytest.raises(ReleaseError):
        open_release(copy, canary=False)
    assert not (tmp_path / Evil.marker).exists()


def test_damaged_trees_kill_the_canary_and_nobody_else(copy: Path) -> None:
    """The model's own hash and the manifest are made to fit, so that LightGBM itself meets the damage."""
    trees = copy / "models" / "repurchase_30d" / "model.txt"
    text = trees.read_text()
    trees.write_text(text[: len(text) // 2])
    _fit_model_hash(copy / "models" / "repurchase_30d")
    sign_again(copy)
    with pytest.raises(ReleaseError, match="process of their own"):
        open_release(copy)


def test_trees_that_load_and_score_otherwise_are_refused(copy: Path) -> None:
    trees = copy / "models" / "repurchase_30d" / "model.txt"
    lines = trees.read_text().split("\n")
    place = next(i for i, line in enumerate(lines) if line.startswith("leaf_value="))
    values = lines[place].removeprefix("leaf_value=").split(" ")
    lines[place] = "leaf_value=" + " ".join([str(float(values[0]) + 0.25), *values[1:]])
    trees.write_text("\n".join(lines))
    _fit_model_hash(copy / "models" / "repurchase_30d")
    sign_again(copy)
    with pytest.raises(ReleaseError, match="golden rows"):
        open_release(copy)


def test_a_sound_release_passes_the_canary(copy: Path) -> None:
    assert open_release(copy).id == "r1"


def test_scores_of_other_users_are_refused(tmp_path: Path, contents: ReleaseContents) -> None:
    fewer = replace(contents, scores=contents.scores.slice(5), release="r3")
    write_release(tmp_path / "r3", fewer)
    with pytest.raises(ReleaseError, match="not of the users"):
        open_release(tmp_path / "r3", canary=False)


def test_an_empty_release_is_a_release(tmp_path: Path, contents: ReleaseContents) -> None:
    empty = replace(
        contents, models={}, scores=contents.scores.slice(0, 0), features=contents.features.slice(0, 0),
        suggestions=None, similar_items=None, popular=None, recommender=None, tables={}, populations={},
    )  # fmt: skip
    write_release(tmp_path / "r4", empty)
    opened = open_release(tmp_path / "r4", canary=False)
    assert len(opened.scores) == 0
    assert opened.scores.of("u001") is None
    assert opened.suggestions.of("u001") == []
    assert isinstance(opened.features(), pa.Table)


def _fit_model_hash(folder: Path) -> None:
    import hashlib

    told = json.loads((folder / "model.json").read_text())
    told["trees_sha256"] = hashlib.sha256((folder / "model.txt").read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(told))
