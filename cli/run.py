"""`reprise run`: the nightly job."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from pipeline import nightly
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def run(
        context: typer.Context,
        as_of: Annotated[
            str | None, typer.Option(help="The cutoff, such as 2011-06-11; else the day after the last row.")
        ] = None,
        retrain: Annotated[bool, typer.Option("--retrain", help="Train even if it is not due.")] = False,
        replace: Annotated[
            bool, typer.Option("--replace", help="Publish anew for a date whose settings have changed.")
        ] = False,
        accept_drift: Annotated[
            str | None, typer.Option(help="Take a surprising file or publish surprising scores all the same; say why.")
        ] = None,
    ) -> None:
        """The nightly job: load, train if due, score, publish.

        The same data, settings and date again change nothing.
        """
        shell = session(context)
        report = nightly.run(
            shell.workspace(),
            parse_day(as_of) if as_of else None,
            loaded_at=now(),
            retrain=retrain,
            replace=replace,
            accept_drift=accept_drift,
            progress=shell.progress,
            tell=shell.say,
        )
        shell.answer(report.as_dict(), report.closing_lines())
