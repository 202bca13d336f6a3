"""`reprise erase`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session
from pipeline import erasing


def register(app: typer.Typer) -> None:
    @app.command()
    def erase(
        context: typer.Context,
        reason: Annotated[str, typer.Option(help="Why; it is kept, so it names nobody.")],
        users: Annotated[list[str] | None, typer.Argument(help="The ids, exactly as in the files.")] = None,
        file: Annotated[Path | None, typer.Option(help="A text file of ids, one a line.")] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Do it; without, what would go is told.")] = False,
        unknown_too: Annotated[
            bool, typer.Option(help="Also ids that are nowhere yet: later loads set them aside.")
        ] = False,
        seller: Annotated[bool, typer.Option("--seller", help="The ids are of sellers, the customers.")] = False,
    ) -> None:
        """Erase users or sellers from a workspace, and keep them out.

        They go from the store, releases, lists and caches, and later loads set their rows aside. Your own files are
        never changed. Without --yes nothing is.
        """
        shell = session(context)
        asked = [*(users or []), *(erasing.read_ids(file) if file else [])]
        report = erasing.erase(
            shell.workspace(),
            asked,
            reason,
            now(),
            yes=yes,
            unknown_too=unknown_too,
            of="seller" if seller else "user",
            progress=shell.progress,
        )
        shell.answer(report.as_dict(), report.lines())
