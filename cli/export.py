"""`reprise export scores|suggestions|features|value`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.session import Session, session
from pipeline import lists
from warehouse.databases import Database
from warehouse.errors import UsageError


class What(StrEnum):
    scores = "scores"
    suggestions = "suggestions"
    features = "features"
    value = "value"


class Format(StrEnum):
    long = "long"
    wide = "wide"


def register(app: typer.Typer) -> None:
    @app.command()
    def export(
        context: typer.Context,
        what: Annotated[What, typer.Argument(help="What to write.")],
        out: Annotated[Path | None, typer.Option(help="A .csv, .parquet or .jsonl file.")] = None,
        to: Annotated[
            str | None, typer.Option(help="Or a database: postgresql://user@host/name or sqlite:///file.db.")
        ] = None,
        table: Annotated[str | None, typer.Option(help="The table of the database; the list's name if absent.")] = None,
        form: Annotated[
            Format, typer.Option("--format", help="A row for each prediction, or for each customer.")
        ] = Format.long,
        raw: Annotated[bool, typer.Option(help="CSV for machines: texts exactly as they are.")] = False,
    ) -> None:
        """Write a list of the current release to a file or a database.

        The table then holds exactly that list: rows are added, removed and changed in one transaction.
        """
        shell = session(context)
        if (out is None) == (to is None) or (to is None and table is not None) or (to is not None and raw):
            raise UsageError("A list is written either to --out FILE [--raw] or to --to DATABASE [--table NAME].")
        wide = form is Format.wide
        if to is None and out is not None:
            _to_file(shell, what.value, out, wide, raw)
        elif to is not None:
            database = Database.at(to, Path.cwd())
            named = table or what.value
            told, facts = lists.export_to(
                shell.workspace(), what.value, database, named, wide=wide, progress=shell.progress
            )
            shell.answer(facts, told.lines())


def _to_file(shell: Session, what: str, out: Path, wide: bool, raw: bool) -> None:
    report = lists.export(shell.workspace(), what, out, wide=wide, raw=raw)
    lines = [f"wrote {report['rows']:,} rows to {out} (release {report['release']}, as of {report['as_of']})"]
    if report["guarded_cells"]:
        lines.append(
            f"{report['guarded_cells']:,} cells that could start a formula carry an apostrophe; "
            "for other programs use --raw"
        )
    shell.answer(report, lines)
