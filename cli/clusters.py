"""`reprise clusters`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import language, now, session
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def clusters(
        context: typer.Context,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        feature: Annotated[list[str] | None, typer.Option(help="Go by this feature; may be repeated.")] = None,
        out: Annotated[Path | None, typer.Option(help="Also write everybody to this .csv, .parquet or .jsonl.")] = None,
        lang: Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """Groups that the data themselves show, if they show any."""
        from pipeline.clusters import clusters_at

        shell = session(context)
        workspace = shell.workspace()
        told, day = language(lang, workspace), parse_day(as_of) if as_of else None
        found, written = clusters_at(workspace, day, feature or (), out, now(), shell.progress)
        payload, lines = found.payload(), list(found.lines(told))
        if written is not None:
            payload["out"] = written
            lines += ["", f"wrote {written['path']} ({written['rows']:,} rows)"]
        shell.answer(payload, lines)
