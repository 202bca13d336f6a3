"""`reprise backtest`: what would have happened."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from pipeline import replay
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def backtest(
        context: typer.Context,
        target: Annotated[str, typer.Argument(help="A target such as repurchase; `recommend` or `value`.")],
        horizon: Annotated[int | None, typer.Option(help="Days looked ahead; each of the target's if absent.")] = None,
        as_of: Annotated[list[str] | None, typer.Option(help="A date to replay; may be repeated.")] = None,
    ) -> None:
        """Replay the past: train as of then, judge by what came."""
        shell = session(context)
        days = [parse_day(day) for day in as_of or []] or None
        report = replay.backtest(shell.workspace(), target, horizon, days, now(), shell.progress)
        shell.answer(report.payload, report.lines())
