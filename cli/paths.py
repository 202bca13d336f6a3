"""`reprise paths`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def paths(
        context: typer.Context,
        by: Annotated[str | None, typer.Option(help="page, feature or event; pages where there are any.")] = None,
        transitions: Annotated[bool, typer.Option(help="From which page to which, instead of the pages.")] = False,
        of: Annotated[
            str | None, typer.Option("--convert", help="From list to pay, of each item, category or seller, instead.")
        ] = None,
        listed: Annotated[str | None, typer.Option("--list", help="The event that shows an item in a list.")] = None,
        detail: Annotated[str | None, typer.Option(help="The event that shows an item alone.")] = None,
        cart: Annotated[str | None, typer.Option(help="The event that puts an item into the cart.")] = None,
        most: Annotated[int, typer.Option("--top", min=1, help="At most so many rows.")] = 20,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
    ) -> None:
        """Where customers go, where they leave, what ends in a sale."""
        from pipeline import pathing

        shell = session(context)
        names = {stage: name for stage, name in (("list", listed), ("detail", detail), ("cart", cart)) if name}
        asked = pathing.Asked(by, of, transitions, most, names)
        day = parse_day(as_of) if as_of else None
        found = pathing.paths_at(shell.workspace(), asked, day, now(), shell.progress)
        shell.table(found.payload, found.columns, found.rows, found.shown, found.notes)
