"""`reprise cycles` and `reprise cycles due`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session
from warehouse.clock import parse_day
from warehouse.errors import UsageError


def register(app: typer.Typer) -> None:
    cycles = typer.Typer(help="When things are bought again, what comes next, who is due.")
    app.add_typer(cycles, name="cycles")

    @cycles.callback(invoke_without_command=True)
    def cycle(
        context: typer.Context,
        category: Annotated[str | None, typer.Option(help="Only this category, with its curve.")] = None,
        item: Annotated[str | None, typer.Option(help="Only this item, with its curve.")] = None,
        by: Annotated[str | None, typer.Option(help="category or item; categories where there are any.")] = None,
        following: Annotated[bool, typer.Option("--next", help="What is bought after what, instead.")] = False,
        within: Annotated[int, typer.Option(min=1, max=365, help="With --next: within so many days.")] = 30,
        most: Annotated[int, typer.Option("--top", min=1, help="At most so many rows.")] = 100,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
    ) -> None:
        """When each category, or item, is bought again; or what is bought next."""
        if context.invoked_subcommand is not None:
            return
        from pipeline import cycling

        shell = session(context)
        asked = cycling.Asked(category, item, by, within, most)
        day = parse_day(as_of) if as_of else None
        told = cycling.following if following else cycling.cycles
        found = told(shell.workspace(), asked, day, now(), shell.progress)
        shell.table(found.payload, found.columns, found.rows, shown=found.shown, notes=found.notes)

    @cycles.command("due")
    def due(
        context: typer.Context,
        status: Annotated[str, typer.Option(help="due (this week), overdue, not_yet or all.")] = "due",
        most_overdue: Annotated[
            float | None, typer.Option("--most-overdue", min=0, help="Overdue by at most so many gaps.")
        ] = None,
        out: Annotated[Path | None, typer.Option(help="A .csv, .parquet or .jsonl file.")] = None,
    ) -> None:
        """Who is due for which item this week, by the release that serves."""
        from pipeline import cycling

        if status not in cycling.STATUSES:
            raise UsageError(f"There is no status {status!r}.", hint=f"There are: {', '.join(cycling.STATUSES)}.")
        shell = session(context)
        found = cycling.due(shell.workspace(), status, most_overdue, out)
        if out:
            shell.answer(found.payload, found.notes)
        else:
            shell.table(found.payload, found.columns, found.rows)
