"""`reprise funnel`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def funnel(
        context: typer.Context,
        steps: Annotated[
            list[str] | None,
            typer.Argument(help="A funnel of reprise.toml, aarrr (if absent), or the steps: event:view order."),
        ] = None,
        window: Annotated[
            int | None, typer.Option("--window-days", min=1, max=3650, help="Days from the first step to the last.")
        ] = None,
        by: Annotated[
            str | None, typer.Option(help="Cut by channel, a column of users, or a segment such as rfm_type.")
        ] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        out: Annotated[
            Path | None, typer.Option(help="Also write each user's furthest step: .csv, .xlsx, .parquet or .jsonl.")
        ] = None,
    ) -> None:
        """How many customers come how far along ordered steps."""
        from pipeline import funnelling

        shell = session(context)
        asked = funnelling.Asked(tuple(steps or ()), window, by)
        day = parse_day(as_of) if as_of else None
        found = funnelling.funnel_at(shell.workspace(), asked, day, out, now(), shell.progress)
        shell.table(found.payload, found.columns, found.rows, found.shown, found.notes)
