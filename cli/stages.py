"""`reprise stages`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from cli.session import language, now, session
from warehouse.clock import parse_day
from warehouse.errors import UsageError


def register(app: typer.Typer) -> None:
    @app.command()
    def stages(
        context: typer.Context,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        grain: Annotated[str, typer.Option(help="Measured by month or week.")] = "month",
        periods: Annotated[int, typer.Option(min=0, max=36, help="So many whole periods.")] = 3,
        out: Annotated[Path | None, typer.Option(help="Also write everybody to this .csv, .parquet or .jsonl.")] = None,
        lang: Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """Value stages: who is where, what is done, what it brings."""
        from features.periods import Grain
        from pipeline import stages as staging

        if grain not in ("month", "week"):
            raise UsageError(f"There are no periods of a {grain!r}.", hint="Give --grain month or --grain week.")
        shell = session(context)
        workspace = shell.workspace()
        told, day = language(lang, workspace), parse_day(as_of) if as_of else None
        found = staging.stages_at(workspace, day, cast(Grain, grain), periods, now(), shell.progress)
        payload, lines = found.payload(), list(found.lines(told))
        if out is not None:
            payload["out"] = staging.write(found, out)
            lines += ["", f"wrote {payload['out']['path']} ({payload['out']['rows']:,} rows)"]
        shell.answer(payload, lines)
