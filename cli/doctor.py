"""`reprise doctor`."""

from __future__ import annotations

import typer

from cli.session import now, session
from pipeline.doctor import examine


def register(app: typer.Typer) -> None:
    @app.command()
    def doctor(context: typer.Context) -> None:
        """Say what is wrong with this workspace and what to do."""
        shell = session(context)
        findings = examine(shell.workspace(), now())
        rows = [(f.state, f.what, f.found, f.todo) for f in findings]
        shell.table([vars(f) for f in findings], ("state", "what", "found", "what to do"), rows)
        if any(f.state == "broken" for f in findings):
            raise typer.Exit(1)
