"""`reprise models list|show|promote|rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import session
from pipeline import champions

NEXT = "from the next `reprise score`, or the first run of a new day, on."


def register(app: typer.Typer) -> None:
    models = typer.Typer(help="Which models there are and which one serves.", no_args_is_help=True)
    app.add_typer(models, name="models")

    @models.command("list")
    def list_(context: typer.Context) -> None:
        """List every model version; the one that serves is marked."""
        shell = session(context)
        found = champions.versions(shell.workspace())
        rows = [
            (v["target"], v["horizon_days"], v["version"], v["kind"], "yes" if v["champion"] else "", v["reason"])
            for v in found
        ]
        serving = [v for v in found if v["champion"]]
        shell.table(
            found,
            ("target", "days", "version", "kind", "serves", "why"),
            rows,
            shown=("target", "days", "version", "kind", "serves"),
            notes=[f"{v['target']} {v['horizon_days']} d: {v['reason']}" for v in serving],
        )

    @models.command("show")
    def show(context: typer.Context, version: Annotated[str, typer.Argument(help="A model version.")]) -> None:
        """Print the card of a model in plain words."""
        shell = session(context)
        card = champions.card(shell.workspace(), version)
        shell.answer(card, [card["text"]])

    @models.command("promote")
    def promote(
        context: typer.Context,
        version: Annotated[str, typer.Argument(help="A model version.")],
        reason: Annotated[str, typer.Option(help="Why; it is kept, with who and when.")] = "promoted by hand",
    ) -> None:
        """Make a version the one that serves from the next scoring on."""
        shell = session(context)
        entry = champions.promote(shell.workspace(), version, reason)
        shell.answer(entry, [f"{entry['target']} {entry['horizon_days']} d: {version} serves {NEXT}"])

    @models.command("rollback")
    def rollback(
        context: typer.Context,
        target: Annotated[str, typer.Argument(help="The target.")],
        horizon: Annotated[int, typer.Option(help="Days looked ahead.")] = 30,
        reason: Annotated[str, typer.Option(help="Why; it is kept, with who and when.")] = "rolled back by hand",
    ) -> None:
        """Go back to the version that served before."""
        shell = session(context)
        entry = champions.rollback(shell.workspace(), target, horizon, reason)
        shell.answer(entry, [f"{target} {horizon} d: {entry['version']} serves {NEXT}"])
