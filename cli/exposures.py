"""`reprise exposures`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command("exposures")
    def exposures(
        context: typer.Context,
        days: Annotated[int, typer.Option(min=1, max=365, help="Purchases within so many days count.")] = 30,
        against: Annotated[
            list[str] | None, typer.Option(help="A recommender: how its lists would have done; may be given again.")
        ] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
    ) -> None:
        """What came of what was shown: clicks and purchases."""
        from pipeline.exposures import exposed

        shell = session(context)
        found = exposed(
            shell.workspace(), parse_day(as_of) if as_of else None, days, against or (), now(), shell.progress
        )
        shell.answer(found.payload(), found.lines())
