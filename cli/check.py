"""`reprise check`: load what is new and say what was found."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import now, session
from warehouse.store import Store


def register(app: typer.Typer) -> None:
    @app.command()
    def check(
        context: typer.Context,
        accept_drift: Annotated[str | None, typer.Option(help="Take a surprising file all the same; say why.")] = None,
    ) -> None:
        """Check the files and load what is new into the store."""
        shell = session(context)
        workspace = shell.workspace()
        with workspace.lock("run"):
            report = Store(workspace).load_new(now(), shell.progress, accept_drift=accept_drift)
        shell.answer(report.as_dict(), report.lines())
