"""RFM over raw lines: a customer sent over HTTP has the type it has in the release, whose cuts are everybody's."""

from __future__ import annotations

from datetime import datetime

from features import rules
from features.building import build_features
from serving.customers import customers, fields
from serving.raw_lines import read_lines
from serving.release import Release
from tests.serving.conftest import AS_OF, Shop

NAMES = ["entity_id", "rfm_type", "rfm_recency_score", "rfm_frequency_score", "rfm_amount_score", "rfm_grid"]


def test_raw_lines_of_one_customer_have_the_type_of_the_release(release: Release, shop: Shop) -> None:
    batch = {row["entity_id"]: row for row in release.features(NAMES).to_pylist()}
    assert len({row["rfm_type"] for row in batch.values()}) > 4
    asked = sorted(user for user in batch if shop.of(user, "orders"))[::9]
    for user in asked:
        source = read_lines(release, shop.of(user, "orders"), (), datetime(2024, 6, 2)).source
        assert build_features(source, AS_OF, families=["rfm"]).select(NAMES).to_pylist() == [batch[user]]
        # counted from its own lines alone every cut would fall away
        alone = source.with_population({"rfm_thresholds": source.frames["rfm_thresholds"].slice(0, 0)})
        assert build_features(alone, AS_OF, families=["rfm"])["rfm_type"].to_pylist() == [None]


def test_a_rule_names_types_in_chinese(release: Release) -> None:
    rule = rules.check(rules.parse('rfm_type in ("重要价值", "一般挽留")'), fields(release))
    table = customers(release, sorted(rules.fields_of(rule)))
    chosen = table.filter(rules.evaluate(rule, table))
    assert set(chosen["rfm_type"].to_pylist()) == {"important_value", "ordinary_winback"}
