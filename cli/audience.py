"""`reprise audience build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session
from pipeline import lists


def register(app: typer.Typer) -> None:
    audience = typer.Typer(help="Whom to talk to.", no_args_is_help=True)
    app.add_typer(audience, name="audience")

    @audience.command("build")
    def build(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="A name; with --rule a new one, else one of reprise.toml.")],
        rule: Annotated[
            str | None, typer.Option(help="Such as: churn_probability in top 10 % and amount_365d > 500")
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="Also write the list to this .csv, .parquet or .jsonl file.")
        ] = None,
        raw: Annotated[bool, typer.Option(help="CSV for machines: ids and numbers exactly as they are.")] = False,
        replace: Annotated[bool, typer.Option(help="Build anew although the rule has changed.")] = False,
    ) -> None:
        """Build a named audience from the current release: rule, suppression, control group, expected hits."""
        shell = session(context)
        report = lists.build_audience_now(shell.workspace(), name, rule, out, replace, now(), shell.progress, raw=raw)
        shell.answer(report.as_dict(), report.lines())
