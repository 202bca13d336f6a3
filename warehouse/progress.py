"""How long work says where it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with a short label, how much is done, and the total where it is known."""

    def __call__(self, label: str, done: float, total: float | None = None) -> None: ...


def silent(label: str, done: float, total: float | None = None) -> None:
    """The listener that hears nothing."""
