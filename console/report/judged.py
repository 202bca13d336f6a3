"""What the model cards of a release say, for the sections about models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.report.colours import PALETTE
from console.report.facts import Facts
from console.report.pictures import AbsentError
from serving.reasons import target_words

SHOWN = {
    "lightgbm": ("boosted trees", "梯度提升树"),
    "days_since_last_order": ("rule: recency", "规则：近度"),
    "order_days": ("rule: frequency", "规则：频度"),
    "order_days_minus_recency": ("rule: frequency, then recency", "规则：先频度后近度"),
    "rfm_sum": ("rule: sum of R, F and M", "规则：RFM之和"),
    "bg_nbd": ("rule: BG/NBD", "规则：BG/NBD"),
    "base_rate": ("base rate", "基准比例"),
}
"""What the judged models are called for people; on events alone rules read acts for orders."""
DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class Card:
    """One judged model: its name for people, its colour and dash in figures, and the card."""

    name: str
    colour: str
    dash: str
    card: Mapping[str, Any]

    @property
    def judged(self) -> Mapping[str, Any]:
        """What the judged date showed."""
        found: Mapping[str, Any] = self.card["judged"]
        return found

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics of the model whose predictions the card shows."""
        named = {each["name"]: each for each in self.judged["models"]}
        found: Mapping[str, Any] = named.get(self.card["judged_model"], {})
        return found


def cards(facts: Facts) -> list[Card]:
    """The judged models, each once: what is one minus another has no card of its own. `AbsentError` where none is."""
    if facts.release is None:
        why = facts.say("no release up to this date can be read", "到该日期为止没有可读取的发布版本")
        raise AbsentError(why, facts.say("a release of this version: `reprise run`", "本版本的发布：`reprise run`"))
    found = list(_each(facts))
    if not found:
        why = facts.say("the models that serve have no card", "线上模型没有模型卡")
        raise AbsentError(why, facts.say("models trained here: `reprise train`", "在此训练的模型：`reprise train`"))
    return found


def model_name(facts: Facts, target: str, horizon: int) -> str:
    """A target and its horizon for people."""
    words = target_words(target, "zh") if facts.language == "zh" else target.replace("_", " ")
    return facts.say(f"{words}, {horizon} days", f"{words}（{horizon}天）")


def shown_name(facts: Facts, model: str) -> str:
    """A kind of model or rule for people."""
    return facts.say(*SHOWN.get(model, (model, model)))


def _each(facts: Facts) -> Iterator[Card]:
    seen: set[str] = set()
    targets: list[str] = []
    horizons: dict[str, int] = {}
    for card in facts.cards.values():
        if card["version"] in seen:
            continue
        seen.add(card["version"])
        target = str(card["target"])
        targets += [] if target in targets else [target]
        nth = horizons[target] = horizons.get(target, -1) + 1
        colour = PALETTE[targets.index(target) % len(PALETTE)]
        yield Card(model_name(facts, target, card["horizon_days"]), colour, DASHES[nth % len(DASHES)], card)
