"""Why a probability is what it is, in plain words: contributions gathered by meaning, never a feature's raw name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.catalogue import Feature, by_name
from serving.complements import Complement, Key, Model
from serving.fallbacks import unknown_scores
from serving.release import Release

Language = Literal["en", "zh"]
TOP = 3
_SMALLEST = 1e-6


@dataclass(frozen=True)
class Reason:
    """One thing that moves a probability: in words, which way, and by how much in log-odds."""

    text: str
    raises: bool
    log_odds: float


@dataclass(frozen=True)
class Explanation:
    """One target's probability with what moves it most, up first, the strongest first."""

    target: str
    horizon_days: int
    probability: float | None
    state: str | None
    reasons: tuple[Reason, ...]
    sentences: tuple[str, ...]


def explain(release: Release, user_id: str, language: Language | None = None) -> list[Explanation]:
    """For every target the probability of one user and its reasons; for a user the release does not know the average
    of the target's population, without any.

    Features of one meaning (the same count over several windows) are one reason, told by the window that weighs most.
    The contributions are log-odds and add up, from a typical user's, to the probability.
    """
    told = language or release.settings.language
    scores = release.scores.of(user_id)
    if scores is None:
        return [_average(score, told) for score in unknown_scores(release)]
    row = release.features_of(user_id)
    explanations = []
    for score in scores:
        model = release.models[(score["target"], score["horizon_days"])]
        inside = score["probability"] is not None
        known = {**by_name(), **{feature.name: feature for feature in release.own.features}}
        currency = release.settings.currency
        reasons = _reasons(model, score["probability"], row, currency, told, known) if inside else ()
        explanations.append(
            Explanation(
                score["target"],
                score["horizon_days"],
                score["probability"],
                score["state"],
                reasons,
                _sentences((score["target"], score["horizon_days"]), score, model.base_rate, reasons, told),
            )
        )
    return explanations


def _average(score: dict[str, Any], language: Language) -> Explanation:
    """What is said of a target where nothing is known of the user."""
    target, horizon, average = score["target"], score["horizon_days"], score["probability"]
    said, usual = _target((target, horizon), language), percent(average, language)
    sentence = f"{said}: {usual} on average." if language == "en" else f"{said}：平均{usual}。"
    return Explanation(target, horizon, average, score["state"], (), (sentence,))


def _reasons(
    model: Model,
    probability: float,
    row: pa.Table,
    currency: str,
    language: Language,
    known: Mapping[str, Feature],
) -> tuple[Reason, ...]:
    """The strongest reasons up and down; a rule has one, all that it reads, told against the average."""
    base = model.of if isinstance(model, Complement) else model
    if base.kind == "rule" and not base.columns:
        return ()
    if base.kind == "rule":
        texts = (words(name, row, currency, language, known) for name in base.columns)
        joined = (", " if language == "en" else "、").join(text for text in texts if text)
        moved = _log_odds(probability) - _log_odds(model.base_rate)
        return (Reason(joined, moved > 0, moved),)
    names, contributions, _ = base.contributions(row)
    amounts = (-1.0 if isinstance(model, Complement) else 1.0) * contributions[0]
    totals = _by_meaning(names, amounts, known)
    up = sorted((each for each in totals if each[1] > _SMALLEST), key=lambda each: -each[1])[:TOP]
    down = sorted((each for each in totals if each[1] < -_SMALLEST), key=lambda each: each[1])[:TOP]
    return tuple(Reason(words(name, row, currency, language, known), total > 0, total) for name, total in (*up, *down))


def _by_meaning(
    names: Iterable[str], amounts: npt.NDArray[np.float64], catalogue: Mapping[str, Feature]
) -> list[tuple[str, float]]:
    """For each meaning the feature that weighs most and the sum over all of it."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for name, amount in zip(names, amounts.tolist(), strict=True):
        groups.setdefault(_meaning(name, catalogue.get(name)), []).append((name, amount))
    return [
        (max(members, key=lambda each: abs(each[1]))[0], math.fsum(amount for _, amount in members))
        for members in groups.values()
    ]


def _log_odds(probability: float) -> float:
    kept = min(max(probability, _SMALLEST), 1 - _SMALLEST)
    return math.log(kept / (1 - kept))


def _meaning(name: str, feature: Feature | None) -> str:
    """What a feature is about, its window left aside."""
    if feature is None or feature.window_days is None:
        return name.removesuffix("_lifetime")
    return name.removesuffix(f"_{feature.window_days}d")


def words(
    name: str, row: pa.Table, currency: str, language: Language, known: Mapping[str, Feature] | None = None
) -> str:
    """A feature's meaning with the value it has in the row, never its name; `known` are the features by name, those of
    the catalogue if absent."""
    feature = (by_name() if known is None else known).get(name)
    if feature is None:
        return _OTHER[language]
    value = row[name][0].as_py() if name in row.column_names else None
    meaning = feature.en if language == "en" else feature.zh
    shown = _shown(feature, value, currency, language)
    return f"{meaning} ({shown})" if language == "en" else f"{meaning}（{shown}）"


def _shown(feature: Feature, value: float | str | None, currency: str, language: Language) -> str:
    """A value with its unit, as a person would say it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "not known" if language == "en" else "未知"
    if isinstance(value, str):
        return value
    unit = feature.unit or ""
    if unit == "share":
        return f"{100 * value:.0f} %" if language == "en" else f"{100 * value:.0f}%"
    if unit == "flag":
        return ("yes" if value else "no") if language == "en" else ("是" if value else "否")
    digits = 2 if unit == "money" else 0 if float(value).is_integer() else 1
    number = f"{value:.0f}" if unit == "year" else f"{value:,.{digits}f}"
    if unit == "money":
        return f"{number} {currency}"
    if language == "zh":
        return f"{number}{UNITS_ZH.get(unit, '')}"
    said = feature.en.startswith(unit) or unit in _NO_WORD
    return number if said else f"{number} {_singular(unit) if value == 1 else unit}".strip()


def _singular(unit: str) -> str:
    return {"categories": "category"}.get(unit, unit.removesuffix("s"))


def percent(share: float, language: Language) -> str:
    """A probability as people read it; one that is not 0 or 1 is never shown as if it were."""
    if 0 < share < 0.0005:
        number = "<0.1"
    elif 0.9995 <= share < 1:
        number = ">99.9"
    else:
        number = f"{100 * share:.1f}"
    return f"{number} %" if language == "en" else f"{number}%"


def _sentences(
    key: Key, score: dict[str, object], average: float, reasons: tuple[Reason, ...], language: Language
) -> tuple[str, ...]:
    probability, state = score["probability"], score["state"]
    if not isinstance(probability, float):
        en, zh = _STATES.get(str(state), (str(state), str(state)))
        return (f"{_target(key, language)}: {en}." if language == "en" else f"{_target(key, language)}：{zh}。",)
    told, usual = percent(probability, language), percent(average, language)
    if language == "en":
        head = f"{_target(key, language)}: {told} (on average {usual})."
        return (head, *(f"{'Raises' if r.raises else 'Lowers'} it: {r.text}." for r in reasons))
    head = f"{_target(key, language)}：{told}（平均{usual}）。"
    return (head, *(f"{'推高' if r.raises else '拉低'}：{r.text}。" for r in reasons))


def target_words(target: str, language: Language) -> str:
    """What a target's y = 1 means."""
    plain = target.replace("_", " ")
    en, zh = _TARGETS.get(target, (f"The target “{plain}”", f"目标“{plain}”"))
    return en if language == "en" else zh


def _target(key: Key, language: Language) -> str:
    target, horizon = key
    said = target_words(target, language)
    return f"{said} in the next {horizon} days" if language == "en" else f"未来{horizon}天{said}"


_TARGETS = {
    "repurchase": ("Buys again", "复购"),
    "churn": ("Does nothing", "流失"),
    "second_order": ("Places a second order", "下第二单"),
    "win_back": ("Comes back", "被唤回"),
}
_STATES = {
    "no order yet": ("not asked, has not ordered yet", "不预测，尚未下单"),
    "no act yet": ("not asked, has done nothing yet", "不预测，尚无行为"),
    "more than one order": ("not asked, has ordered more than once", "不预测，已下过不止一单"),
    "already inactive": ("not asked, is already inactive", "不预测，已不活跃"),
    "still active": ("not asked, is still active", "不预测，仍然活跃"),
    "outside the population": ("not asked, is none of those the target is about", "不预测，不在该目标的人群中"),
}
_NO_WORD = frozenset({"year", "rating", "ratio", "hours"})
UNITS_ZH = {
    "days": "天", "orders": "单", "items": "件商品", "units": "件", "lines": "行", "categories": "个品类",
    "channels": "个渠道", "events": "次", "sessions": "次会话", "features": "个功能", "uses": "次", "contacts": "次",
    "campaigns": "个活动", "tags": "个标签", "hours": "点", "seconds": "秒", "periods": "个",
}  # fmt: skip
_OTHER: dict[Language, str] = {"en": "a measure of the company's own", "zh": "企业自有指标"}
