"""`reprise bundles`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session
from warehouse.clock import parse_day


def register(app: typer.Typer) -> None:
    @app.command()
    def bundles(
        context: typer.Context,
        item: Annotated[str | None, typer.Option(help="Only bundles that hold this item.")] = None,
        most: Annotated[int, typer.Option("--top", min=1, help="At most so many pairs, and triples.")] = 20,
        judge_days: Annotated[
            int | None, typer.Option(min=1, help="Judge on the last so many days; a third of all if absent.")
        ] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        out: Annotated[
            Path | None, typer.Option(help="Also write all bundles to this .csv, .xlsx, .parquet or .jsonl file.")
        ] = None,
    ) -> None:
        """What is bought together, and what that does to orders."""
        from pipeline import bundling

        shell = session(context)
        day = parse_day(as_of) if as_of else None
        found = bundling.bundles_at(shell.workspace(), item, judge_days, day, now(), shell.progress)
        payload = found.payload(most)
        if out is not None:
            payload["out"] = bundling.write(found, out)
        rows = [tuple(map(_short, row.values())) for row in found.rows(most)]
        shell.table(payload, bundling.COLUMNS.names, rows, bundling.SHOWN, found.notes())


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value
