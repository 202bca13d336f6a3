"""Questions with a body: whose hits are expected, who refused profiling, and users of whom nothing is seen yet."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from audiences.audience import build_audience
from features import rules
from serving import customers, wire
from serving.release import Release
from warehouse.settings import Settings
from warehouse.workspace import Workspace

RULES = {
    "churn_probability >= 0.2": ("churn", 30),
    "repurchase_percentile_90d >= 20 and churn_percentile is known": ("repurchase", 90),
    "everyone top 20 by win_back_probability": ("win_back", 30),
    "order_count_lifetime >= 1": ("repurchase", 30),
    "everyone": ("repurchase", 30),
    "order_count_lifetime = 0": None,
    "order_count_lifetime > 1000": ("repurchase", 30),
}
"""Rules, and whose hits are expected of them: what the rule asks, else the first declared target that has some."""


def asked(client: Any, rule: str, **more: Any) -> wire.Audience:
    response = client.post("/v1/audience", {"rule": rule, "limit": 1000, **more})
    assert response.status_code == 200, response.text
    return wire.Audience.model_validate_json(response.content)


def of_those(release: Release, name: str, wanted: Any) -> set[str]:
    table = customers.customers(release, [name])
    return {
        user for user, one in zip(*(table[n].to_pylist() for n in ("entity_id", name)), strict=True) if one == wanted
    }


@pytest.mark.parametrize(("rule", "target"), RULES.items())
def test_both_doors_expect_the_same(
    client: Any, release: Release, tmp_path: Path, rule: str, target: tuple[str, int] | None
) -> None:
    told = asked(client, rule)
    frame = customers.customers(release, customers.fields(release))
    built = build_audience(
        Workspace(tmp_path, Settings()), "same", frame, rule, release.as_of, release.id, datetime(2024, 6, 2),
        scores=customers.scored(release),
    )  # fmt: skip
    assert built.counts["left"] == told.count
    if target is None:
        assert (told.target, told.expected_hits, built.expected_hits, told.model_version) == (None, None, None, None)
        assert told.count > 0
        assert told.expected_hits_reason == built.manifest["expected_hits_reason"]
        assert "nobody in it has a probability" in (told.expected_hits_reason or "")
        return
    hits = built.expected_hits
    assert hits is not None
    assert (told.target, told.horizon_days) == (hits.target, hits.horizon_days) == target
    assert told.model_version == hits.model_version == release.models[target].version
    assert told.expected_hits == pytest.approx(hits.treatment + hits.control, abs=1e-5)
    refused = of_those(release, "consent_profiling", False)
    known = dict(zip(release.scores.users.to_pylist(), release.scores.targets[target].probability, strict=True))
    by_hand = [known[user] for user in told.user_ids if user not in refused and not math.isnan(known[user])]
    assert told.expected_hits == pytest.approx(sum(by_hand))
    assert bool(by_hand) == (told.count > 0)


def test_who_refused_profiling_is_chosen_by_no_score(client: Any, release: Release) -> None:
    """Who never said has not refused, and who refused may still be chosen by what is no score."""
    refused = of_those(release, "consent_profiling", False)
    silent = of_those(release, "consent_profiling", None)
    by_score, by_count = asked(client, "repurchase_probability >= 0"), asked(client, "order_count_lifetime >= 1")
    assert not refused & set(by_score.user_ids)
    assert silent & set(by_score.user_ids)
    assert refused & set(by_count.user_ids)
    assert set(by_count.user_ids) - set(by_score.user_ids) <= refused
    assert (by_score.suppressed["no_profiling"] > 0, by_count.suppressed["no_profiling"]) == (True, 0)


def test_a_named_target_is_told_even_where_nobody_has_it(client: Any) -> None:
    rule = "order_count_lifetime = 0"
    told = asked(client, rule, target="churn")
    assert (told.target, told.horizon_days, told.expected_hits) == ("churn", 30, 0)
    assert asked(client, "everyone", horizon_days=90).target == "repurchase"
    assert client.post("/v1/audience", {"rule": rule, "target": "churn", "horizon_days": 90}).status_code == 422


def test_a_rule_may_be_json_as_text_too(client: Any) -> None:
    text = "order_count_lifetime >= 3 and churn_probability > 0.1"
    form = rules.parse(text).to_json()
    said = {asked(client, rule).model_dump_json() for rule in (text, form, json.dumps(form))}
    assert len(said) == 1


def test_a_word_that_is_no_field_is_told_with_near_ones(client: Any) -> None:
    for wrong, near in (("churn_probabilty", "churn_probability"), ("churn", "churn_probability")):
        for rule in (f"{wrong} > 0.5", {"field": wrong, "op": ">", "value": 0.5}):
            response = client.post("/v1/audience", {"rule": rule})
            assert response.status_code == 422
            assert near in response.json()["detail"]


def test_a_rule_over_a_segment_in_every_form(client: Any, release: Release) -> None:
    form = {"field": "buyer_type", "op": "=", "value": "复购客"}
    said = [asked(client, rule) for rule in ('buyer_type = "repeat"', 'buyer_type = "复购客"', form)]
    by_count = asked(client, "order_count_lifetime >= 2")
    assert {each.rule for each in said} == {'buyer_type = "repeat"'}
    assert [each.user_ids for each in said] == [by_count.user_ids] * 3
    assert said[0].count > 0
    assert set(asked(client, 'buyer_type = "never_bought"').user_ids) <= of_those(release, "order_count_lifetime", 0)
    for rule in ('buyer_type = "repeated"', {**form, "value": "repeated"}):
        response = client.post("/v1/audience", {"rule": rule})
        assert response.status_code == 422
        assert 'Did you mean "repeat"?' in response.json()["detail"]


def test_a_user_of_later_lines_only_is_answered_as_unknown(client: Any, release: Release) -> None:
    later = {"user_id": "later", "ordered_at": "2024-06-01T00:00:00", "order_id": "1", "item_id": "item1", "amount": 1}
    seen = {**later, "user_id": "seen", "ordered_at": "2024-05-01T00:00:00"}
    for orders in ([later], [later, seen]):
        response = client.post("/v1/score", {"as_of": release.as_of.isoformat(), "orders": orders})
        told = wire.LineScores.model_validate_json(response.content)
        assert [(each.user_id, each.known) for each in told.users] == [("later", False), ("seen", True)][: len(orders)]
        rates = {(each.target, each.horizon_days): each.probability for each in told.users[0].scores}
        assert rates == {key: model.base_rate for key, model in release.models.items()}
        assert {each.state for each in told.users[0].scores} == {"unknown user"}
