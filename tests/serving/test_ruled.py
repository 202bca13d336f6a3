"""Rules of suggestions in what is answered: lists of a release keep them, and so does what is added to them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving import answers
from serving.fallbacks import suggestions
from serving.release import Release, ReleaseContents, open_release, write_release


def under(release: Release, **said: Any) -> Release:
    told = release.settings.model_dump(mode="json")
    settings = type(release.settings).model_validate({**told, "recommend": {"rules": said}})
    return replace(release, settings=settings)


@pytest.mark.parametrize("user", ["000", "001", "nobody"])
def test_caps_hold_in_what_is_added_too(release: Release, user: str) -> None:
    capped = under(release, per_category=2)
    kinds = capped.item_kinds["category"]
    for k in (1, 3, 50):
        told = [each["item_id"] for each in suggestions(capped, user, k, {"item1"})]
        assert len(set(told)) == len(told) == min(k, len(told))
        assert max(Counter(kinds[item] for item in told).values()) <= 2
    assert len(told) == 2 * len(set(kinds.values()))


def test_nothing_popular_follows_where_a_rule_speaks_of_the_customer(release: Release) -> None:
    user = next(user for user in release.suggestions.values("user_id").to_pylist())
    own = [each["item_id"] for each in suggestions(release, user, 3, ())]
    resting = under(release, not_bought_within_days=7)
    assert [each["item_id"] for each in suggestions(resting, user, 50, ())] == own
    assert len(suggestions(release, user, 50, ())) > len(own)
    # An answer is not empty for want of own items, and strangers have no history to speak of.
    assert suggestions(resting, user, 50, own)
    assert suggestions(resting, "nobody", 50, ()) == suggestions(release, "nobody", 50, ())


def test_a_release_keeps_what_rules_took_and_offers_nothing_they_rule_out(
    tmp_path: Path, contents: ReleaseContents, release: Release
) -> None:
    taken: list[Mapping[str, Any]] = [{"rule": "pin", "says": ["item3"], "shown": 9, "removed": 1, "moved": 2}]
    ruled = replace(contents, release="r7", suggestion_rules={"taken": taken, "ruled_out": ["item4", "item5"]})
    write_release(tmp_path / "r7", ruled)
    opened = open_release(tmp_path / "r7", canary=False)
    assert list(opened.suggestion_rules) == taken
    assert opened.not_for_sale == release.not_for_sale | {"item4", "item5"}
    assert {each["item_id"] for each in suggestions(opened, "nobody", 50, ())}.isdisjoint({"item4", "item5"})
    similar = answers.similar_items(opened, "item1", 10)
    assert [each["item_id"] for each in similar["items"]] == ["item7"]


def test_without_rules_a_release_says_nothing_of_them(release: Release) -> None:
    told = json.loads((release.directory / "release.json").read_text(encoding="utf-8"))
    assert "suggestion_rules" not in told
    assert told["settings"]["recommend"] == {"horizon": 30}


def test_caps_and_rules_of_the_customer_hold_in_what_completes_a_basket(release: Release) -> None:
    capped = under(release, per_category=1)
    kinds = capped.item_kinds["category"]
    for told in (
        answers.basket_suggestions(capped, ["item1"], 50, ()),
        answers.user_suggestions(capped, "000", 50, (), ["item1"]),
    ):
        found = [each["item_id"] for each in told["items"]]
        assert len(found) == len({kinds[item] for item in found}) > 1
    user = next(user for user in release.suggestions.values("user_id").to_pylist())
    own = {each["item_id"] for each in suggestions(release, user, 3, ())}
    told = answers.user_suggestions(under(release, not_bought_within_days=7), user, 50, (), ["item1"])
    assert {each["item_id"] for each in told["items"]} <= own
