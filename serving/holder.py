"""The one reference to the release that is served, and the thread that notices when another is published."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from serving import metrics
from serving.canary import CanaryTimeoutError
from serving.consents import ConsentsBeside
from serving.manifest import ReleaseError
from serving.problems import ProblemError
from serving.publication import current_release
from serving.release import Release, open_release
from serving.scoring import warm_up
from serving.stock import Stock, StockBeside, in_stock
from warehouse.errors import RepriseError, UsageError

WORKSPACE_VARIABLE = "REPRISE_WORKSPACE"
KEY_VARIABLE = "REPRISE_RELEASE_KEY"
POLL_SECONDS = 1.0

_AGAIN = "Make it anew with `reprise run --replace`."

logger = logging.getLogger("reprise.serving")


class Holder:
    """Holds the current release of a workspace.

    Readers take `release` once per request and keep it to the end, so a swap in between never mixes two releases.
    A release that does not open is refused, counted, and not tried again until the pointer names another or it is
    published anew; the old one goes on serving. `consents` and the stock file are those of the workspace the releases
    lie in.
    """

    def __init__(self, releases: Path, key: bytes | None = None, canary: bool = True) -> None:
        self.releases = releases
        self.consents = ConsentsBeside(releases.parent)
        self._key = key
        self._canary = canary
        self._stock = StockBeside(releases.parent)
        self._opened: Release | None = None
        self._release: Release | None = None
        self._stocked: tuple[Release, Stock | None] | None = None
        self._why_no_stock: str | None = None
        self._held: tuple[str, int] | None = None
        self._refused: tuple[str, int] | None = None
        self._why_none: str | None = None
        self._ended = Event()
        self._thread: Thread | None = None
        self._opening = Lock()

    @property
    def release(self) -> Release:
        """The release that is served; a 503 problem where there is none."""
        held = self._release
        if held is None:
            raise ProblemError(503, self.why_none)
        return held

    @property
    def why_none(self) -> str:
        """Why no release is served, and what to do."""
        return self._why_none or "No release is being served yet. Make one with `reprise run`."

    @property
    def ready(self) -> bool:
        return self._release is not None

    @property
    def degraded(self) -> bool:
        """True where a newer release was published and refused."""
        return self._refused is not None

    def start(self) -> None:
        """Opens what is published, and from then on looks every second whether something else is."""
        self.refresh()
        if self._thread is None:
            self._thread = Thread(target=self._watch, name="reprise-release", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the watching; what is held stays."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._ended = Event()

    def refresh(self) -> bool:
        """Opens the published release if it is not the one held; returns whether it was swapped in."""
        with self._opening:
            name = current_release(self.releases)
            # The time, too: an erasure puts another folder under the name of a release.
            marker = (name, _changed_at(self.releases / name)) if name is not None else None
            if name is None or marker == self._held:
                self._refused = self._why_none = None
                return False
            if marker == self._refused:
                return False
            try:
                opened = open_release(self.releases / name, self._key, self._canary)
                if opened.id != name:
                    raise ReleaseError(f"The folder {name} holds the release {opened.id}.")
                warm_up(opened)
            except RepriseError as error:
                self._refused = None if isinstance(error, CanaryTimeoutError) else marker
                self._why_none = f"The release {name} was refused. {error.message} {_AGAIN}"
                metrics.event("release_refused")
                logger.error("release %s refused: %s", name, error.message)
                return False
            self._refused = self._why_none = None
            self._opened, self._held = opened, marker
            self.restock(datetime.now(UTC).replace(tzinfo=None))
            metrics.event("release_opened")
            logger.info("release %s is served, as of %s", opened.id, opened.as_of)
            return True

    def restock(self, now: datetime) -> None:
        """Takes out of sale what the stock file has not, where it or the release is another; `now` is naive UTC."""
        opened = self._opened
        if opened is None:
            return
        stock, self._why_no_stock = self._stock.believed(now)
        if self._stocked is None or self._stocked[0] is not opened or self._stocked[1] is not stock:
            self._release = opened if stock is None else in_stock(opened, stock)
            self._stocked = (opened, stock)

    @property
    def stock(self) -> dict[str, Any] | None:
        """What is made of the stock file, as plain values: `changed_at` and `items_out` of the one that counts, `why`
        the newest one does not; None where no file is named."""
        opened, stock = self._stocked or (None, None)
        if stock is None and self._why_no_stock is None:
            return None
        out = len(opened.items - stock.items) if opened and stock else 0
        return {"changed_at": f"{stock.changed_at:%Y-%m-%dT%H:%M:%SZ}" if stock else None, "items_out": out,
                "why": self._why_no_stock}  # fmt: skip

    def _watch(self) -> None:
        ended = self._ended
        while not ended.wait(POLL_SECONDS):
            try:
                self.refresh()
                self.restock(datetime.now(UTC).replace(tzinfo=None))
            except Exception as error:
                # The watch must outlive whatever a half-written folder does to it.
                logger.error("looking for a release failed: %s", type(error).__name__)


def key_from_environment(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The key that releases are signed with, from `REPRISE_RELEASE_KEY` (`@FILE` names a file); None if not set."""
    told = environment.get(KEY_VARIABLE, "")
    if told.startswith("@"):
        try:
            return Path(told[1:]).read_bytes().strip()
        except OSError as error:
            raise UsageError(f"The file named by {KEY_VARIABLE} cannot be read.") from error
    return told.encode() or None


def releases_from_environment(environment: Mapping[str, str] = os.environ) -> Path:
    """The releases folder of the workspace named by `REPRISE_WORKSPACE`, the current folder if it is not set."""
    return Path(environment.get(WORKSPACE_VARIABLE) or ".").resolve() / "releases"


def _changed_at(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
