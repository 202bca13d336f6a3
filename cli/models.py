"""`reprise models list|show|promote|rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import session
from pipeline import champions, comparisons
from warehouse.errors import UsageError

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
        changes = [champions.told(entry) for entry in card["history"]]
        shell.answer(card, [card["text"], "## What served, since when and why", "", *(f"- {line}" for line in changes)])

    @models.command("history")
    def history(
        context: typer.Context,
        target: Annotated[str | None, typer.Argument(help="One target; all if absent.")] = None,
    ) -> None:
        """List every promotion and rollback: who, when and why."""
        shell = session(context)
        found = champions.history(shell.workspace(), target)
        columns = ("at", "target", "horizon_days", "action", "by", "version", "who", "reason", "run")
        shell.table(
            found,
            columns,
            [[entry[name] for name in columns] for entry in found],
            shown=("at", "target", "horizon_days", "action", "by", "who"),
            notes=[champions.told(entry) for entry in found],
        )

    @models.command("promote")
    def promote(
        context: typer.Context,
        version: Annotated[str | None, typer.Argument(help="A model version.")] = None,
        run: Annotated[
            str | None, typer.Option(help="Instead: the id of a finished run; it asks for a reason.")
        ] = None,
        reason: Annotated[str | None, typer.Option(help="Why; it is kept, with who and when.")] = None,
    ) -> None:
        """Let a version, or a run's model, serve from the next score on."""
        shell = session(context)
        if (version is None) == (run is None):
            raise UsageError("Name a model version, or a run with --run.", hint="`reprise models list` shows versions.")
        if run is not None:
            if not reason:
                raise UsageError("A run is promoted by hand only with a reason.", hint='Add --reason "why".')
            entry = comparisons.promote_run(shell.workspace(), run, reason)
        else:
            entry = champions.promote(shell.workspace(), str(version), reason or "promoted by hand")
        shell.answer(entry, [f"{entry['target']} {entry['horizon_days']} d: {entry['version']} serves {NEXT}"])

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
