"""`reprise score`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from pipeline import nightly
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def score(
        context: typer.Context,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
    ) -> None:
        """Score everyone with the models that serve, and publish."""
        shell = session(context)
        report = nightly.score_now(
            shell.workspace(), parse_day(as_of) if as_of else None, now(), shell.progress, shell.say
        )
        shell.answer(report.as_dict(), report.closing_lines())
