"""How an audience that was built is told, in both languages."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import pytest

from audiences.audience import AudienceReport, ExpectedHits
from pipeline.lists import BuiltAudience

COUNTS = {
    "customers": 2000, "matched": 108, "left_out_blocked": 1, "left_out_no_consent": 6, "left_out_listed": 0,
    "left_out_near": 0, "left": 101, "treatment": 90, "control": 11,
}  # fmt: skip
TOLD = {
    "en": [
        "audience leaving: 108 of 2,000 customers match, left out: blocked 1, no consent 6; treatment 90, control 11",
        "expected churn: 61 in treatment, 7 in control",
        "so few are held back that what the contact brings cannot be measured; widen the rule",
        "wrote somewhere",
    ],
    "zh": [
        "人群 leaving：2,000名顾客中108人符合，排除：黑名单1人、未授权6人；触达组90人，对照组11人",
        "预计流失：触达组61人，对照组7人",
        "对照组人数太少，无法衡量触达的效果；请放宽规则",
        "已写入 somewhere",
    ],
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_audience_is_told_in_the_language_of_the_workspace(language: Literal["en", "zh"]) -> None:
    hits = ExpectedHits("churn", "churn_probability", 61.2, 7.4, 0)
    manifest = {"declared": {"control_share": 0.1}}
    report = AudienceReport("leaving", date(2026, 9, 30), Path("somewhere"), "new", COUNTS, hits, manifest)
    assert BuiltAudience(report, language).lines() == TOLD[language]
