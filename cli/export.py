"""`reprise export scores|suggestions|features`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.session import session
from pipeline import lists


class What(StrEnum):
    scores = "scores"
    suggestions = "suggestions"
    features = "features"


class Format(StrEnum):
    long = "long"
    wide = "wide"


def register(app: typer.Typer) -> None:
    @app.command()
    def export(
        context: typer.Context,
        what: Annotated[What, typer.Argument(help="What to write.")],
        out: Annotated[Path, typer.Option(help="A .csv, .parquet or .jsonl file.")],
        form: Annotated[
            Format, typer.Option("--format", help="A row for each prediction, or for each customer.")
        ] = Format.long,
        raw: Annotated[bool, typer.Option(help="CSV for machines: texts exactly as they are.")] = False,
    ) -> None:
        """Write a list of the current release to a file."""
        shell = session(context)
        report = lists.export(shell.workspace(), what.value, out, wide=form is Format.wide, raw=raw)
        lines = [f"wrote {report['rows']:,} rows to {out} (release {report['release']}, as of {report['as_of']})"]
        if report["guarded_cells"]:
            lines.append(
                f"{report['guarded_cells']:,} cells that could start a formula carry an apostrophe; "
                "for other programs use --raw"
            )
        shell.answer(report, lines)
