"""`reprise value`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import language, session


def register(app: typer.Typer) -> None:
    @app.command()
    def value(
        context: typer.Context,
        by: Annotated[str | None, typer.Option(help="Group by this segment or attribute; rfm_type if absent.")] = None,
        user: Annotated[str | None, typer.Option(help="Or one customer, with an interval.")] = None,
        most: Annotated[int, typer.Option("--top", min=1, help="How many of those worth most are listed.")] = 10,
        lang: Annotated[str | None, typer.Option("--language", help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """What customers will spend, by decile and by group."""
        from pipeline import worth

        shell = session(context)
        workspace = shell.workspace()
        if user is not None:
            told = worth.one(workspace, user)
            shell.answer(told, [f"{name}\t{_cell(held)}" for name, held in told.items()])
            return
        release, found = worth.worth(workspace, by)
        payload = {"as_of": release.as_of, "release": release.id, **found.payload(most)}
        shell.answer(payload, found.lines(language(lang, workspace), most))


def _cell(held: object) -> str:
    if isinstance(held, dict):
        return f"{_cell(held['low'])} to {_cell(held['high'])} ({held['level']:.0%})"
    return "–" if held is None else f"{held:,.2f}" if isinstance(held, float) else str(held)
