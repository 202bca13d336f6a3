"""`reprise explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import session
from pipeline import lists
from warehouse.errors import UsageError


def register(app: typer.Typer) -> None:
    @app.command()
    def explain(
        context: typer.Context,
        user: Annotated[str, typer.Argument(help="A customer's id; of an unknown one the averages are told.")],
        language: Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """A customer's probabilities, with the reasons in plain words."""
        if language not in (None, "en", "zh"):
            raise UsageError(f"--language {language!r} is not known.", hint="Use en or zh.")
        shell = session(context)
        answer = lists.explain(shell.workspace(), user, language)
        told = [target["sentences"] for target in answer["targets"]]
        lines = [line for head, *why in told for line in (head, *(f"  {reason}" for reason in why))]
        lines += answer["stated"]
        shell.answer(answer, [answer["note"], *lines] if answer["note"] else lines)
