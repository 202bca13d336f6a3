"""Answers from the current release for the command line: lists to files, suggestions, reasons, audiences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from audiences import consents
from audiences.audience import AudienceReport, build_audience
from audiences.drawing import Drawing
from audiences.exports import export_table, export_to_database, wide_scores, wide_suggestions, write_manifest
from audiences.exports.databases import KEYS, DatabaseReport
from audiences.exports.writing import Mode
from features import rules
from serving import answers, customers
from serving.holder import key_from_environment
from serving.publication import current_directory
from serving.reasons import explain as explained
from serving.reasons import target_words
from serving.release import Release, open_release
from serving.stated import stated
from warehouse.databases import Database
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress
from warehouse.settings import AudienceSettings
from warehouse.store import Store
from warehouse.streamed import Streamed, from_file
from warehouse.workspace import Workspace

FEW_IN_CONTROL = 30
SAID = {
    "match": (
        "audience {name}: {matched:,} of {customers:,} customers match{held}; "
        "treatment {treatment:,}, control {control:,}",
        "人群 {name}：{customers:,}名顾客中{matched:,}人符合{held}；触达组{treatment:,}人，对照组{control:,}人",
    ),
    "left_out": (", left out: {}", "，排除：{}"),
    "between": (", ", "、"),
    "blocked": ("blocked {:,}", "黑名单{:,}人"),
    "no_consent": ("no consent {:,}", "未授权{:,}人"),
    "no_profiling": ("refused profiling {:,}", "不同意画像{:,}人"),
    "listed": ("on the suppression list {:,}", "在屏蔽名单中{:,}人"),
    "near": ("nearly on the suppression list {:,}", "与屏蔽名单近似{:,}人"),
    "asked": ("asked lately {:,}", "近期已调研{:,}人"),
    "expected": (
        "expected {}: {:,.0f} in treatment, {:,.0f} in control",
        "预计{}：触达组{:,.0f}人，对照组{:,.0f}人",
    ),
    "empty": (
        "warning: nobody is in it, {}; its files hold a header and no rows",
        "警告：人群为空（{}）；文件只有表头，没有数据行",
    ),
    "all_left_out": ("all who match are left out", "符合者全部不可触达"),
    "none_match": ("the rule is true for nobody", "无人符合规则"),
    "few_in_control": (
        "so few are held back that what the contact brings cannot be measured; widen the rule",
        "对照组人数太少，无法衡量触达的效果；请放宽规则",
    ),
    "wrote": ("wrote {}", "已写入 {}"),
    "unchanged": ("already there: {}", "已存在，没有变化： {}"),
}
"""What is told of an audience that was built, in English and Chinese."""
VALUED = "value"
"""The table of a release that tells what customers will spend."""
LEFT_OUT = ("blocked", "no_consent", "no_profiling", "listed", "near", "asked")
"""Why somebody is left out, in the order of asking."""
UNKNOWN = {
    "en": "{} is not known here (leading zeros count), so these are the averages.",
    "zh": "这里没有顾客 {}（前导零也算在内），以下为平均值。",
}


def current(workspace: Workspace) -> Release:
    """The release that serves; `NotReadyError` where nothing has been published.

    The canary is left out: this process only reads, and the files are hashed all the same.
    """
    return open_release(current_directory(workspace.releases), key_from_environment(), canary=False)


def export(workspace: Workspace, what: str, out: Path, *, wide: bool, raw: bool) -> dict[str, Any]:
    """Writes scores, suggestions or features of the current release to a file; its type by its suffix."""
    release = current(workspace)
    table = _listed(release, what, wide)
    report = export_table(table, out, "raw" if raw else "safe")
    facts = _facts(release, what, wide)
    return {
        **facts,
        "out": report.path,
        "manifest": write_manifest(report, facts),
        "rows": report.rows,
        "columns": list(report.columns),
        "sha256": report.sha256,
        "csv_mode": report.mode,
        "guarded_cells": report.guarded,
    }


def export_to(
    workspace: Workspace, what: str, database: Database, name: str, *, wide: bool, progress: Progress
) -> tuple[DatabaseReport, dict[str, Any]]:
    """Writes scores, suggestions or features of the current release to a table of a database; what it was made of."""
    release = current(workspace)
    key = KEYS.get((what, wide), ("user_id",))
    report = export_to_database(_listed(release, what, wide), database, name, key, progress)
    return report, {**_facts(release, what, wide), **asdict(report), "rows": report.rows}


def _listed(release: Release, what: str, wide: bool) -> pa.Table | Streamed:
    _must_have(release, what)
    if what == VALUED:
        if VALUED not in release.tables:
            raise NotReadyError("This release holds no value of customers.", hint="Make one with `reprise run`.")
        return release.tables[VALUED].rename_columns({"entity_id": "user_id"})
    rows = from_file(release.directory / f"{what}.parquet")
    if what == "features":
        return rows.renamed({"entity_id": "user_id"})
    return _wide(what, rows) if wide else rows


def _facts(release: Release, what: str, wide: bool) -> dict[str, Any]:
    return {
        "what": what,
        "format": "wide" if wide else "long",
        "release": release.id,
        "as_of": release.as_of,
        "models": [
            {"target": target, "horizon_days": horizon, "kind": model.kind, "model_version": model.version}
            for (target, horizon), model in release.models.items()
        ],
        "suppression": "none applied: exports of scores are no contact lists",
    }


def _wide(what: str, rows: Streamed) -> pa.Table:
    """One row per customer: scores by target, suggestions by rank."""
    if what == "scores":
        return wide_scores(rows.held())
    return wide_suggestions(rows.held(["user_id", "rank", "item_id", "as_of", "release"]))


def recommend(workspace: Workspace, user: str | None, k: int, bought: Sequence[str] = ()) -> dict[str, Any]:
    """Suggestions with names and reasons for one customer who has just bought some items, or for nobody's basket.

    `NotReadyError` where the data gave no recommender.
    """
    release = current(workspace)
    _must_have(release, "suggestions")
    if user is None:
        answer = answers.basket_suggestions(release, bought, k, ())
    else:
        answer = answers.user_suggestions(release, user, k, (), bought)
    items = [{**item, "name": release.item_names.get(item["item_id"])} for item in answer["items"]]
    return {**answer, "items": items}


def _must_have(release: Release, what: str) -> None:
    missing = next((each for each in release.absent if each["what"] == what), None)
    if missing is not None:
        raise NotReadyError(f"There are no {what}: {missing['why']}.", hint=f"It needs {missing['needs']}.")


def explain(workspace: Workspace, user: str, language: str | None) -> dict[str, Any]:
    """One customer's probabilities, what moves them, and what the customer said, in plain words; averages for one the
    release does not know."""
    release = current(workspace)
    told: Literal["en", "zh"] = language or workspace.settings.language  # type: ignore[assignment]
    known = release.scores.row(user) is not None
    note = None if known else UNKNOWN[told].format(user)
    found = explained(release, user, told)
    targets = [
        {
            "target": each.target,
            "horizon_days": each.horizon_days,
            "probability": each.probability,
            "state": each.state,
            "reasons": [{"text": r.text, "raises": r.raises, "log_odds": r.log_odds} for r in each.reasons],
            "sentences": list(each.sentences),
        }
        for each in found
    ]
    said = list(stated(release.features_of(user), told)) if known else []
    text = [*([note] if note else []), *(sentence for each in found for sentence in each.sentences), *said]
    facts = {"user_id": user, "known": known, "note": note, "as_of": release.as_of, "release": release.id}
    return {**facts, "targets": targets, "stated": said, "text": text}


@dataclass(frozen=True)
class BuiltAudience:
    """An audience that was built, and how to say it."""

    report: AudienceReport
    language: Literal["en", "zh"] = "en"

    def as_dict(self) -> dict[str, Any]:
        hits = self.report.expected_hits
        return {
            "name": self.report.name,
            "as_of": self.report.as_of,
            "state": self.report.state,
            "folder": self.report.folder,
            "counts": dict(self.report.counts),
            "empty": self.report.empty,
            "expected_hits": vars(hits) if hits else None,
            "expected_hits_reason": self.report.manifest["expected_hits_reason"],
            "manifest": dict(self.report.manifest),
        }

    def lines(self) -> list[str]:
        """What an operator reads, in the language of the workspace."""
        say, counts, hits = self.words(), self.report.counts, self.report.expected_hits
        lines = [say["match"].format(name=self.report.name, held=self.held(), **counts)]
        if hits and not self.report.empty:
            target = target_words(hits.target, "zh") if self.language == "zh" else hits.target
            lines.append(say["expected"].format(target, hits.treatment, hits.control))
        if self.report.empty:
            lines.append(say["empty"].format(say["all_left_out" if counts["matched"] else "none_match"]))
        if self._few_in_control:
            lines.append(say["few_in_control"])
        return [*lines, self.done()]

    def words(self) -> dict[str, str]:
        """`SAID` in the language of the workspace."""
        return {what: texts[self.language == "zh"] for what, texts in SAID.items()}

    def held(self) -> str:
        """Who was left out and why; nothing where nobody was."""
        say, counts = self.words(), self.report.counts
        reasons = [say[why].format(n) for why in LEFT_OUT if (n := counts.get(f"left_out_{why}"))]
        return say["left_out"].format(say["between"].join(reasons)) if reasons else ""

    def done(self) -> str:
        """Where it is, and whether it was there before."""
        return self.words()["unchanged" if self.report.state == "unchanged" else "wrote"].format(self.report.folder)

    @property
    def failed(self) -> bool:
        """Nobody is in it, and its settings do not allow that."""
        return self.report.failed

    @property
    def _few_in_control(self) -> bool:
        counts = self.report.counts
        held_back = self.report.manifest["declared"]["control_share"]
        return bool(held_back and counts["left"] and counts["control"] < FEW_IN_CONTROL)


def build_audience_now(
    workspace: Workspace,
    name: str,
    rule: str | None,
    out: Path | None,
    replace: bool,
    now: datetime,
    progress: Progress,
    release: Release | None = None,
    raw: bool = False,
) -> BuiltAudience:
    """A named audience of the current release, by its rule in the settings or by `rule`.

    What is new in the files is loaded first (not where a `release` was just made from them): who opted out since the
    last run is not contacted. An audience of nobody is written, and `failed`.
    """
    declared = workspace.settings.audiences.get(name)
    if declared is None and rule is None:
        there = ", ".join(workspace.settings.audiences) or "none"
        raise UsageError(f'There is no audience "{name}" in reprise.toml.', hint=f"There are: {there}; or give --rule.")
    asked = (
        declared.model_copy(update={"rule": rule})
        if declared and rule
        else declared or AudienceSettings(rule=str(rule))
    )
    opened = release or current(workspace)
    if release is None:
        load(workspace, now, progress)
    mode: Mode = "raw" if raw else "safe"
    report = build_from(workspace, opened, name, asked, out, now, progress, replace=replace, mode=mode)
    return BuiltAudience(report, workspace.settings.language)


def load(workspace: Workspace, now: datetime, progress: Progress) -> None:
    """Loads what is new in the files."""
    with workspace.lock("run"):
        Store(workspace).load_new(now, progress)


def build_from(
    workspace: Workspace,
    opened: Release,
    name: str,
    asked: AudienceSettings,
    out: Path | None,
    now: datetime,
    progress: Progress,
    *,
    replace: bool,
    mode: Mode,
    draw: Drawing | None = None,
) -> AudienceReport:
    """An audience of the customers of a release, with the consents of the store as it is."""
    fields = customers.fields(opened)
    parsed = rules.check(rules.read(asked.rule), fields)
    wanted = {*rules.fields_of(parsed), *consents.COLUMNS, *target_columns(fields)}
    return build_audience(
        workspace,
        name,
        customers.customers(opened, sorted(wanted)),
        asked,
        opened.as_of,
        opened.id,
        now,
        out,
        progress,
        replace=replace,
        mode=mode,
        fields=fields,
        scores=customers.scored(opened),
        fresh=_consents_now(workspace),
        known_at=_known_at(workspace),
        draw=draw,
    )


def target_columns(fields: Mapping[str, rules.Field]) -> list[str]:
    """The columns of scores among the fields."""
    return [name for name in fields if "_probability" in name or "_percentile" in name]


def _known_at(workspace: Workspace) -> datetime | None:
    store = Store(workspace)
    return store.manifest("users").loaded_at if store.has("users") else None


def _consents_now(workspace: Workspace) -> Callable[[], pa.Table] | None:
    """Gives the consents as they are at the moment of asking; None where there is no table of users."""
    if not Store(workspace).has("users"):
        return None

    def fresh() -> pa.Table:
        found = consents.latest(Store(workspace))
        if found is None:
            raise NotReadyError("The table of users has gone, so nobody's consent is known.", hint="Load it again.")
        return found.people

    return fresh
