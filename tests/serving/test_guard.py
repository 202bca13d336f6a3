"""The guard: sizes, media types, strict JSON, one shape of error that repeats nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from serving import guard, wire
from serving.access import Tokens
from serving.guard import Guard
from serving.problems import MEDIA_TYPE

LINE = {"user_id": "u1", "ordered_at": "2024-05-01T10:00:00Z", "amount": 3}
BODY = {"as_of": "2024-06-01", "orders": [LINE]}


def problem(response: Any, status: int) -> wire.Problem:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    told = wire.Problem.model_validate_json(response.content)
    assert told.status == status
    return told


def test_scores_of_raw_lines(client: Any) -> None:
    told = wire.LineScores.model_validate_json(client.post("/v1/score", BODY).content)
    assert (told.accepted, [user.user_id for user in told.users]) == (1, ["u1"])


def test_no_lines_no_users(client: Any) -> None:
    assert client.post("/v1/score", {"as_of": "2024-06-01"}).json()["users"] == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/vnd.bentoml+pickle", ""]
)
def test_only_json_is_taken(client: Any, kind: str) -> None:
    response = client.post("/v1/score", content=json.dumps(BODY).encode(), headers={"content-type": kind})
    problem(response, 415)


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100_000):
        yield b" " * 100_000


def test_a_large_body_is_refused_by_its_declared_length_and_by_count(client: Any) -> None:
    headers = {"content-type": "application/json"}
    problem(client.post("/v1/score", content=b" " * 40_000_000, headers=headers), 413)
    problem(client.post("/v1/score", content=chunks(40_000_000), headers=headers), 413)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"nul", b'{"as_of": NaN}', b'{"as_of": Infinity}', b'{"as_of": "2024-06-01", "as_of": "2024-06-02"}',
        b"\xff\xfe{}", b"[" * 200_000, b'{"as_of": ' + b"9" * 6000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_strict_json_is_a_400(client: Any, raw: bytes) -> None:
    problem(client.post("/v1/score", content=raw, headers={"content-type": "application/json"}), 400)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "as_of"),
        ({"as_of": "2024-13-01"}, "as_of"),
        ({"as_of": "2024-06-01T00:00:00"}, "as_of"),
        ({"as_of": 20240601}, "as_of"),
        ({"as_of": "1024-06-01"}, "as_of"),
        ({**BODY, "secret-key-4711": 1}, "(unknown key)"),
        ({**BODY, "orders": [{**LINE, "amount": True}]}, "orders.0.amount"),
        ({**BODY, "orders": [{**LINE, "amount": 1e999}]}, "orders.0.amount"),
        ({**BODY, "orders": [{**LINE, "user_id": "x" * 129}]}, "orders.0.user_id"),
        ({**BODY, "orders": [{**LINE, "user_id": "a\u0000b"}]}, "orders.0.user_id"),
        ({**BODY, "orders": [{**LINE, "user_id": 7}]}, "orders.0.user_id"),
        ({**BODY, "orders": {}}, "orders"),
        ({**BODY, "orders": [LINE] * 1001}, "orders"),
        ({**BODY, "orders": [{**LINE, "amuont": 1}]}, "orders.0.amuont"),
        ({**BODY, "orders": [LINE, {**LINE, "4711": 1}]}, "orders.1.(unknown key)"),
        ({**BODY, "orders": [LINE, 4711]}, "orders.1"),
        ({**BODY, "orders": [{**LINE, "amount": {"4711": 1}}]}, "orders.0.amount"),
        ({**BODY, "orders": [{**LINE, "amount": "4711" * 20}]}, "orders.0.amount"),
        ({**BODY, "orders": [{**LINE, "unit_price": [4711]}]}, "orders.0.unit_price"),
        ({**BODY, "events": [{"user_id": "4711", "event": 7}]}, "events.0.occurred_at"),
        ([], "body"),
        (None, "body"),
    ],
)
def test_what_the_model_forbids_is_a_422(client: Any, body: Any, where: str) -> None:
    raw = json.dumps(body).replace("Infinity", "1e999").encode()
    response = client.post("/v1/score", content=raw, headers={"content-type": "application/json"})
    told = problem(response, 422)
    assert told.errors[0].where == where
    assert all(error.message.startswith("expected ") for error in told.errors)
    assert "4711" not in response.text
    assert "x" * 129 not in response.text


@pytest.mark.parametrize(
    ("body", "where", "message"),
    [
        ({"rule": 3}, "rule", "expected a text or an object"),
        ({"rule": "everyone", "channel": "4711"}, "channel", "expected 'sms', 'email' or 'push'"),
        ({"rule": "everyone", "target": "47 11"}, "target", "expected letters, digits and underscores"),
        ({"rule": "everyone", "limit": 1.5}, "limit", "expected a whole number"),
        ({"rule": "everyone", "limit": -1}, "limit", "expected a number of at least 0"),
        ({"rule": "everyone", "Limit": 1}, "Limit", "expected a known key, such as limit"),
        ({"limit": 1}, "rule", "expected a value, and there is none"),
    ],
)
def test_each_place_is_told_once_in_words(client: Any, body: Any, where: str, message: str) -> None:
    response = client.post("/v1/audience", body)
    [told] = problem(response, 422).errors
    assert (told.where, told.message) == (where, message)
    assert "47" not in response.text


def test_a_body_of_wrong_keys_is_answered_soon(client: Any) -> None:
    """Nearest names are looked for as often as they are told, not for each of a thousand lines."""
    lines = [{**LINE, **{f"{letter}mount{letter}": 1 for letter in "bcdfghjklmnpqrstvwxyz"}} for _ in range(900)]
    told = problem(client.post("/v1/score", {"as_of": "2024-06-01", "orders": lines}), 422)
    assert len(told.errors) == 20
    assert "18900 errors" in told.detail


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ({**LINE, "ordered_at": "the day before"}, "orders.1.ordered_at"),
        ({**LINE, "amount": "canary 4711"}, "orders.1.amount"),
        ({**LINE, "user_id": " u1"}, "orders.1.user_id"),
        ({**LINE, "ordered_at": "2999-01-01"}, "orders.1.ordered_at"),
        ({**LINE, "amount": -3}, "orders.1.amount"),
    ],
)
def test_lines_that_break_the_contract_are_a_422(client: Any, line: Any, where: str) -> None:
    response = client.post("/v1/score", {**BODY, "orders": [LINE, line]})
    assert [error.where for error in problem(response, 422).errors] == [where]
    assert "4711" not in response.text


def test_at_most_20_errors_are_listed(client: Any) -> None:
    told = problem(client.post("/v1/score", {**BODY, "orders": [{}] * 50}), 422)
    assert len(told.errors) == 20
    assert "100 errors" in told.detail


def test_unknown_paths_and_methods(client: Any) -> None:
    problem(client.get("/v1/nothing"), 404)
    problem(client.get("/docs.json"), 404)
    told = client.request("DELETE", "/v1/release")
    problem(told, 405)
    assert "GET" in told.headers["allow"]
    problem(client.get("/v1/score"), 405)


def test_audience(client: Any, contents: Any) -> None:
    told = wire.Audience.model_validate_json(
        client.post("/v1/audience", {"rule": "repurchase_probability in top 20 %", "limit": 3}).content
    )
    ordered = sum(1 for n in contents.features["order_count_lifetime"].to_pylist() if n and n > 0)
    chosen = -(-ordered // 5)
    assert told.count + sum(told.suppressed.values()) >= chosen
    assert told.count <= chosen
    assert len(told.user_ids) == min(3, told.count)
    assert 0 <= told.expected_hits <= told.count  # type: ignore[operator]


@pytest.mark.parametrize("rule", ["everyone", 'region = "north"', 'has tag "vip"', 'churn_state = "already inactive"'])
def test_rules_reach_all_kinds_of_fields(client: Any, rule: str) -> None:
    told = client.post("/v1/audience", {"rule": rule}).json()
    assert told["count"] > 0
    assert told["rule"] == rule
    assert told["suppressed"]["blocked"] > 0


def test_consent_that_is_not_known_is_no(client: Any, shop: Any) -> None:
    told = client.post("/v1/audience", {"rule": "everyone", "channel": "sms", "limit": 1000}).json()
    may = {
        line["user_id"] for line in shop.lines["users"] if line["consent_sms"] == "true" and line["blocked"] != "true"
    }
    assert set(told["user_ids"]) == may


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"rule": "order_cuont_lifetime > 3"}, 422),
        ({"rule": "everyone", "target": "nothing"}, 422),
        ({"rule": "everyone", "horizon_days": 31}, 422),
        ({"rule": "everyone", "channel": "push"}, 200),
        ({"rule": {"all": []}}, 422),
        ({"rule": {"field": "region", "op": "=", "value": "north"}}, 200),
        ({"rule": 3}, 422),
        ({"rule": "everyone", "limit": 1001}, 422),
        ({"rule": "everyone", "limit": "3"}, 422),
    ],
)
def test_audience_says_what_is_wrong(client: Any, body: Any, status: int) -> None:
    assert client.post("/v1/audience", body).status_code == status


async def _broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("a phone number, 13912345678")


def test_an_unforeseen_error_tells_nothing(caplog: pytest.LogCaptureFixture, asking: Any) -> None:
    response = asking(Guard(_broken, {})).get("/v1/release")
    problem(response, 500)
    assert "139" not in response.text + caplog.text
    assert "test_guard.py" in caplog.text


def test_tokens(app: Any, asking: Any) -> None:
    asked = asking(Guard(app, {}, Tokens(["a-token-of-20-letters", "another-token-of-some"])))
    for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic a-token-of-20-letters"}):
        response = asked.get("/v1/release", headers=header)
        problem(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"
    assert asked.get("/livez").status_code == 200
    assert asked.get("/v1/release", headers={"authorization": "bearer another-token-of-some"}).status_code == 200


def test_too_many_at_once_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch, app: Any, asking: Any) -> None:
    monkeypatch.setattr(guard, "MAX_AT_ONCE", 0)
    response = asking(app).post("/v1/score", BODY)
    problem(response, 429)
    assert response.headers["retry-after"] == "1"


def test_hits_are_expected_of_the_target_the_rule_asks_about(client: Any) -> None:
    for rule, target in (("repurchase_probability in top 20 %", "repurchase"), ("churn_percentile > 50", "churn")):
        told = wire.Audience.model_validate_json(client.post("/v1/audience", {"rule": rule, "limit": 1}).content)
        assert told.target == target
