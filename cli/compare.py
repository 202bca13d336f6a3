"""`reprise compare`: two trainings beside each other."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import session
from pipeline import comparisons

RUN = "A run id of the tracking server, or a model version."


def register(app: typer.Typer) -> None:
    @app.command()
    def compare(
        context: typer.Context,
        first: Annotated[str, typer.Argument(help=RUN)],
        second: Annotated[str, typer.Argument(help=RUN)],
    ) -> None:
        """Compare two trainings: quality in pairs, what was changed."""
        shell = session(context)
        found = comparisons.compare(shell.workspace(), first, second)
        shell.answer(found.payload, found.lines())
