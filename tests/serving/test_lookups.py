"""Lookups over HTTP in this process: ids exactly as they are, fallbacks, filters, pages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from serving import wire
from serving.release import Release


def strict(response: Any) -> dict:  # type: ignore[type-arg]
    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(response.content, parse_constant=refuse)


@pytest.mark.parametrize("user", ["007", "a/b", "a/scores", "小明", "with space", "e\u0301", "x%41", "q?r#s", "u003"])
def test_ids_are_kept_exactly(client: Any, release: Release, user: str) -> None:
    response = client.get(f"/v1/users/{quote(user, safe='')}/scores")
    assert response.status_code == 200
    told = wire.UserScores.model_validate(strict(response))
    assert (told.user_id, told.known, told.release) == (user, release.scores.row(user) is not None, "r1")


@pytest.mark.parametrize("user", ["7", "7 ", "é", "A/B", "nobody"])
def test_an_unknown_user_gets_base_rates(client: Any, release: Release, user: str) -> None:
    told = wire.UserScores.model_validate(strict(client.get(f"/v1/users/{quote(user, safe='')}/scores")))
    assert not told.known
    rates = {(each.target, each.horizon_days): each.probability for each in told.scores}
    assert rates == {key: model.base_rate for key, model in release.models.items()}
    assert {each.state for each in told.scores} == {"unknown user"}


@pytest.mark.parametrize("path", ["", "%00", "a%0Ab", "%E2%80%AE", "x" * 129])
def test_what_cannot_be_an_id_is_refused(client: Any, path: str) -> None:
    response = client.get(f"/v1/users/{path}/scores")
    assert response.status_code == 422
    problem = wire.Problem.model_validate(strict(response))
    assert problem.errors[0].where in ("user_id", "path")
    assert "x" * 129 not in response.text


def test_a_path_that_is_not_utf_8(client: Any) -> None:
    assert client.get("/v1/users/%FF/scores").status_code == 400


def test_suggestions_go_down_the_ladder(client: Any, release: Release) -> None:
    own = [row["item_id"] for row in release.suggestions.of("a/b")]
    told = wire.UserSuggestions.model_validate(strict(client.get("/v1/users/a%2Fb/suggestions?k=100")))
    items = [each.item_id for each in told.items]
    offered = [item for item in own if item not in release.not_for_sale]
    assert items[: len(offered)] == offered
    assert sorted(items) == sorted(f"item{k}" for k in range(10))
    assert [each.rank for each in told.items] == list(range(1, 11))
    assert {each.source for each in told.items[len(offered) :]} == {"popular"}


def test_excluded_items_are_left_out_and_unknown_ones_change_nothing(client: Any) -> None:
    path = "/v1/users/nobody/suggestions?k=3"
    assert [i["item_id"] for i in strict(client.get(path))["items"]] == ["item0", "item1", "item2"]
    told = strict(client.get(f"{path}&exclude=item1,nothing,item0"))
    assert [i["item_id"] for i in told["items"]] == ["item2", "item3", "item4"]
    assert not told["known"]


def test_exclude_may_be_given_more_than_once(client: Any) -> None:
    path = "/v1/users/nobody/suggestions?k=3"
    told = strict(client.get(f"{path}&exclude=item1&exclude=item0,nothing&exclude="))
    assert told == strict(client.get(f"{path}&exclude=item1,item0,nothing"))
    assert [i["item_id"] for i in told["items"]] == ["item2", "item3", "item4"]
    twice = "&exclude=".join(",".join(str(n) for n in range(start, start + 501)) for start in (0, 501))
    assert client.get(f"{path}&exclude={twice}").status_code == 422


def test_excluded_items_without_effect_are_counted(client: Any) -> None:
    """item10 is out of stock, item11 retired, nothing and NOTHING unknown; item1 has an effect."""
    path = "/v1/users/nobody/suggestions?k=3"
    assert strict(client.get(path))["exclude_ignored"] == 0
    told = strict(client.get(f"{path}&exclude=item1,item1,item10,item11,nothing,NOTHING,,"))
    assert told["exclude_ignored"] == 4
    assert [i["item_id"] for i in told["items"]] == ["item0", "item2", "item3"]


def test_more_than_there_are_gives_all_that_there_are(client: Any, contents: Any) -> None:
    """Whatever a customer has bought, and twice the same: no padding, no item twice, finite strengths."""
    for user in contents.features["entity_id"].to_pylist()[:30]:
        response = client.get(f"/v1/users/{quote(user, safe='')}/suggestions?k=100")
        told = wire.UserSuggestions.model_validate(strict(response))
        assert sorted(each.item_id for each in told.items) == sorted(f"item{k}" for k in range(10))
        assert all(each.strength is not None for each in told.items)
        assert client.get(f"/v1/users/{quote(user, safe='')}/suggestions?k=100").content == response.content


def test_all_items_excluded(client: Any) -> None:
    told = strict(client.get(f"/v1/users/007/suggestions?exclude={','.join(f'item{k}' for k in range(10))}"))
    assert (told["items"], told["reason"]) == ([], "all that could be suggested is excluded or not for sale")


@pytest.mark.parametrize("exclude", ["x" * 129, "item1,a%00b", "a%0Ab", "%E2%80%AE", ",".join(map(str, range(1001)))])
def test_what_cannot_be_excluded_is_refused(client: Any, exclude: str) -> None:
    response = client.get(f"/v1/users/007/suggestions?exclude={exclude}")
    assert response.status_code == 422
    assert strict(response)["errors"][0]["where"] == "exclude"
    assert exclude not in response.text


def test_as_many_as_may_be_excluded(client: Any) -> None:
    told = strict(client.get(f"/v1/users/007/suggestions?exclude={','.join(map(str, range(1000)))}"))
    assert (len(told["items"]), told["exclude_ignored"]) == (10, 1000)


def test_a_query_that_is_not_utf_8(client: Any) -> None:
    assert client.get("/v1/users/007/suggestions?exclude=%FF").status_code == 400


@pytest.mark.parametrize(
    ("path", "user"),
    [("%2F", "/"), ("a%2Fsuggestions", "a/suggestions"), ("a/suggestions", "a/suggestions"), ("a%2F..%2Fb", "a/../b")],
)
def test_slashes_in_ids(client: Any, path: str, user: str) -> None:
    assert strict(client.get(f"/v1/users/{path}/suggestions?k=1"))["user_id"] == user


@pytest.mark.parametrize("path", ["/v1/users//suggestions", "/v1/items//similar", f"/v1/items/{'x' * 129}/similar"])
def test_no_id_and_a_long_one(client: Any, path: str) -> None:
    assert client.get(path).status_code == 422


def test_similar_items_without_those_not_for_sale(client: Any) -> None:
    told = wire.SimilarItems.model_validate(strict(client.get("/v1/items/item1/similar")))
    assert [(each.rank, each.item_id) for each in told.items] == [(1, "item4"), (2, "item7")]
    assert told.model_version == "gp_topfreq-1"
    none = strict(client.get("/v1/items/nothing/similar"))
    assert (none["items"], none["known"]) == ([], False)
    assert none["reason"]


@pytest.mark.parametrize("k", ["0", "101", "-1", "1.0", "ten", "", "2000000000", "٣", "1e1", " 1"])
def test_k_is_a_whole_number_from_1_to_100(client: Any, k: str) -> None:
    response = client.get(f"/v1/users/007/suggestions?k={quote(k)}")
    assert response.status_code == 422
    assert strict(response)["errors"][0]["where"] == "k"


@pytest.mark.parametrize("query", ["k=1&k=2", "limit=3", "k=1&exclude=a&k=1"])
def test_the_query_is_strict(client: Any, query: str) -> None:
    assert client.get(f"/v1/users/007/suggestions?{query}").status_code == 422


def test_the_release_says_what_is_absent(client: Any) -> None:
    told = wire.ReleaseInfo.model_validate(strict(client.get("/v1/release")))
    assert told.absent[0].needs == "contacts"
    assert {model.kind for model in told.models} == {"lightgbm", "rule"}
    assert not told.degraded


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_ask_nobody_else(client: Any, path: str) -> None:
    page = client.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert "http:" not in page.text
    assert "https:" not in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_probes_and_metrics(client: Any) -> None:
    assert [client.get(path).status_code for path in ("/livez", "/readyz")] == [200, 200]
    client.get("/v1/users/canary-id-4711/scores")
    told = client.get("/metrics").text
    assert 'route="user_scores",status="200"' in told
    assert "4711" not in told


def test_churn_is_one_minus_repurchase_over_http(client: Any, contents: Any, shop: Any) -> None:
    """By GET for everybody and by POST of raw lines: one minus, or nothing and the reason."""
    days = dict(zip(*(contents.features[n].to_pylist() for n in ("entity_id", "days_since_last_act")), strict=True))
    answers = {user: client.get(f"/v1/users/{quote(user, safe='')}/scores").json()["scores"] for user in days}
    compared = list(answers.items())
    for group in (list(days)[:40], list(days)[40:]):
        lines = {name: [line for user in group for line in shop.of(user, name)] for name in ("orders", "events")}
        told = client.post("/v1/score", {"as_of": contents.as_of.isoformat(), **lines}).json()
        compared += [(user["user_id"], user["scores"]) for user in told["users"]]
    assert len(compared) > 1.5 * len(days)
    for user, scores in compared:
        by_key = {(row["target"], row["horizon_days"]): row for row in scores}
        churn, repurchase = by_key["churn", 30], by_key["repurchase", 30]
        if days[user] is not None and days[user] <= 60:
            assert churn["probability"] == 1 - repurchase["probability"]
            assert churn["state"] is None
        else:
            assert (churn["probability"], churn["percentile"]) == (None, None)
            assert churn["state"] == ("no act yet" if days[user] is None else "already inactive")
