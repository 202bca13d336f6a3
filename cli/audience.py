"""`reprise audience build | rebuild`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session
from pipeline import lists, rebuilding
from warehouse.errors import DataProblemError


def register(app: typer.Typer) -> None:
    audience = typer.Typer(help="Whom to talk to.", no_args_is_help=True)
    app.add_typer(audience, name="audience")

    @audience.command("build")
    def build(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="A name; with --rule a new one, else one of reprise.toml.")],
        rule: Annotated[
            str | None,
            typer.Option(help="Such as: churn_probability in top 10 % and amount_365d > 500; or its JSON form."),
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="Also write the list to this .csv, .parquet or .jsonl file.")
        ] = None,
        raw: Annotated[bool, typer.Option(help="CSV for machines: ids and numbers exactly as they are.")] = False,
        replace: Annotated[bool, typer.Option(help="Build anew although the rule has changed.")] = False,
    ) -> None:
        """Build a named audience from the current release: rule, suppression, control group, expected hits.

        With nobody in it its files hold a header and no rows, and the exit code is 3, unless its settings allow that.
        """
        shell = session(context)
        report = lists.build_audience_now(shell.workspace(), name, rule, out, replace, now(), shell.progress, raw=raw)
        shell.answer(report.as_dict(), report.lines())
        if report.failed:
            raise typer.Exit(DataProblemError.exit_code)

    @audience.command("rebuild")
    def rebuild(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="The name of an audience that was built.")],
        as_of: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The date in its folder's name.")],
        out: Annotated[
            Path | None, typer.Option(help="A new folder for it; else one beside the old, ending in -rebuilt.")
        ] = None,
        suppression: Annotated[
            Path | None, typer.Option(help="The suppression list of then, if it has changed since.")
        ] = None,
    ) -> None:
        """Make a list of the past once more and compare the bytes.

        From its release, and the consents recorded then. The exit code is 3 where they differ; what differs is told.
        """
        shell = session(context)
        report = rebuilding.rebuild_audience(shell.workspace(), name, as_of.date(), out, suppression)
        shell.answer(report.as_dict(), report.lines())
        if not report.rebuilt.identical:
            raise typer.Exit(DataProblemError.exit_code)
