"""`reprise profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import language, now, session
from pipeline import profile as profiling
from warehouse.clock import parse_day
from warehouse.errors import UsageError


def register(app: typer.Typer) -> None:
    @app.command()
    def profile(
        context: typer.Context,
        as_of: Annotated[str | None, typer.Option(help="The date; the day after the last row if absent.")] = None,
        out: Annotated[Path | None, typer.Option(help="A .xlsx, .csv, .parquet or .jsonl file.")] = None,
        to: Annotated[
            str | None, typer.Option(help="Or a database: postgresql://user@host/name or sqlite:///file.db.")
        ] = None,
        table: Annotated[str | None, typer.Option(help="The table of the database; profile if absent.")] = None,
        user: Annotated[str | None, typer.Option(help="Or show one customer.")] = None,
        flag: Annotated[str | None, typer.Option(help="A rule: a column says of whom it is true.")] = None,
        lang: Annotated[str | None, typer.Option(help="Headers in en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """The customer table: groups, last acts, preferences, value."""
        shell = session(context)
        if sum(each is not None for each in (out, to, user)) != 1 or (to is None and table is not None):
            raise UsageError(
                "A profile goes to --out FILE, or to --to DATABASE [--table NAME], or is of one --user ID."
            )
        workspace = shell.workspace()
        told = language(lang, workspace)
        found = profiling.profiles_at(workspace, parse_day(as_of) if as_of else None, flag, now(), shell.progress)
        if user is not None:
            row = profiling.one(found, user, told)
            shell.answer(row, [f"{name}\t{'–' if value is None else value}" for name, value in row.items()])
        elif to is not None:
            lines, facts = profiling.send(found, to, table, shell.progress)
            shell.answer(facts, lines)
        elif out is not None:
            facts = profiling.write(found, out, told)
            scored = "" if found.release else "; no release was made for that date, so there are no probabilities"
            shell.answer(facts, [f"wrote {found.table.num_rows:,} customers as of {found.as_of} to {out}{scored}"])
