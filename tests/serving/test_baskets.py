"""Suggestions that know what was just bought, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from serving import wire


def asked(client: Any, path: str) -> wire.BasketSuggestions | wire.UserSuggestions:
    told = client.get(path)
    assert told.status_code == 200, told.content
    of_user = path.startswith("/v1/users")
    return (wire.UserSuggestions if of_user else wire.BasketSuggestions).model_validate_json(told.content)


def names(told: wire.BasketSuggestions | wire.UserSuggestions) -> list[str]:
    return [item.item_id for item in told.items]


def test_a_basket_is_completed_with_what_it_has_not_and_what_may_be_sold(client: Any) -> None:
    told = asked(client, "/v1/suggestions?context_items=item1,item2&context_items=unheard&exclude=item3&k=100")
    assert told.items
    assert not {"item1", "item2", "item3", "item10", "item11"} & set(names(told))  # 10 and 11 are not for sale
    assert len(names(told)) == len(set(names(told)))
    reasons = {item.reason for item in told.items if item.source == "similar"}
    assert reasons == {"Often bought together with item1", "Often bought together with item2"}
    unheard, nothing = (asked(client, f"/v1/suggestions?{query}k=3") for query in ("context_items=unheard&", ""))
    assert names(unheard) == names(nothing)
    assert {item.source for item in nothing.items} == {"popular"}


def test_what_was_just_bought_is_not_offered_again_and_what_completes_it_comes_in_turn(client: Any) -> None:
    before = asked(client, "/v1/users/u001/suggestions?k=4")
    bought = names(before)[0]
    after = asked(client, f"/v1/users/u001/suggestions?k=4&context_items={bought}")
    basket = asked(client, f"/v1/suggestions?context_items={bought}&k=4")
    assert bought not in names(after)
    assert names(after)[0] == names(basket)[0]
    assert names(after)[1] == next(item for item in names(before)[1:] if item != names(basket)[0])
    assert [item.rank for item in after.items] == [1, 2, 3, 4]


@pytest.mark.parametrize("query", ["k=0", "context_items=" + "x" * 129, "basket=item1", "k=1&k=2"])
def test_what_cannot_be_asked(client: Any, query: str) -> None:
    assert client.get(f"/v1/suggestions?{query}").status_code == 422
