"""A list of the past made once more: the same release, the same people, the same arms, and the proof that it is so."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from audiences.audience import Work, fill
from audiences.expecting import Scored
from audiences.offered import OFFER
from audiences.publishing import MANIFEST
from audiences.survey import SURVEY
from features import rules
from warehouse.errors import DataProblemError, NotReadyError, RepriseError, UsageError
from warehouse.files import atomic_directory, sha256
from warehouse.settings import AudienceSettings, SuppressionSettings
from warehouse.workspace import Workspace

_ANY_AGE = 24 * 366 * 1000


@dataclass(frozen=True)
class Past:
    """What the manifest of an audience says it was made from. `known_at`: when its consents were last loaded."""

    name: str
    as_of: date
    folder: Path
    release: str
    settings: AudienceSettings
    known_at: datetime | None
    told: Mapping[str, Any]


@dataclass(frozen=True)
class Rebuilt:
    """An audience made again in `folder`; `differs` names what is not as it was then, nothing where all bytes agree."""

    folder: Path
    release: str
    counts: Mapping[str, int]
    differs: tuple[str, ...]

    @property
    def identical(self) -> bool:
        return not self.differs


def read_past(workspace: Workspace, name: str, as_of: date) -> Past:
    """The audience of that name and date; `NotReadyError` where there is none."""
    folder = workspace.inside(workspace.audiences, name) / as_of.isoformat()
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        declared = told["declared"]
        if SURVEY in declared:
            raise UsageError(f"{name} of {as_of} is a survey, and who had been asked by then is not kept.")
        if OFFER in declared:
            raise UsageError(f"{name} of {as_of} is the list of an offer, and was given out together with others.")
        asked = {key: declared[key] for key in ("rule", "control_share", "salt", "channel", "target")}
        known_at = told["suppression"].get("known_at")
        return Past(
            name,
            as_of,
            folder,
            told["release"],
            AudienceSettings.model_validate(asked | {"allow_empty": told["allow_empty"]}),
            datetime.fromisoformat(known_at) if known_at else None,
            told,
        )
    except FileNotFoundError as error:
        there = sorted(path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}"))
        raise NotReadyError(
            f"There is no audience {name} of {as_of}.", hint=f"There are: {', '.join(there) or 'none of that name'}."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataProblemError(f"{folder / MANIFEST} cannot be read, so what was asked then is not known.") from error


def rebuild(
    workspace: Workspace,
    past: Past,
    frame: pa.Table,
    target: Path,
    listed: Path | None,
    *,
    fields: Mapping[str, rules.Field],
    scores: Sequence[Scored],
    fresh: Callable[[], pa.Table] | None,
) -> Rebuilt:
    """Writes the audience once more to the new folder `target` and compares it with what was written then.

    `frame`, `fields` and `scores` are those of the release of then, `fresh` gives the consents as recorded then, and
    `listed` is the suppression list of then; without it the one of the settings, if it is still the same.
    """
    if target.exists():
        raise RepriseError(f"{target} is already there.", hint="Name another folder with --out.")
    suppression, now = _list_of_then(workspace, past, listed)
    settings = workspace.settings.model_copy(update={"suppression": suppression})
    work = Work(
        replace(workspace, settings=settings),
        past.name,
        frame,
        past.settings,
        rules.check(rules.read(past.settings.rule), fields),
        past.as_of,
        past.release,
        now,
        past.told["csv_mode"],
        tuple(scores),
        fresh,
        past.known_at,
    )
    with atomic_directory(target) as folder:
        made = fill(work, folder)
    return Rebuilt(target, past.release, made["counts"], tuple(_differences(past, made, target)))


def _list_of_then(workspace: Workspace, past: Past, listed: Path | None) -> tuple[SuppressionSettings, datetime]:
    """The suppression list that was used then, whatever its age is now; the time is that of the file."""
    told = past.told["suppression"]["list"]
    if told is None:
        return SuppressionSettings(), datetime.now(UTC).replace(tzinfo=None)
    file = workspace.settings.suppression.file
    path = listed or (workspace.root / file if file else None)
    if path is None or not path.is_file() or sha256(path) != told["sha256"]:
        raise NotReadyError(
            f"The suppression list of then ({told['file']}, {told['ids']:,} ids, sha256 {told['sha256'][:12]}…) is not "
            f"{path if path and path.is_file() else 'there'}.",
            hint="Give the file of then with --suppression FILE.",
        )
    return SuppressionSettings(file=str(path), max_age_hours=_ANY_AGE), datetime.now(UTC).replace(tzinfo=None)


def _differences(past: Past, made: Mapping[str, Any], target: Path) -> list[str]:
    found = [
        f"{name} is not as it was written"
        for name, digest in past.told["files"].items()
        if sha256(target / name) != digest
    ]
    counts = past.told["counts"]
    found += [
        f"{what}: {counts.get(what)} then, {count} now"
        for what, count in made["counts"].items()
        if found and counts.get(what) != count
    ]
    return found
