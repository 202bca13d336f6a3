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
        target: Annotated[str | None, typer.Argument(help="One target, `recommend` or `value`; all if absent.")] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        set_: Annotated[
            list[str] | None, typer.Option("--set", help="KEY=VALUE of the trees, such as num_leaves=31; repeatable.")
        ] = None,
        experiment: Annotated[
            str | None, typer.Option(help="Log under this name and promote nothing; `--set` alone does so too.")
        ] = None,
    ) -> None:
        """Train, judge on a date not seen, promote what is better."""
        shell = session(context)
        day = parse_day(as_of) if as_of else None
        if set_ or experiment is not None:
            from pipeline import experiments

            tried = experiments.train(
                shell.workspace(), target, set_ or [], experiment, day, now(), shell.progress, shell.say
            )
            shell.answer(tried.as_dict(), tried.lines())
            return
        outcome = nightly.train_now(shell.workspace(), target, day, now(), shell.progress, shell.say)
        shell.answer(outcome.as_dict(), outcome.lines())
