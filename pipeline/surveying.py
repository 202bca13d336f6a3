"""Surveys of the current release: some customers of a segment, drawn by chance, whom nobody asked lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from audiences.survey import Draw, asked_lately
from pipeline.lists import BuiltAudience, build_from, current, load
from warehouse.progress import Progress
from warehouse.settings import AudienceSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

SAID = {
    "drew": (
        "survey {name}: {matched:,} of {customers:,} customers match{held}; drew {left:,} of {may_be_asked:,}",
        "调研 {name}：{customers:,}名顾客中{matched:,}人符合{held}；从{may_be_asked:,}人中抽取{left:,}人",
    ),
    "fewer": (
        "warning: {size:,} were wanted, but only {left:,} may be asked; widen the rule or lower --not-asked-in",
        "警告：需要{size:,}人，但只有{left:,}人可以调研；请放宽规则或减小 --not-asked-in",
    ),
    "unknown": (
        "no contacts are loaded: asked is only who was drawn for a survey here",
        "没有触达数据：只有在这里抽取过的人才算已调研",
    ),
}
"""What is told of a survey, in English and Chinese, beside what is told of every audience."""


@dataclass(frozen=True)
class Survey:
    """What is wanted: `size` customers for whom `rule` is true, none of them asked in `not_asked_in` days.

    Without a `seed` its name and the date of the release are one, so that those asked first this time are not so again.
    """

    name: str
    rule: str
    size: int
    not_asked_in: int
    channel: Literal["sms", "email", "push"] | None = None
    seed: str | None = None


@dataclass(frozen=True, kw_only=True)
class DrawnSurvey(BuiltAudience):
    """A survey that was drawn, and how to say it. `contacts`: whether there are any to know by who was asked."""

    survey: Survey
    contacts: bool

    def as_dict(self) -> dict[str, Any]:
        told = {key: value for key, value in super().as_dict().items() if not key.startswith("expected_hits")}
        asked = {"size": self.survey.size, "not_asked_in_days": self.survey.not_asked_in}
        return told | asked | {"fewer": self._fewer, "contacts_known": self.contacts}

    def lines(self) -> list[str]:
        say = self.words() | {what: texts[self.language == "zh"] for what, texts in SAID.items()}
        counts = self.report.counts
        lines = [say["drew"].format(name=self.report.name, held=self.held(), **counts)]
        if self.report.empty:
            lines.append(say["empty"].format(say["all_left_out" if counts["matched"] else "none_match"]))
        elif self._fewer:
            lines.append(say["fewer"].format(size=self.survey.size, left=counts["left"]))
        if not self.contacts:
            lines.append(say["unknown"])
        return [*lines, self.done()]

    @property
    def _fewer(self) -> bool:
        return self.report.counts["left"] < self.survey.size


def draw_survey(
    workspace: Workspace,
    survey: Survey,
    out: Path | None,
    now: datetime,
    progress: Progress,
    *,
    replace: bool = False,
    raw: bool = False,
) -> DrawnSurvey:
    """Draws a survey of the current release, after loading what is new: who was asked or opted out by now is left out.

    One survey is drawn at a time, so that no two of them hold the same customer.
    """
    opened = current(workspace)
    asked = AudienceSettings(
        rule=survey.rule,
        control_share=0,
        salt=survey.seed or f"{survey.name} {opened.as_of}",
        channel=survey.channel,
    )
    with workspace.lock("survey"):
        load(workspace, now, progress)
        store = Store(workspace)
        draw = Draw(
            survey.size, survey.not_asked_in, asked_lately(store, survey.name, opened.as_of, survey.not_asked_in)
        )
        mode: Literal["raw", "safe"] = "raw" if raw else "safe"
        report = build_from(
            workspace, opened, survey.name, asked, out, now, progress, replace=replace, mode=mode, draw=draw
        )
    return DrawnSurvey(report, workspace.settings.language, survey=survey, contacts=store.has("contacts"))
