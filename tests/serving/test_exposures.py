"""`POST /v1/exposures` through the app: strict, durable, and silent about whom it was told of."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

from serving.holder import Holder
from serving.lookups import create_app
from warehouse.erasures import Erasure, Tombstones

SHOWN = {
    "suggestion_id": "0123456789abcdef",
    "user_id": "nobody known",
    "item_id": "tea",
    "shown_at": "2024-06-01T12:00:00+02:00",
}


@pytest.fixture
def workspace(releases: Path, tmp_path: Path) -> Path:
    shutil.copytree(releases, tmp_path / "releases", symlinks=True)
    return tmp_path


@pytest.fixture
def post(workspace: Path, asking: Any) -> Any:
    holder = Holder(workspace / "releases", canary=False)
    holder.refresh()
    client = asking(create_app(holder))
    return lambda *rows: client.post("/v1/exposures", {"exposures": list(rows)})


def kept(workspace: Path) -> list[dict[str, str]]:
    with (workspace / "exposures" / "open.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_was_shown_is_on_the_disk_when_the_answer_comes(post: Any, workspace: Path) -> None:
    clicked = {**SHOWN, "user_id": '007, "x"', "position": 3, "clicked_at": "2024-06-01T10:05:00.25Z"}
    answer = post(SHOWN, clicked)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("kept", "left_out")} == {"kept": 2, "left_out": 0}
    assert kept(workspace) == [
        {**SHOWN, "shown_at": "2024-06-01T10:00:00.000000Z", "position": "", "clicked_at": ""},
        {**SHOWN, "user_id": '007, "x"', "shown_at": "2024-06-01T10:00:00.000000Z", "position": "3",
         "clicked_at": "2024-06-01T10:05:00.250000Z"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"position": 0}, "exposures.0.position"),
        ({"position": True}, "exposures.0.position"),
        ({"clicked_at": "2024-06-01T09:59:59Z"}, "exposures.0.clicked_at"),
        ({"shown_at": "2999-01-01T00:00:00Z"}, "exposures.0.shown_at"),
        ({"shown_at": "yesterday noon"}, "exposures.0.shown_at"),
        ({"user_id": " ann"}, "exposures.0.user_id"),
        ({"user_id": "null"}, "exposures.0.user_id"),
        ({"item_id": ""}, "exposures.0.item_id"),
        ({"arm": "b"}, "exposures.0.arm"),
    ],
)
def test_a_wrong_row_is_told_by_place_and_nothing_is_kept(
    post: Any, workspace: Path, change: dict[str, Any], where: str
) -> None:
    answer = post({**SHOWN, **change})
    assert answer.status_code == 422
    assert [each["where"] for each in answer.json()["errors"]] == [where]
    assert "ann" not in answer.text
    assert not (workspace / "exposures").exists()


def test_how_many_rows_a_post_may_have(post: Any) -> None:
    assert post().status_code == 422
    assert post(*[SHOWN] * 1001).status_code == 422


def test_an_erased_user_is_left_out(post: Any, workspace: Path) -> None:
    stones = Tombstones(workspace)
    stones.add(Erasure("2024-06-01", "asked for", (stones.hash_of("user", "ann"),)))
    answer = post({**SHOWN, "user_id": "ann"}, SHOWN).json()
    assert (answer["kept"], answer["left_out"]) == (1, 1)
    assert [row["user_id"] for row in kept(workspace)] == [SHOWN["user_id"]]


def test_where_nothing_can_be_written_the_client_is_told_to_come_back(post: Any, workspace: Path) -> None:
    (workspace / "exposures").write_text("a file in place of the folder")
    assert post(SHOWN).status_code == 503
