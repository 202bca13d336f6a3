"""Value stages, from a first contact to a loyal customer: a customer is in the first from the top whose rule holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features import rules
from features.catalogue import FEATURES, fields
from warehouse.stage_settings import Kpi, StageSettings

REST = "rest"
TABLE = pa.schema([("entity_id", pa.string()), ("value_stage", pa.string())])
"""One row per customer: the stage they are in."""

Texts = tuple[str, str]
"""English and Chinese."""


@dataclass(frozen=True)
class Stage:
    """One stage. `rule` is None for the rest, the last one. Texts of the settings are the same in both languages."""

    name: str
    rule: str | None
    kpi: Kpi
    title: Texts
    goal: Texts = ("", "")
    touchpoints: Texts = ("", "")
    actions: Texts = ("", "")

    @property
    def reads(self) -> frozenset[str]:
        """The features its rule names."""
        return frozenset(rules.fields_of(rules.parse(self.rule))) if self.rule else frozenset()


BUILT_IN = (
    Stage(
        "loyalty", "order_count_lifetime >= 5 and days_since_last_order <= 180", "stayed", ("loyalty", "忠诚"),
        ("keep them, and have them bring others", "保持活跃，带来新客"),
        ("members' page, service", "会员中心、专属客服"),
        ("benefits of levels, early access, referral", "等级权益、优先购、老带新"),
    ),
    Stage(
        "repurchase", "order_count_lifetime >= 2", "buyers", ("repurchase", "复购"),
        ("a habit: the next order when it is due", "形成习惯，按周期再次下单"), ("reminders, app", "到期提醒、App"),
        ("replenishment reminders, bundles", "补货提醒、组合购"),
    ),
    Stage(
        "purchase", "order_count_lifetime = 1", "onward", ("purchase", "首购"),
        ("a second order", "促成第二单"), ("delivery, after-sales", "物流、售后"),
        ("thanks, how to use it, what goes with it", "感谢、使用指导、搭配推荐"),
    ),
    Stage(
        "interest", "event_count_30d >= 1", "onward", ("interest", "兴趣"),
        ("a first order", "促成首单"), ("item pages, cart", "商品页、购物车"),
        ("reminder of what was looked at, first-order offer", "浏览提醒、首单优惠"),
    ),
    Stage(
        "contact", None, "onward", ("contact", "触达"),
        ("a first visit that looks at items", "引导首次浏览"), ("advertising, registration", "广告、注册页"),
        ("welcome, what others buy", "欢迎、热销榜"),
    ),
)  # fmt: skip
"""What holds where the settings say nothing, the highest first."""


def stages_of(said: Mapping[str, StageSettings], features: Collection[str]) -> tuple[Stage, ...]:
    """The stages of a workspace, the highest first, the last being the rest.

    Of the built-in ones those whose features there are; stages of the settings get a rest where all have rules.
    """
    if not said:
        return tuple(stage for stage in BUILT_IN if stage.reads <= set(features))
    found = [
        Stage(name, each.rule, each.kpi, (name, name), *(
            (text, text) for text in (each.goal, ", ".join(each.touchpoints), ", ".join(each.actions))
        ))
        for name, each in said.items()
    ]  # fmt: skip
    return tuple(found if found[-1].rule is None else [*found, Stage(REST, None, "onward", ("rest", "其余"))])


def read_by(stages: Sequence[Stage]) -> list[str]:
    """The features that the rules of stages name."""
    return sorted(frozenset[str]().union(*(stage.reads for stage in stages)))


def stage_codes(stages: Sequence[Stage], table: pa.Table) -> npt.NDArray[np.int64]:
    """Of every row the place of its stage: the first whose rule holds, and so exactly one."""
    known = fields(FEATURES)
    codes = np.full(table.num_rows, len(stages) - 1, np.int64)
    for place, stage in reversed([*enumerate(stages)]):
        if stage.rule is not None:
            there = {name: known[name] for name in known if name in table.column_names}
            codes[rules.evaluate(rules.check(rules.parse(stage.rule), there), table)] = place
    return codes


def stage_table(stages: Sequence[Stage], table: pa.Table) -> pa.Table:
    """The stage of every customer of a table of features, in its order: `TABLE`."""
    names = pa.array([stage.name for stage in stages], pa.string())
    return pa.table([table["entity_id"], names.take(pa.array(stage_codes(stages, table)))], schema=TABLE)
