"""The nightly job: load what is new, features, train if due, score, publish. A second run does nothing."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from audiences.exports import export_table
from pipeline import journal, ruling, teaching
from pipeline.opening import Loaded, load
from pipeline.realised import Realised, review
from pipeline.releasing import Published, publish_release
from serving.holder import key_from_environment
from serving.manifest import ReleaseError
from serving.publication import current_release, history, publish
from serving.release import Release, open_release
from training.registry import Registry
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress, silent
from warehouse.streamed import from_file
from warehouse.workspace import Workspace

Tell = Callable[[str], None]


@dataclass(frozen=True)
class RunReport:
    """What a run did: its release, the one that serves, what was trained, what is absent, predictions that came due."""

    as_of: date
    release: str
    already_done: bool
    seconds: float
    trained: list[Mapping[str, Any]] = field(default_factory=list)
    absent: list[Mapping[str, str]] = field(default_factory=list)
    users: int = 0
    realised: list[Realised] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    serves: str | None = None
    rules: list[Mapping[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of,
            "release": self.release,
            "serves": self.serves,
            "already_done": self.already_done,
            "seconds": round(self.seconds, 2),
            "users": self.users,
            "trained": self.trained,
            "absent": self.absent,
            "realised": [vars(each) for each in self.realised],
            **({"suggestion_rules": self.rules} if self.rules else {}),
        }

    def closing_lines(self) -> list[str]:
        if self.already_done:
            serves = "serves" if self.serves == self.release else f"is there, and {self.serves} serves"
            first = f"already done: release {self.release} as of {self.as_of} {serves}; nothing was changed"
        else:
            first = f"release {self.release} as of {self.as_of} serves ({self.users:,} customers, {self.seconds:.1f} s)"
        return [first, *self.told]


class Watch:
    """Tells each step with the seconds it took."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._started = self._last = time.monotonic()

    def step(self, line: str) -> None:
        now = time.monotonic()
        self._tell(f"[{now - self._last:5.1f} s] {line}")
        self._last = now

    @property
    def total(self) -> float:
        return time.monotonic() - self._started


def run(
    workspace: Workspace,
    as_of: date | None = None,
    *,
    loaded_at: datetime,
    retrain: bool = False,
    replace: bool = False,
    accept_drift: str | None = None,
    progress: Progress = silent,
    tell: Tell = lambda line: None,
) -> RunReport:
    """The nightly job as of a date; without one, the start of the local day after the last accepted row.

    The same data, settings and date again change nothing. Other settings for a date that was already published are
    refused unless `replace`; new data for it make a new release.
    """
    watch = Watch(tell)
    with workspace.lock("run"):
        loaded, report = load(workspace, as_of, loaded_at, progress, accept_drift)
        for line in report.lines():
            tell(line)
        watch.step(f"checked and loaded; as of {loaded.as_of}" + ("" if as_of else " (the day after the last row)"))
        for note in loaded.source.own.notes:
            tell(f"        {note}")
        data, settings = loaded.trainer.fingerprint, journal.settings_fingerprint(workspace)
        before = journal.finished(workspace, loaded.as_of)
        if before and not replace:
            journal.refuse_changed_settings(before, workspace)
        kept = _kept(workspace, before, data, settings, watch) if before and not retrain else None
        due = kept is None and (retrain or teaching.due(workspace, loaded.as_of))
        if not due:
            teaching.send_waiting(workspace, watch.step)
        if kept:
            return _told(loaded, kept, watch, already_done=True)
        trained = []
        if due:
            trained = teaching.train(loaded, None, progress, watch.step)
        else:
            watch.step(f"training is not due (every {workspace.settings.training.retrain_every} days)")
        return _published(loaded, trained, data, settings, watch, progress, tell, accept_drift)


def _kept(workspace: Workspace, before: journal.Entry, data: str, settings: str, watch: Watch) -> Release | None:
    """What that run published, where it was this one."""
    return _whole(workspace, before.release, watch) if (before.data, before.settings) == (data, settings) else None


def _whole(workspace: Workspace, release: str, watch: Watch) -> Release | None:
    """The release of that name; None where it is gone or damaged, so that it is made anew."""
    try:
        return open_release(workspace.releases / release, key_from_environment(), canary=False)
    except ReleaseError as error:
        watch.step(f"{error.message} It is made anew.")
        return None


def _told(
    loaded: Loaded,
    release: Release,
    watch: Watch,
    *,
    already_done: bool,
    trained: Sequence[Mapping[str, Any]] = (),
) -> RunReport:
    """The report of a run that ended with this release, made now or before."""
    past = review(loaded.workspace, loaded.source, loaded.targets, min(loaded.observed_until, loaded.as_of))
    return RunReport(
        as_of=loaded.as_of,
        release=release.id,
        already_done=already_done,
        seconds=watch.total,
        trained=list(trained),
        absent=[dict(each) for each in release.absent],
        users=len(release.scores),
        realised=past.found,
        told=past.lines(loaded.as_of, loaded.targets),
        serves=current_release(loaded.workspace.releases),
        rules=[dict(each) for each in release.suggestion_rules],
    )


def _published(
    loaded: Loaded,
    trained: list[Mapping[str, Any]],
    data: str,
    settings: str,
    watch: Watch,
    progress: Progress,
    tell: Tell,
    accept_drift: str | None = None,
) -> RunReport:
    absent = _absent(loaded)
    if trained or absent:
        _refuse_without_a_model(loaded, absent)
    base, declared = _base_name(loaded, data, settings), journal.declared(loaded.workspace)
    if left := _left_unnoted(loaded, base, watch):
        publish(loaded.workspace.releases, base)
        journal.note(loaded.workspace, journal.Entry(loaded.as_of.isoformat(), data, settings, base, declared))
        watch.step(f"{base} holds just this: a run was killed after it had published it")
        return _told(loaded, left, watch, already_done=True, trained=trained)
    name = _free_name(loaded, base)
    published = publish_release(
        loaded.workspace, loaded.source, loaded.snapshots, loaded.as_of, name, absent, progress, accept_drift
    )
    watch.step(_scored_line(published))
    for note in published.notes:
        tell(f"        {note}")
    for told in ruling.lines(published.release.suggestion_rules):
        tell(f"        {told}")
    for line in published.release.absent:
        tell(f"        absent: {line['what']}: {line['why']}. It needs {line['needs']}.")
    journal.note(loaded.workspace, journal.Entry(loaded.as_of.isoformat(), data, settings, name, declared))
    return _told(loaded, published.release, watch, already_done=False, trained=trained)


def _refuse_without_a_model(loaded: Loaded, absent: list[Mapping[str, str]]) -> None:
    """Where training could make nothing, each reason and what it needs."""
    if Registry(loaded.workspace).names():
        return
    told = "\n".join(f"  {each['what']}: {each['why']}. It needs {each['needs']}." for each in absent)
    raise NotReadyError(f"These data give no model as of {loaded.as_of}:\n{told}")


def _scored_line(published: Published) -> str:
    asked = ", ".join(f"{target} {horizon} d {n:,}" for (target, horizon), n in sorted(published.scored.items()))
    offered = f"; {published.suggested:,} suggestions by {published.recommender}" if published.recommender else ""
    return f"scored {len(published.release.scores):,} customers × {published.features} features ({asked}){offered}"


def _absent(loaded: Loaded) -> list[Mapping[str, str]]:
    """What these data cannot give: targets without their table, horizons whose label cannot exist."""
    return teaching.absent(loaded.workspace)


def _base_name(loaded: Loaded, data: str, settings: str) -> str:
    """The release's date and a hash of what goes in."""
    champions = teaching.serving_versions(loaded.workspace)
    key = hashlib.sha256("\n".join([data, settings, *champions]).encode()).hexdigest()[:8]
    return f"{loaded.as_of:%Y%m%d}-{key}"


def _left_unnoted(loaded: Loaded, name: str, watch: Watch) -> Release | None:
    """That release, if it was the last to be published, is whole, and no finished run tells of it (it was killed)."""
    releases, done = loaded.workspace.releases, journal.finished(loaded.workspace, loaded.as_of)
    last = next((line["release"] for line in reversed(history(releases))), None)
    if last != name or (done is not None and done.release == name):
        return None
    return _whole(loaded.workspace, name, watch)


def _free_name(loaded: Loaded, base: str) -> str:
    """That name, with a number where it was published before.

    One that was written but never published, because its run was killed, makes room.
    """
    releases = loaded.workspace.releases
    published = {line["release"] for line in history(releases)}
    name, n = base, 1
    while name in published and (releases / name).exists():
        n += 1
        name = f"{base}-{n}"
    shutil.rmtree(releases / name, ignore_errors=True)
    return name


def features_at(
    workspace: Workspace, as_of: date | None, out: Path | None, loaded_at: datetime, progress: Progress
) -> tuple[date, int, int]:
    """Features of everyone as of a date, written to `out` if given; the date, how many customers and features."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        path = loaded.snapshots.file(loaded.as_of)
        if out:
            export_table(from_file(path), out)
        told = pq.read_metadata(path)
        return loaded.as_of, told.num_rows, told.num_columns - 1


def score_now(
    workspace: Workspace, as_of: date | None, loaded_at: datetime, progress: Progress, tell: Tell
) -> RunReport:
    """Scores everyone with the champions there are and publishes; trains nothing."""
    watch = Watch(tell)
    with workspace.lock("run"):
        loaded, report = load(workspace, as_of, loaded_at, progress)
        for line in report.lines():
            tell(line)
        if before := journal.finished(workspace, loaded.as_of):
            journal.refuse_changed_settings(before, workspace)
        data, settings = loaded.trainer.fingerprint, journal.settings_fingerprint(workspace)
        return _published(loaded, [], data, settings, watch, progress, tell)


def train_now(
    workspace: Workspace, target: str | None, as_of: date | None, loaded_at: datetime, progress: Progress, tell: Tell
) -> teaching.Lesson:
    """Trains one target, the recommender (`recommend`), `value`, or all, whether due or not."""
    watch = Watch(tell)
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        names = [t.name for t in loaded.targets] + ["recommend", "value"]
        if target is not None and target not in names:
            raise UsageError(f'There is no target "{target}" here.', hint=f"There are: {', '.join(names)}.")
        return teaching.Lesson(loaded.as_of, teaching.train(loaded, target, progress, watch.step))
