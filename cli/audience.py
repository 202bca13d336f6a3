"""`reprise audience build | offers | survey | rebuild`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.session import now, session
from pipeline import lists, offering, rebuilding, surveying
from warehouse.errors import DataProblemError, UsageError


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

    @audience.command("offers")
    def offers(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="A name; each offer's list is NAME-ITEM.")],
        offers: Annotated[
            Path | None, typer.Option(help="A CSV file: item_id, at_most, and perhaps at_least and value.")
        ] = None,
        item: Annotated[list[str] | None, typer.Option(help="Or an item; may be repeated.")] = None,
        size: Annotated[int | None, typer.Option("-n", "--size", min=1, help="Of each --item at most so many.")] = None,
        each: Annotated[int, typer.Option(min=1, help="At most so many offers for a customer.")] = 1,
        rule: Annotated[str, typer.Option(help="Who may get one.")] = offering.EVERYBODY,
        habit_weight: Annotated[
            float, typer.Option(min=0, max=1, help="What a purchase by habit counts: 1 like any, 0 nothing.")
        ] = 1.0,
        without_habits: Annotated[
            bool, typer.Option("--without-habits", help="Offer nothing to who buys it anyway, by habit.")
        ] = False,
        control: Annotated[float, typer.Option(min=0, max=0.99, help="Share held back as control.")] = 0.1,
        channel: Annotated[
            Literal["sms", "email", "push"] | None, typer.Option(help="Whose consent must have been given.")
        ] = None,
        raw: Annotated[bool, typer.Option(help="CSV for machines: ids and numbers exactly as they are.")] = False,
        replace: Annotated[bool, typer.Option(help="Write lists anew although the terms have changed.")] = False,
    ) -> None:
        """Give many offers out at once, so many of each, one (or k) for a customer."""
        shell = session(context)
        if (offers is None) == (not item) or (item and size is None):
            raise UsageError("What is offered?", hint="Give --offers FILE, or --item (several times) and -n.")
        terms = offering.read_terms(offers) if offers else tuple(offering.Terms(one, size or 0) for one in item or ())
        asked = offering.Asked(name, terms, rule, each, habit_weight, without_habits, control, channel)
        given = offering.give_out(shell.workspace(), asked, now(), shell.progress, replace=replace, raw=raw)
        shell.table(given.payload(), offering.COLUMNS, given.rows(), notes=given.notes())

    @audience.command("survey")
    def survey(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="A name for the survey; its contacts may bear it as campaign_id.")],
        rule: Annotated[str, typer.Option(help="Of whom to draw, such as: rfm_type = 'important_keep'.")],
        size: Annotated[int, typer.Option("-n", "--size", min=1, help="How many to draw.")],
        not_asked_in: Annotated[int, typer.Option(min=0, help="Leave out who was asked in so many days.")] = 90,
        channel: Annotated[
            Literal["sms", "email", "push"] | None, typer.Option(help="Whose consent must have been given.")
        ] = None,
        seed: Annotated[
            str | None, typer.Option("--seed", "--salt", help="Another one draws others; its name and date if absent.")
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="Also write the list to this .csv, .parquet or .jsonl file.")
        ] = None,
        raw: Annotated[bool, typer.Option(help="CSV for machines: ids and numbers exactly as they are.")] = False,
        replace: Annotated[bool, typer.Option(help="Draw anew although the rule, size or seed has changed.")] = False,
    ) -> None:
        """Draw some customers of a segment by chance to ask them something, none of whom was asked lately.

        With nobody in it its files hold a header and no rows, and the exit code is 3.
        """
        shell = session(context)
        asked = surveying.Survey(name, rule, size, not_asked_in, channel, seed)
        report = surveying.draw_survey(shell.workspace(), asked, out, now(), shell.progress, replace=replace, raw=raw)
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
