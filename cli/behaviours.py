"""`reprise behaviours`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def behaviours(
        context: typer.Context,
        leaving: Annotated[bool, typer.Option(help="What comes before leaving, instead.")] = False,
        days: Annotated[
            int | None, typer.Option(min=1, help="The days looked at: the first 14, or the 28 before a date.")
        ] = None,
        later: Annotated[
            int | None, typer.Option("--later-days", min=1, help="The days judged after them: 90, or 60 of leaving.")
        ] = None,
        most: Annotated[int, typer.Option("--top", min=1, help="At most so many rows.")] = 20,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
    ) -> None:
        """Which behaviours go with staying or leaving; observational."""
        from pipeline import behaving

        shell = session(context)
        asked = behaving.Asked(leaving, days, later, most)
        day = parse_day(as_of) if as_of else None
        found = behaving.behaviours_at(shell.workspace(), asked, day, now(), shell.progress)
        # Said wherever it is read: piped, too, where a table has no notes.
        columns, rows = (*found.columns, "kind"), [(*row, "observational") for row in found.rows]
        shell.table(found.payload, columns, rows, found.shown, found.notes)
