"""`reprise features build|list|usefulness`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session
from features.catalogue import available
from features.source import StoreSource
from pipeline import nightly
from warehouse.clock import parse_day
from warehouse.store import Store


def register(app: typer.Typer) -> None:
    features = typer.Typer(help="What is counted for every customer as of a date.", no_args_is_help=True)
    app.add_typer(features, name="features")

    @features.command("build")
    def build(
        context: typer.Context,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        out: Annotated[Path | None, typer.Option(help="A .parquet, .csv or .jsonl file.")] = None,
    ) -> None:
        """Build one row for each customer as of a date."""
        shell = session(context)
        workspace = shell.workspace()
        asked = parse_day(as_of) if as_of else None
        day, rows, count = nightly.features_at(workspace, asked, out, now(), shell.progress)
        payload = {"as_of": day, "rows": rows, "features": count, "out": out}
        lines = [f"{rows:,} customers × {count} features as of {day}"]
        shell.answer(payload, lines + ([f"wrote {out} ({rows:,} rows)"] if out else []))

    @features.command("list")
    def list_(context: typer.Context) -> None:
        """List the features these tables can give, and their meaning."""
        shell = session(context)
        workspace = shell.workspace()
        chinese = workspace.settings.language == "zh"
        store = Store(workspace)
        found = (*available(store.tables), *StoreSource(store).own.features)
        payload = [
            {"name": f.name, "family": f.family, "unit": f.unit, "window_days": f.window_days, "en": f.en, "zh": f.zh}
            | ({"values": [asdict(value) for value in f.values]} if f.is_segment else {})
            for f in found
        ]
        rows = [(f.name, f.family, f.unit, f.window_days, f.zh if chinese else f.en) for f in found]
        shell.table(payload, ("name", "family", "unit", "days", "meaning"), rows, shown=("name", "family", "meaning"))

    @features.command("usefulness")
    def usefulness(
        context: typer.Context,
        target: Annotated[str, typer.Argument(help="A target such as repurchase.")],
        horizon: Annotated[int | None, typer.Option(help="Days looked ahead; the target's first if absent.")] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
    ) -> None:
        """What a target's ranking loses without each family."""
        from pipeline import experiments

        shell = session(context)
        day = parse_day(as_of) if as_of else None
        found = experiments.families(shell.workspace(), target, horizon, day, now(), shell.progress)
        shell.answer(found.payload, found.lines())
