"""Rules of suggestions as a release tells of them; without any, settings and releases are as if there were none."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from features.source import FramesSource
from models import recommenders
from models.recommenders.takers import Takers
from pipeline import ruling
from tests.models.conftest import WORLDS
from warehouse.errors import UsageError
from warehouse.settings import parse_settings
from warehouse.suggestion_rules import RuleSettings

ITEMS = pa.table({"item_id": WORLDS.item_ids, "category": [item.split("-")[0] for item in WORLDS.item_ids.to_pylist()]})


def test_each_rule_is_told_with_what_it_took_and_what_fits_nothing() -> None:
    said = RuleSettings(never_categories=("tool", "tol"), pin=("tea-0", "new"))
    for_sale = np.array([item != "tool-7" for item in WORLDS.item_ids.to_pylist()])
    rules = ruling.compiled(said, Takers(WORLDS, None), ITEMS, for_sale, 30)
    assert rules is not None
    told = ruling.told(recommenders.create("gp_topfreq").fit(WORLDS), rules, ["tool-01", None], 4)
    assert told["ruled_out"] == [f"tool-{n}" for n in range(7)]  # the other one is not for sale as it is
    never, pin = told["taken"]
    assert (never["rule"], never["says"], never["shown"], never["unmet"]) == (
        "never_categories", ["tool", "tol"], 8, ["tol"],
    )  # fmt: skip
    assert never["removed"] >= 4  # all that tool-01 is offered without it
    assert pin["unmet"] == ["new"]
    assert ruling.lines([never]) == [
        f"rule never_categories: of 8 suggestions without it {never['removed']} removed, 0 moved; never sold: tol"
    ]


def test_without_rules_there_is_nothing_to_compile_and_nothing_in_the_settings() -> None:
    held = Takers(WORLDS, None)
    assert ruling.compiled(None, held, ITEMS, None, 30) is None
    assert ruling.compiled(RuleSettings(), held, ITEMS, None, 30) is None
    assert "rules" not in parse_settings("").model_dump(mode="json")["recommend"]
    told = parse_settings("[recommend.rules]\nper_brand = 2\n").model_dump(mode="json")
    assert told["recommend"]["rules"]["per_brand"] == 2


def test_levels_of_sellers_are_asked_for_where_a_rule_names_them() -> None:
    rule = "[recommend.rules]\nboost_seller_levels = { gold = 2 }\n"
    asked = ruling.levels_asked(parse_settings(f'{rule}[levels]\npreset = "shop"\n'))
    assert asked is not None
    assert "gold" in asked.rules.steps
    with pytest.raises(UsageError, match="declares none") as told:
        ruling.levels_asked(parse_settings(rule))
    assert "[levels]" in str(told.value.hint)
    with pytest.raises(UsageError, match='names "gold", which is no level') as told:
        ruling.levels_asked(parse_settings(f'{rule}[levels]\npreset = "tool"\n'))
    assert told.value.hint == "There are: starter, regular, power."
    plain = parse_settings("[recommend.rules]\nper_brand = 2\n")
    assert ruling.levels_asked(plain) is None
    assert "boost_seller_levels" not in plain.model_dump()["recommend"]["rules"]  # no byte moves where it is not said
    assert ruling.items_of(plain, FramesSource({}), ITEMS, date(2024, 6, 1)) is ITEMS
