"""`reprise segments`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import typer

from cli.session import Session, now, session
from pipeline import segmenting
from warehouse.clock import parse_day
from warehouse.errors import UsageError


def register(app: typer.Typer) -> None:
    segments = typer.Typer(help="Groups of customers: RFM and the others.", invoke_without_command=True)
    app.add_typer(segments, name="segments")

    @segments.callback()
    def show(
        context: typer.Context,
        only: Annotated[str | None, typer.Option(help="One segment, such as rfm_type.")] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        language: Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """Every segment's groups: users, shares, money, how long they have been silent."""
        if context.invoked_subcommand is not None:
            return
        shell = session(context)
        found = segmenting.segments_at(shell.workspace(), _day(as_of), only, now(), shell.progress)
        shell.answer(found.payload(), found.lines(_language(shell, language)))


def _day(as_of: str | None) -> date | None:
    return parse_day(as_of) if as_of else None


def _language(shell: Session, asked: str | None) -> Literal["en", "zh"]:
    if asked not in (None, "en", "zh"):
        raise UsageError(f"--language {asked!r} is not known.", hint="Use en or zh.")
    return "zh" if (asked or shell.workspace().settings.language) == "zh" else "en"
