"""Releases change under load (F11, F12): every answer is whole, of one release, and never of an earlier one again."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from models.propensity import PropensityModel
from serving.complements import Complement, Model
from serving.holder import Holder
from serving.lookups import create_app
from serving.publication import publish
from serving.release import ReleaseContents, write_release
from serving.scoring import score

CLIENTS = 3
SWAPS = 10
NAMES = ("a", "b", "c")
BAD = "damaged"
LINE = {"user_id": "u1", "ordered_at": "2024-05-01T10:00:00Z", "amount": 3}


def versioned(contents: ReleaseContents, name: str) -> ReleaseContents:
    """A release whose models all bear its name as their version, so that a mixed answer shows."""
    fitted = {key: m for key, m in contents.models.items() if isinstance(m, PropensityModel)}
    models: dict[Any, Model] = {key: replace(model, version=name) for key, model in fitted.items()}
    for key, model in contents.models.items():
        if isinstance(model, Complement):
            models[key] = replace(model, of=models[model.of.target, key[1]])  # type: ignore[arg-type]
    models = {key: models[key] for key in contents.models}
    scores = score(models, contents.features, as_of=contents.as_of, release=name)
    return replace(contents, release=name, models=models, scores=scores, suggestions=None)


@pytest.fixture(scope="module")
def folder(contents: ReleaseContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    releases = tmp_path_factory.mktemp("swapped") / "releases"
    for name in NAMES:
        write_release(releases / name, versioned(contents, name))
    shutil.copytree(releases / "a", releases / BAD)
    with (releases / BAD / "scores.parquet").open("r+b") as file:
        file.truncate(1000)
    publish(releases, NAMES[0])
    return releases


def one_after_the_other(seen: Iterable[str], published: Iterable[str]) -> bool:
    """Whether the releases seen come in the order in which they were published."""
    order = iter(published)
    return all(name in order for name, _ in groupby(seen))


def test_order_by_hand() -> None:
    assert one_after_the_other("aabba", "abcab")
    assert not one_after_the_other("ba", "abc")


def test_no_answer_fails_or_mixes_releases_while_they_change(folder: Path, asking: Any) -> None:
    holder = Holder(folder, canary=False)
    assert holder.refresh()
    app, ended = create_app(holder), Event()

    def load(number: int) -> list[str]:
        client, seen = asking(app), []
        while not ended.is_set():
            if number:
                response = client.get("/v1/users/007/scores")
                versions = {each["model_version"] for each in response.json()["scores"]}
            else:
                response = client.post("/v1/score", {"as_of": "2024-06-01", "orders": [LINE]})
                versions = {each["model_version"] for each in response.json()["users"][0]["scores"]}
            assert response.status_code == 200
            assert versions == {response.json()["release"]}
            seen.append(response.json()["release"])
        return seen

    published, refused = [NAMES[0]], 0
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(load, number) for number in range(CLIENTS)]
        try:
            for swap in range(1, SWAPS + 1):
                name = BAD if swap % 5 == 0 else NAMES[swap % len(NAMES)]
                publish(folder, name)
                if holder.refresh():
                    published.append(name)
                else:
                    refused += 1
        finally:
            ended.set()
        for client in clients:
            seen = client.result()
            assert len(seen) > 1
            assert one_after_the_other(seen, published)
    assert (len(published) - 1, refused) == (SWAPS - SWAPS // 5, SWAPS // 5)
