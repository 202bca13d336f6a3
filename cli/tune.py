"""`reprise tune`: better settings, searched on the past and judged on a date that was not searched."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def tune(
        context: typer.Context,
        target: Annotated[str, typer.Argument(help="A target such as repurchase, or `recommend`.")],
        trials: Annotated[int, typer.Option(min=1, help="So many more settings are tried.")] = 20,
        horizon: Annotated[int | None, typer.Option(help="Days looked ahead; the target's first if absent.")] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
    ) -> None:
        """Search better settings; writes none, a second call continues."""
        from pipeline import experiments  # Optuna takes half a second to load

        shell = session(context)
        day = parse_day(as_of) if as_of else None
        found = experiments.tune(shell.workspace(), target, horizon, trials, day, now(), shell.progress)
        shell.answer(found.as_dict(), found.lines())
