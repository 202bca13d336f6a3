"""`reprise train`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from pipeline import nightly
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def train(
        context: typer.Context,
        target: Annotated[str | None, typer.Argument(help="One target, or `recommend`; all if absent.")] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
    ) -> None:
        """Train, judge on a date not seen, promote what is better."""
        shell = session(context)
        outcome = nightly.train_now(
            shell.workspace(), target, parse_day(as_of) if as_of else None, now(), shell.progress, shell.say
        )
        shell.answer(outcome.as_dict(), outcome.lines())
