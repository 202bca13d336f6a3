"""`reprise report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import language, now, session
from console.report import make_report
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def report(
        context: typer.Context,
        as_of: Annotated[str | None, typer.Option(help="The date; the day after the last row if absent.")] = None,
        out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
        lang: Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """Draw the customers as one HTML page that needs no network."""
        shell = session(context)
        workspace = shell.workspace()
        told = language(lang, workspace)
        made = make_report(workspace, parse_day(as_of) if as_of else None, out, told, now(), shell.progress)
        shell.answer(made.as_dict(), made.lines(told))
