"""Who refused profiling: what was recorded of them is told, nothing that was inferred from it."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from features.catalogue import by_name
from serving import answers, profiles, wire
from serving.release import Release

AS_OF = date(2024, 6, 1)
ATTRIBUTES = pa.table(
    {"entity_id": ["ann", "bob", "cyd"], "name": ["Ann", "Bob", "Cyd"], "consent_profiling": [True, False, None]}
)
CUSTOMERS = pa.table(
    {
        "entity_id": ["ann", "bob", "cyd", "dan"],
        "lifecycle_group": ["new", "active", "lapsed", "new"],
        "days_since_last_order": [1.0, 2.0, 40.0, 3.0],
        "preferred_category": ["tea", "tea", "cups", None],
        "discount_sensitivity": [0.1, 0.2, 0.3, 0.4],
        "due_item_count": [1.0, 2.0, 0.0, 0.0],
        "amount_365d": [10.0, 20.0, 30.0, 40.0],
        "amount_lifetime": [15.0, 25.0, 35.0, 45.0],
    }
)
INFERRED = {entry.name for entry in profiles.ENTRIES if entry.inferred}


def column(made: pa.Table, name: str) -> list[Any]:
    found: list[Any] = made[name].to_pylist()
    return found


def test_by_hand() -> None:
    made = profiles.profile(CUSTOMERS, AS_OF, ATTRIBUTES)
    assert column(made, "profiling_refused") == [False, True, False, False]
    assert column(made, "preferred_category") == ["tea", None, "cups", None]
    assert column(made, "discount_sensitivity") == [0.1, None, 0.3, 0.4]
    assert column(made, "due_item_count") == [1.0, None, 0.0, 0.0]
    assert column(made, "lifecycle_group") == ["new", "active", "lapsed", "new"]
    assert column(made, "amount_365d") == [10.0, 20.0, 30.0, 40.0]
    assert column(made, "historic_clv") == [15.0, 25.0, 35.0, 45.0]
    assert column(made, "last_purchase_on")[1] == date(2024, 5, 30)
    assert column(made, "nickname") == ["Ann", "Bob", "Cyd", None]


def test_who_refused_since_is_withheld_too() -> None:
    made = profiles.profile(CUSTOMERS, AS_OF, ATTRIBUTES, refused_since={"dan"})
    assert column(made, "profiling_refused") == [False, True, False, True]
    assert column(made, "discount_sensitivity") == [0.1, None, 0.3, None]


def test_without_users_nobody_was_asked() -> None:
    made = profiles.profile(CUSTOMERS, AS_OF)
    assert "profiling_refused" not in made.column_names
    assert column(made, "discount_sensitivity") == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("field", "inferred"),
    [("churn_probability_90d", True), ("churn_percentile", True), ("preferred_brand_share", True),
     ("discount_lover", True), ("due_item_count", True), ("churn_state", False), ("order_count_365d", False),
     ("rfm_type", False), ("lifecycle_group", False), ("region", False)],
)  # fmt: skip
def test_what_is_inferred(field: str, inferred: bool) -> None:
    assert profiles.is_inferred(field) == inferred


def test_every_preference_that_is_told_is_inferred() -> None:
    known = by_name()
    for entry in profiles.ENTRIES:
        if "preference" in (known[entry.of].family if entry.of in known else ""):
            assert entry.inferred, entry.name


def test_over_http(release: Release) -> None:
    users = release.tables["users"]
    refused = dict(zip(users["entity_id"].to_pylist(), users["consent_profiling"].to_pylist(), strict=True))
    seen = {True: 0, False: 0}
    for user in release.scores.users.to_pylist()[:24]:
        told = wire.UserProfile.model_validate(answers.user_profile(release, user)).model_dump()
        no = refused[user] is False
        assert told["profile"]["profiling_refused"] is no
        assert (told["scores"] == []) == no
        inferred = {name: value for name, value in told["profile"].items() if name in INFERRED}
        assert inferred
        seen[any(value is not None for value in inferred.values())] += 1
        if no:
            assert set(inferred.values()) == {None}
            assert "lifecycle_group" in told["profile"]
            assert answers.user_scores(release, user)["scores"] != []
    assert min(seen.values()) > 0
