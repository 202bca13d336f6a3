"""`reprise levels`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import language, now, session
from warehouse.clock import parse_day
from warehouse.errors import UsageError


def register(app: typer.Typer) -> None:
    @app.command()
    def levels(
        context: typer.Context,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        days: Annotated[int, typer.Option(min=1, max=3650, help="The period: so many days back and ahead.")] = 30,
        user: Annotated[str | None, typer.Option(help="One customer, with every change and its reason.")] = None,
        preset: Annotated[str | None, typer.Option(help="Try shop, content or tool instead of [levels].")] = None,
        out: Annotated[Path | None, typer.Option(help="Also write everybody to this .csv, .parquet or .jsonl.")] = None,
        lang: Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """Member levels: how many, who moved, who is about to move."""
        from pipeline import levelling

        shell = session(context)
        workspace = shell.workspace()
        told, day = language(lang, workspace), parse_day(as_of) if as_of else None
        if user is not None:
            if out is not None:
                raise UsageError("--user and --out are asked for at once.", hint="Give one of them.")
            one = levelling.customer_at(workspace, user, day, preset, now(), shell.progress)
            shell.answer(one.payload, one.lines(told))
            return
        found = levelling.summary_at(workspace, day, preset, days, now(), shell.progress)
        payload, lines = found.payload(), list(found.lines(told))
        if out is not None:
            payload["out"] = levelling.write(found, out)
            lines += ["", f"wrote {payload['out']['path']} ({payload['out']['rows']:,} rows)"]
        shell.answer(payload, lines)
