"""The hot swap: a new release replaces the old one in one step; a bad one never does (F11, F12)."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving import metrics
from serving.holder import Holder, key_from_environment, releases_from_environment
from serving.lookups import create_app
from serving.problems import ProblemError
from serving.publication import publish, rollback
from serving.release import ReleaseContents, write_release
from warehouse.errors import UsageError


@pytest.fixture
def folder(releases: Path, tmp_path: Path, contents: ReleaseContents) -> Path:
    place = tmp_path / "releases"
    shutil.copytree(releases, place)
    write_release(place / "r2", replace(contents, release="r2", previous="r1"))
    return place


def test_swap_and_rollback(folder: Path, asking: Any) -> None:
    holder = Holder(folder, canary=False)
    client = asking(create_app(holder))
    assert holder.refresh()
    served = []
    for step in (lambda: None, lambda: publish(folder, "r2"), lambda: rollback(folder)):
        step()
        holder.refresh()
        served.append(client.get("/v1/users/007/scores").json()["release"])
    assert served == ["r1", "r2", "r1"]
    assert not holder.refresh()


@pytest.mark.parametrize("damage", ["truncated", "another", "gone"])
def test_a_damaged_release_is_refused_and_the_old_one_serves(folder: Path, asking: Any, damage: str) -> None:
    holder = Holder(folder, canary=False)
    holder.refresh()
    scores = folder / "r2" / "scores.parquet"
    if damage == "truncated":
        scores.write_bytes(scores.read_bytes()[:-100])
    elif damage == "gone":
        scores.unlink()
    else:
        shutil.rmtree(folder / "r2")
        shutil.copytree(folder / "r1", folder / "r2")
    publish(folder, "r2")
    refused = metrics.events("release_refused")
    assert not holder.refresh()
    assert not holder.refresh(), "a refused release is not tried again and again"
    assert metrics.events("release_refused") == refused + 1
    told = asking(create_app(holder)).get("/v1/release").json()
    assert (told["release"], told["degraded"]) == ("r1", True)
    rollback(folder)
    holder.refresh()
    assert not holder.degraded


def test_nothing_published_is_503_until_something_is(folder: Path, asking: Any) -> None:
    (folder / "CURRENT").unlink()
    holder = Holder(folder, canary=False)
    client = asking(create_app(holder))
    assert not holder.refresh()
    assert [client.get(path).status_code for path in ("/readyz", "/v1/release", "/livez", "/")] == [503, 503, 200, 200]
    with pytest.raises(ProblemError):
        _ = holder.release
    publish(folder, "r2")
    assert holder.refresh()
    assert client.get("/readyz").status_code == 200


def test_a_first_release_that_is_refused_is_told_with_why(folder: Path, asking: Any) -> None:
    """Nothing else could be served: the answer says which release, what is wrong with it, and what to do."""
    (folder / "r2" / "scores.parquet").write_bytes(b"torn")
    publish(folder, "r2")
    holder = Holder(folder, canary=False)
    client = asking(create_app(holder))
    assert not holder.refresh()
    for response in (client.get("/v1/users/007/scores"), client.get("/readyz")):
        assert response.status_code == 503
        detail = response.json()["detail"]
        assert "The release r2 was refused. scores.parquet of the release r2 is damaged." in detail
        assert "`reprise run --replace`" in detail
    assert "scores.parquet of the release r2 is damaged" in client.get("/").text
    rollback(folder)
    assert holder.refresh()
    assert client.get("/readyz").status_code == 200


def test_the_watch_ends_when_stopped(folder: Path) -> None:
    holder = Holder(folder, canary=False)
    holder.start()
    assert holder.ready
    holder.stop()
    assert holder._thread is None


def test_environment(tmp_path: Path) -> None:
    assert releases_from_environment({"REPRISE_WORKSPACE": str(tmp_path)}) == tmp_path / "releases"
    (tmp_path / "key").write_text("secret\n")
    assert key_from_environment({"REPRISE_RELEASE_KEY": f"@{tmp_path / 'key'}"}) == b"secret"
    assert key_from_environment({"REPRISE_RELEASE_KEY": "plain"}) == b"plain"
    assert key_from_environment({}) is None
    with pytest.raises(UsageError):
        key_from_environment({"REPRISE_RELEASE_KEY": "@/nowhere"})


def test_a_signed_release_of_another_name_is_refused(folder: Path) -> None:
    told = json.loads((folder / "r1" / "manifest.json").read_text())
    assert told["release"] == "r1"
