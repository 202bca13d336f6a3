"""`reprise growth`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from features.periods import Grain
from insights.telling import SHOWN
from pipeline.growing import growth_at
from warehouse.clock import parse_day
from warehouse.errors import UsageError


def register(app: typer.Typer) -> None:
    @app.command()
    def growth(
        context: typer.Context,
        grain: Annotated[Grain, typer.Option(help="Calendar months or ISO weeks.")] = "month",
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        lapsed_after: Annotated[
            int | None, typer.Option(min=1, help="Silent periods until lapsed; the workspace's if absent.")
        ] = None,
        split: Annotated[
            str | None, typer.Option(help="A rule; JSON then tells the two sides of it too: order_count_90d >= 2.")
        ] = None,
        language: Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """Who is new, stays, comes back and leaves, by month or week."""
        if language not in (None, "en", "zh"):
            raise UsageError(f"--language {language!r} is not known.", hint="Use en or zh.")
        shell = session(context)
        workspace = shell.workspace()
        day = parse_day(as_of) if as_of else None
        told = None if shell.as_json else SHOWN
        found = growth_at(workspace, day, grain, lapsed_after, split, now(), shell.progress, told)
        shell.answer(found.payload(), found.lines("zh" if (language or workspace.settings.language) == "zh" else "en"))
