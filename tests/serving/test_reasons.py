"""Reasons in plain words: no raw feature name, both languages, rules too, and the numbers add up."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest

from features.catalogue import FEATURES
from serving.reasons import TOP, UNITS_ZH, Explanation, explain, percent, words
from serving.release import Release

PEOPLE = 40


@pytest.fixture(scope="module")
def told(release: Release) -> dict[str, list[Explanation]]:
    """What every second customer is told, by language; made once, for the trees of each take a moment."""
    users = release.features(["entity_id"])["entity_id"].to_pylist()[: 2 * PEOPLE : 2]
    languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")
    return {
        language: [explained for user in users for explained in explain(release, user, language)]
        for language in languages
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_raw_feature_name_appears(told: dict[str, list[Explanation]], language: str) -> None:
    raw = {feature.name for feature in FEATURES if "_" in feature.name}
    for explained in told[language]:
        text = " ".join(explained.sentences)
        assert not [name for name in raw if name in text]
        assert "_" not in text
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")


def test_at_most_three_up_and_three_down_strongest_first(told: dict[str, list[Explanation]]) -> None:
    seen = 0
    for explained in told["en"]:
        up = [reason.log_odds for reason in explained.reasons if reason.raises]
        down = [reason.log_odds for reason in explained.reasons if not reason.raises]
        assert len(up) <= TOP
        assert len(down) <= TOP
        assert up == sorted(up, reverse=True)
        assert down == sorted(down)
        assert all(weight > 0 for weight in up)
        assert all(weight < 0 for weight in down)
        assert (explained.probability is None) == (explained.state is not None)
        assert explained.probability is not None or not explained.reasons
        seen += len(up) + len(down)
    assert seen > 50


def test_churn_is_told_with_the_signs_of_repurchase_turned(release: Release) -> None:
    for user in release.features(["entity_id"])["entity_id"].to_pylist():
        told = {(each.target, each.horizon_days): each for each in explain(release, user)}
        churn, repurchase = told[("churn", 30)], told[("repurchase", 30)]
        if churn.reasons and repurchase.reasons:
            assert {(r.text, r.log_odds) for r in churn.reasons} == {(r.text, -r.log_odds) for r in repurchase.reasons}
            return
    raise AssertionError("nobody is in both populations")


def test_a_rule_is_told_by_what_it_reads(release: Release) -> None:
    explained = next(each for each in explain(release, "u005", "en") if each.horizon_days == 90)
    days = release.features_of("u005")["days_since_last_order"][0].as_py()
    assert explained.reasons[0].text == f"days since the last order ({days:.0f})"


def test_contributions_add_up_to_the_probability(release: Release) -> None:
    row, model = release.features_of("u005"), release.models[("repurchase", 30)]
    _, contributions, start = model.contributions(row)  # type: ignore[union-attr]
    odds = np.exp(start + contributions.sum(axis=1))
    assert np.allclose(odds / (1 + odds), model.predict(row), atol=1e-9)


@pytest.mark.parametrize(
    ("share", "en", "zh"),
    [
        (0.0, "0.0 %", "0.0%"),
        (1e-9, "<0.1 %", "<0.1%"),
        (0.00049, "<0.1 %", "<0.1%"),
        (0.0005, "0.1 %", "0.1%"),
        (0.897, "89.7 %", "89.7%"),
        (0.99949, "99.9 %", "99.9%"),
        (0.9996, ">99.9 %", ">99.9%"),
        (1.0, "100.0 %", "100.0%"),
    ],
)
def test_a_probability_is_never_shown_as_certain(share: float, en: str, zh: str) -> None:
    assert (percent(share, "en"), percent(share, "zh")) == (en, zh)


@pytest.mark.parametrize(
    ("name", "value", "en", "zh"),
    [
        ("days_since_last_order", 44.0, "days since the last order (44)", "距最近一次下单的天数（44天）"),
        ("longest_days_between_orders", 1.0, "longest time between order days (1 day)", "最长下单间隔天数（1天）"),
        ("amount_90d", 1234.5, "money spent in the last 90 days (1,234.50 CNY)", "近90天消费金额（1,234.50 CNY）"),
        ("coupon_order_share_90d", 0.25, "share of orders with a coupon in the last 90 days (25 %)",
         "近90天用券订单的比例（25%）"),
        ("category_count_30d", 1.0, "different categories bought in the last 30 days (1 category)",
         "近30天购买的不同品类数（1个品类）"),
        ("was_referred", 1.0, "1 where somebody referred the customer (yes)", "是否由他人推荐（是）"),
        ("region", None, "region (not known)", "地区（未知）"),
        ("ours", 3.0, "a measure of the company's own", "企业自有指标"),
    ],
)  # fmt: skip
def test_a_feature_in_words(name: str, value: float | None, en: str, zh: str) -> None:
    row = pa.table({name: [value]})
    assert (words(name, row, "CNY", "en"), words(name, row, "CNY", "zh")) == (en, zh)


def test_every_unit_has_its_chinese_word() -> None:
    silent = {"money", "share", "flag", "year", "rating", "ratio", "score"}
    assert {feature.unit for feature in FEATURES if feature.unit} - silent <= set(UNITS_ZH)


ENGLISH = re.compile(r"[A-Za-z]{2,}")


def test_chinese_sentences_hold_no_english(told: dict[str, list[Explanation]]) -> None:
    assert len({explained.state for explained in told["zh"]}) > 4
    for explained in told["zh"]:
        for sentence in explained.sentences:
            known = re.sub(r"（[^（）]*）", "", sentence)
            assert not ENGLISH.search(known), sentence


def test_no_feature_is_said_in_english_in_a_chinese_sentence() -> None:
    """All that there are, whether or not a tree of this release asks them."""
    for feature in FEATURES:
        for value in (None, 2.0):
            said = words(feature.name, pa.table({feature.name: pa.array([value], pa.float64())}), "元", "zh")
            assert not ENGLISH.search(said), said


@pytest.mark.parametrize(("language", "end"), [("en", " % on average."), ("zh", "%。")])
def test_of_an_unknown_user_the_averages_are_told(release: Release, language: Literal["en", "zh"], end: str) -> None:
    told = explain(release, "nobody", language)
    averages = {key: model.base_rate for key, model in release.models.items()}
    assert {(each.target, each.horizon_days): each.probability for each in told} == averages
    for each in told:
        assert (each.state, each.reasons) == ("unknown user", ())
        [sentence] = each.sentences
        assert sentence.endswith(end)


def test_a_rule_lowers_what_is_below_the_average_and_raises_what_is_above(
    release: Release, told: dict[str, list[Explanation]]
) -> None:
    seen = set()
    for explained in told["en"]:
        model = release.models[(explained.target, explained.horizon_days)]
        if model.kind == "rule" and explained.probability is not None:
            (reason,) = explained.reasons
            assert reason.raises == (explained.probability > model.base_rate)
            seen.add(reason.raises)
    assert seen == {True, False}
