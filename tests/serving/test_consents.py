"""Who may be contacted over HTTP: what the store knows now, and nobody where that cannot be told (T17, F39)."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from serving import consents, wire
from serving.holder import Holder
from serving.lookups import create_app
from warehouse.store import Store
from warehouse.workspace import Workspace

FIRST, LATER = datetime(2024, 6, 2, 1), datetime(2024, 6, 3, 1)
SETTINGS = """
time_zone = "Europe/London"
buckets = 2
[tables.users]
files = ["users*.csv"]
"""
EVERYONE = {"rule": "everyone", "limit": 1000}


class Beside:
    """A workspace that releases lie in, and the service that answers for it."""

    def __init__(self, root: Path, releases: Path, asking: Any) -> None:
        self.root = root
        shutil.copytree(releases, root / "releases")
        holder = Holder(root / "releases", canary=False)
        assert holder.refresh()
        self.client = asking(create_app(holder))

    def load(self, name: str, people: Sequence[Mapping[str, Any]], at: datetime = FIRST) -> None:
        with (self.root / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, ["user_id", "recorded_at", "consent_sms", "consent_profiling", "blocked"], extrasaction="ignore"
            )
            writer.writeheader()
            writer.writerows(people)
        Store(Workspace.open(self.root)).load_new(at)

    def settings(self, more: str = "") -> None:
        (self.root / "reprise.toml").write_text(SETTINGS + more, encoding="utf-8")

    def audience(self, **more: Any) -> wire.Audience:
        response = self.client.post("/v1/audience", {**EVERYONE, **more})
        assert response.status_code == 200, response.text
        return wire.Audience.model_validate_json(response.content)

    def refused(self, **more: Any) -> str:
        response = self.client.post("/v1/audience", {**EVERYONE, **more})
        assert response.status_code == 503
        assert "user_ids" not in response.text
        return str(wire.Problem.model_validate_json(response.content).detail)


@pytest.fixture
def beside(tmp_path: Path, releases: Path, asking: Any) -> Beside:
    return Beside(tmp_path, releases, asking)


@pytest.fixture
def loaded(beside: Beside, shop: Any) -> Beside:
    """The users of the release, as they were when it was made."""
    beside.settings()
    beside.load("users.csv", shop.lines["users"])
    return beside


def opted_out(user: str) -> dict[str, str]:
    return {"user_id": user, "recorded_at": "2024-06-02T12:00:00", "consent_sms": "false", "blocked": "false"}


def blocked(user: str) -> dict[str, str]:
    return {"user_id": user, "recorded_at": "2024-06-02T12:00:00", "consent_sms": "true", "blocked": "true"}


def test_without_a_workspace_the_release_says_so(beside: Beside) -> None:
    told = beside.audience()
    assert (told.consents_from, told.consents_as_of) == ("release", "2024-05-31T23:00:00Z")


def test_the_store_says_the_same_of_the_same_people(loaded: Beside, client: Any) -> None:
    for channel in (None, "sms"):
        told = loaded.audience(channel=channel)
        assert (told.consents_from, told.consents_as_of) == ("store", "2024-06-02T01:00:00Z")
        served = client.post("/v1/audience", {**EVERYONE, "channel": channel}).json()
        assert served["consents_from"] == "release"
        assert (told.user_ids, told.suppressed) == (served["user_ids"], served["suppressed"])


def test_who_objected_after_the_release_is_left_out_at_once(loaded: Beside) -> None:
    before = loaded.audience(channel="sms").user_ids
    gone = before[:2]
    loaded.load("users-new.csv", [opted_out(gone[0]), blocked(gone[1])], LATER)
    told = loaded.audience(channel="sms")
    assert told.user_ids == before[2:]
    assert told.consents_as_of == "2024-06-03T01:00:00Z"
    assert gone[1] not in loaded.audience().user_ids


def test_who_refused_profiling_after_the_release_is_chosen_by_no_score_at_once(loaded: Beside) -> None:
    scored = {"rule": "repurchase_probability >= 0"}
    before, everyone = loaded.audience(**scored), loaded.audience()
    gone = before.user_ids[0]
    refusal = {
        "user_id": gone,
        "recorded_at": "2024-06-02T12:00:00",
        "consent_sms": "true",
        "consent_profiling": "false",
    }
    loaded.load("users-new.csv", [{**refusal, "blocked": "false"}], LATER)
    told = loaded.audience(**scored)
    assert told.user_ids == before.user_ids[1:]
    assert told.suppressed["no_profiling"] == before.suppressed["no_profiling"] + 1
    still = loaded.audience()
    assert still.user_ids == everyone.user_ids
    assert still.expected_hits < everyone.expected_hits  # type: ignore[operator]


def test_the_store_is_read_once_for_each_load(loaded: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    latest = consents.latest
    monkeypatch.setattr(consents, "latest", lambda store: read.append(store) or latest(store))  # type: ignore[func-returns-value]
    for _ in range(3):
        loaded.audience()
    assert len(read) == 1
    loaded.load("users-new.csv", [opted_out("nobody")], LATER)
    for _ in range(3):
        loaded.audience()
    assert len(read) == 2


def test_the_list_of_the_workspace_applies_as_it_is_now(loaded: Beside) -> None:
    before = loaded.audience().user_ids
    loaded.settings('[suppression]\nfile = "optouts.csv"\n')
    listed = loaded.root / "optouts.csv"
    for gone in (before[:1], before[:3]):
        listed.write_text("user_id\n" + "\n".join(gone) + "\n", encoding="utf-8")
        told = loaded.audience()
        assert told.user_ids == before[len(gone) :]
        assert told.suppressed["listed"] == len(gone)


@pytest.mark.parametrize("content", [None, "", "user_id\n", "13912345678\n007\n", "user_id\n13912345678,\n"])
def test_a_list_that_cannot_be_trusted_closes_the_door(loaded: Beside, content: str | None) -> None:
    loaded.settings('[suppression]\nfile = "optouts.csv"\n')
    if content is not None:
        (loaded.root / "optouts.csv").write_text(content, encoding="utf-8")
    assert "139" not in loaded.refused()


def test_an_old_list_closes_the_door(loaded: Beside) -> None:
    loaded.settings('[suppression]\nfile = "optouts.csv"\n')
    (loaded.root / "optouts.csv").write_text("user_id\nu1\n", encoding="utf-8")
    loaded.audience()
    day_before = (loaded.root / "optouts.csv").stat().st_mtime - 25 * 3600
    os.utime(loaded.root / "optouts.csv", (day_before, day_before))
    loaded.refused()


@pytest.mark.parametrize(
    "damage",
    ["wrong settings", "no settings", "other settings", "pointer", "no pointer", "manifest", "rows", "no rows"],
)
def test_a_workspace_that_cannot_be_read_closes_the_door(loaded: Beside, damage: str) -> None:
    store, users = loaded.root / "store", Store(Workspace.open(loaded.root)).bucket("users", 0)
    settings = (loaded.root / "reprise.toml").read_text(encoding="utf-8")
    {
        "wrong settings": lambda: loaded.settings("nonsense = 1\n"),
        "no settings": lambda: (loaded.root / "reprise.toml").unlink(),
        "other settings": lambda: (loaded.root / "reprise.toml").write_text(settings.replace("= 2", "= 1")),
        "pointer": lambda: (store / "current.json").write_bytes(b"{"),
        "no pointer": lambda: (store / "current.json").unlink(),
        "manifest": lambda: (users.parent / "manifest.json").write_bytes(b"{"),
        "rows": lambda: users.write_bytes(b"{"),
        "no rows": users.unlink,
    }[damage]()
    assert loaded.refused() == (
        "Who must not be contacted cannot be told, so nobody is. `reprise audience build` says why."
    )
    assert loaded.client.get("/v1/users/007/scores").status_code == 200
