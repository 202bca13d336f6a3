"""How an audience that was built is told, in both languages."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import pytest

from audiences.audience import AudienceReport, ExpectedHits
from pipeline.lists import BuiltAudience

COUNTS = {
    "customers": 2000, "matched": 108, "left_out_blocked": 1, "left_out_no_consent": 6, "left_out_no_profiling": 2,
    "left_out_listed": 0,
    "left_out_near": 0, "left": 99, "treatment": 88, "control": 11,
}  # fmt: skip
TOLD = {
    "en": [
        "audience leaving: 108 of 2,000 customers match, left out: blocked 1, no consent 6, refused profiling 2; "
        "treatment 88, control 11",
        "expected churn: 61 in treatment, 7 in control",
        "so few are held back that what the contact brings cannot be measured; widen the rule",
        "wrote somewhere",
    ],
    "zh": [
        "人群 leaving：2,000名顾客中108人符合，排除：黑名单1人、未授权6人、不同意画像2人；触达组88人，对照组11人",
        "预计流失：触达组61人，对照组7人",
        "对照组人数太少，无法衡量触达的效果；请放宽规则",
        "已写入 somewhere",
    ],
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_audience_is_told_in_the_language_of_the_workspace(language: Literal["en", "zh"]) -> None:
    hits = ExpectedHits("churn", 30, "churn_probability", "churn-1", 61.2, 7.4, 0)
    manifest = {"declared": {"control_share": 0.1}}
    report = AudienceReport("leaving", date(2026, 9, 30), Path("somewhere"), "new", COUNTS, hits, manifest)
    assert BuiltAudience(report, language).lines() == TOLD[language]


@pytest.mark.parametrize(
    ("language", "matched", "warning"),
    [
        ("en", 0, "warning: nobody is in it, the rule is true for nobody; its files hold a header and no rows"),
        ("en", 7, "warning: nobody is in it, all who match are left out; its files hold a header and no rows"),
        ("zh", 0, "警告：人群为空（无人符合规则）；文件只有表头，没有数据行"),
        ("zh", 7, "警告：人群为空（符合者全部不可触达）；文件只有表头，没有数据行"),
    ],
)
def test_an_audience_of_nobody_is_told_in_one_line(language: Literal["en", "zh"], matched: int, warning: str) -> None:
    counts = {"customers": 2000, "matched": matched, "left": 0, "treatment": 0, "control": 0}
    for allowed in (True, False):
        manifest = {"declared": {"control_share": 0.1}, "allow_empty": allowed, "expected_hits_reason": None}
        hits = ExpectedHits("churn", 30, "churn_probability", "churn-1", 0, 0, 0)
        report = AudienceReport("leaving", date(2026, 9, 30), Path("somewhere"), "new", counts, hits, manifest)
        built = BuiltAudience(report, language)
        assert built.lines()[1] == warning
        assert len(built.lines()) == 3
        assert (built.as_dict()["empty"], built.failed) == (True, not allowed)
