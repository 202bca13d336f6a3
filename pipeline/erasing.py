"""The erasure of users, or sellers, from everything a workspace holds, while the current release goes on serving.

The tombstones come first, so that whatever is interrupted keeps them out, and the same command run again goes on.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from audiences import erasing as lists
from pipeline import journal
from serving import erasing as releases
from serving.holder import key_from_environment
from serving.manifest import ReleaseError
from serving.publication import current_release
from training import judgements
from training.registry import JUDGED
from warehouse import erasing as stores
from warehouse import posted
from warehouse.erasures import Erasure, Person, Tombstones
from warehouse.errors import DataProblemError, RepriseError, UsageError
from warehouse.files import sweep
from warehouse.progress import Progress, silent
from warehouse.store import Store
from warehouse.workspace import Workspace


@dataclass(frozen=True)
class Plan:
    """What an erasure takes away: counts by place, and what it does not touch. It holds no id.

    `of`: whether `users` counts users or, where sellers are the customers, sellers.
    """

    of: Person
    users: int
    unknown: int
    before: int
    devices: int
    shared_devices: int
    rows: dict[str, int]
    mentions: int
    releases: dict[str, int]
    unreadable: tuple[str, ...]
    audiences: dict[str, int]
    exports: tuple[str, ...]
    untouched: tuple[str, ...]

    def lines(self) -> list[str]:
        """One line a place."""
        store = ", ".join(f"{table} {count:,}" for table, count in self.rows.items()) or "nothing"
        told = [f"store: {store}" + (f"; named by {self.mentions:,} rows of others" if self.mentions else "")]
        if self.devices or self.shared_devices:
            shared = f"; {self.shared_devices:,} that others use too stay" if self.shared_devices else ""
            told.append(f"devices: {self.devices:,} of their own, with the acts nobody signed in for{shared}")
        told += [f"release {name}: {count:,} rows" for name, count in self.releases.items()]
        told += [f"release {name}: cannot be read, so it is removed" for name in self.unreadable]
        told += [f"audience {name}: {count:,}" for name, count in self.audiences.items()]
        told += [f"export {name}" for name in self.exports]
        told += [f"not touched, because it is not ours: {name}" for name in self.untouched]
        if self.before:
            told.append(f"{self.before:,} of them were erased before; what is left of them goes")
        return told


@dataclass(frozen=True)
class ErasureReport:
    """What was erased, or would be (`done` false)."""

    plan: Plan
    reason: str
    done: bool
    at: str | None = None
    hashes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        return {"done": self.done, "at": self.at, "reason": self.reason, "hashes": list(self.hashes)} | vars(self.plan)

    def lines(self) -> list[str]:
        of = self.plan.of
        people = f"1 {of}" if self.plan.users == 1 else f"{self.plan.users:,} {of}s"
        if self.done:
            kept_out = "later loads set their rows aside"
            return [f"erased {people} ({self.reason})", *(f"  {line}" for line in self.plan.lines()), kept_out]
        first = f"would erase {people} ({self.reason}); nothing was changed"
        return [first, *(f"  {line}" for line in self.plan.lines()), "To do so, add --yes. It cannot be undone."]


def erase(
    workspace: Workspace,
    users: Collection[str],
    reason: str,
    at: datetime,
    *,
    yes: bool,
    unknown_too: bool = False,
    of: Person = "user",
    progress: Progress = silent,
) -> ErasureReport:
    """Erases users from the store, releases, lists, snapshots and rejected rows; without `yes` only says what would go.

    `of = "seller"`: the ids are of sellers, who are the customers of the workspace. `at` is naive UTC. `UsageError`
    where the reason names one of them, or sellers are not the customers; `DataProblemError` for ids that are nowhere,
    unless `unknown_too`, which keeps their rows out of later loads.
    """
    asked = frozenset(users)
    if not asked:
        raise UsageError("Whom to erase is not said.", hint="Name users, or a file of them with --file.")
    if any(one in reason for one in asked):
        raise UsageError(f"The reason names one of the {of}s.", hint="It is kept; write it without the id.")
    entity = workspace.settings.entity
    if of == "seller" != entity:
        hint = 'Erase them in the workspace with entity = "seller"; here they are an attribute of what users bought.'
        raise UsageError(f"The customers of this workspace are {entity}s, so no sellers can be erased.", hint=hint)
    with ExitStack() as held:
        for name in ("run", "models"):
            held.enter_context(workspace.lock(name))
        store, stones, key = Store(workspace), Tombstones(workspace.root), key_from_environment()
        stores.check_settings(store)
        found = stores.find(store, asked, of)
        before = frozenset(one for one in asked if stones.hash_of(of, one) in stones.hashes(of))
        posted_too = posted.named(workspace.root) if of == "user" else frozenset()
        unknown = asked - found.users - before - posted_too
        if unknown and not unknown_too:
            sellers = " Ids of sellers: --seller." if of == "user" and entity == "seller" else ""
            raise DataProblemError(
                f"{len(unknown):,} of {len(asked):,} ids are in no table, so nobody was erased; the first is "
                f"{min(unknown)!r}.",
                hint="Ids are kept exactly (007 is not 7). To keep such ids out of later loads too, add --unknown-too."
                + sellers,
            )
        gone = _gone(entity, of, asked, found.devices)
        plan = _plan(workspace, found, gone, of, len(asked), len(unknown), len(before), key)
        if not yes:
            return ErasureReport(plan, reason, False)
        return _done(workspace, store, stones, asked, found, gone, plan, reason, at, key, progress)


def _gone(entity: str, of: Person, asked: frozenset[str], devices: Collection[str]) -> releases.Gone:
    """Whom releases forget: their rows are those of users, devices or sellers."""
    if entity == of:
        return releases.Gone(asked if of == "user" else frozenset(), asked)
    return releases.Gone(asked, frozenset(devices) if entity == "device" else frozenset())


def _plan(
    workspace: Workspace,
    found: stores.Found,
    gone: releases.Gone,
    of: Person,
    users: int,
    unknown: int,
    before: int,
    key: bytes | None,
) -> Plan:
    current, counts, unreadable = current_release(workspace.releases), {}, []
    for folder in releases.release_folders(workspace.releases):
        try:
            if count := releases.holds(folder, gone, key):
                counts[folder.name] = count
        except ReleaseError as error:
            if folder.name == current or "signed" in error.message:
                raise
            unreadable.append(folder.name)
    audiences = {
        f"{folder.parent.name} of {folder.name}": count
        for folder in lists.audience_folders(workspace)
        if (count := lists.held(folder, gone.entities))
    }
    exports = list(lists.lists_of(workspace, gone.users | gone.entities, _inputs(workspace)))
    return Plan(
        of,
        users,
        unknown,
        before,
        len(found.devices),
        found.shared_devices,
        found.rows,
        found.mentions,
        counts,
        tuple(unreadable),
        audiences,
        tuple(str(path.relative_to(workspace.root)) for path, ours in exports if ours and gone.entities),
        tuple(str(path.relative_to(workspace.root)) for path, ours in exports if not ours),
    )


def _inputs(workspace: Workspace) -> frozenset[Path]:
    """The user's own files, which nobody changes."""
    patterns = [pattern for table in workspace.settings.tables.values() for pattern in table.files]
    found = {Path(path) for each in patterns for path in glob.glob(str(workspace.root / each), recursive=True)}
    listed = workspace.settings.suppression.file
    return frozenset(path.resolve() for path in (*found, *([workspace.root / listed] if listed else [])))


def _done(
    workspace: Workspace,
    store: Store,
    stones: Tombstones,
    users: frozenset[str],
    found: stores.Found,
    gone: releases.Gone,
    plan: Plan,
    reason: str,
    at: datetime,
    key: bytes | None,
    progress: Progress,
) -> ErasureReport:
    when = at.isoformat(timespec="seconds")
    hashes = tuple(sorted(stones.hash_of(plan.of, one) for one in users))
    devices = tuple(sorted(stones.hash_of("device", one) for one in found.devices))
    acts = tuple(sorted(stones.hash_of("act", one) for one in found.acts))
    by_seller = plan.of == "seller"
    stones.add(Erasure(when, reason, () if by_seller else hashes, devices, acts, hashes if by_seller else ()))
    data = store.fingerprint()
    shown = 0 if by_seller else posted.forget(workspace.root, users)
    stores.erase(store, users, found.devices, progress, plan.of)
    shutil.rmtree(workspace.snapshots, ignore_errors=True)
    for folder in (workspace.root, workspace.releases, workspace.models):
        if folder.is_dir():
            sweep(folder)
    judgements.forget(workspace.models / JUDGED, gone.entities)
    for name in plan.releases:
        progress(f"release {name}", 0)
        releases.without(workspace.releases / name, gone, key)
    for name in plan.unreadable:
        shutil.rmtree(workspace.releases / name)
    for folder in lists.audience_folders(workspace):
        with workspace.lock(f"audience-{folder.parent.name}"):
            sweep(folder.parent)
            if lists.held(folder, gone.entities):
                lists.without(folder, gone.entities)
    for export in plan.exports:
        lists.rewrite(workspace.root / export, gone.entities)
    journal.renew(workspace, data, Store(workspace).fingerprint())
    removed = {**{f"store/{table}": count for table, count in plan.rows.items()},
               **{f"releases/{name}": count for name, count in plan.releases.items()},
               "audiences": sum(plan.audiences.values()), "exports": len(plan.exports), "posted": shown}  # fmt: skip
    stones.finish(removed, when)
    return ErasureReport(plan, reason, True, when, hashes)


def read_ids(path: Path) -> list[str]:
    """The ids of a text file, one a line; a first line `user_id` is a header."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RepriseError(f"{path} cannot be read as UTF-8 text.", hint="Write one id a line.") from error
    ids = [line for line in lines if line.strip()]
    return ids[1:] if ids and ids[0] == "user_id" else ids
