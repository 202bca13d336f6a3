"""`reprise segments [differences | transitions | winback]`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.session import Session, now, session
from pipeline import segmenting
from warehouse.clock import parse_day
from warehouse.errors import UsageError

Language = Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")]


def register(app: typer.Typer) -> None:
    segments = typer.Typer(help="Groups of customers: RFM and the others.", invoke_without_command=True)
    app.add_typer(segments, name="segments")

    @segments.callback()
    def show(
        context: typer.Context,
        only: Annotated[str | None, typer.Option(help="One segment, such as rfm_type.")] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        language: Language = None,
    ) -> None:
        """Every segment's groups: users, shares, money, how long they have been silent."""
        if context.invoked_subcommand is not None:
            return
        shell = session(context)
        found = segmenting.segments_at(shell.workspace(), _day(as_of), only, now(), shell.progress)
        shell.answer(found.payload(), found.lines(_language(shell, language)))

    @segments.command("differences")
    def differences(
        context: typer.Context,
        rule: Annotated[str, typer.Argument(help='The group, such as: rfm_type = "重要价值"; or its JSON form.')],
        as_of: Annotated[str | None, typer.Option(help="Count as of this date; the current release if absent.")] = None,
        family: Annotated[
            list[str] | None, typer.Option(help="Compare this family of features only; may be repeated.")
        ] = None,
        show: Annotated[int, typer.Option(min=2, help="Differences shown; JSON has all.")] = 20,
        language: Language = None,
    ) -> None:
        """What is special about a group, against everybody else."""
        shell = session(context)
        found = segmenting.differences_at(shell.workspace(), rule, _day(as_of), family or (), now(), shell.progress)
        shell.answer(found.payload(), found.differences.lines(_language(shell, language), show))

    @segments.command("transitions")
    def transitions(
        context: typer.Context,
        start: Annotated[str | None, typer.Option("--from", help="The first date; 90 days earlier if absent.")] = None,
        end: Annotated[str | None, typer.Option("--to", help="The second; else the day after the last row.")] = None,
        placebo: Annotated[
            int | None, typer.Option(min=1, help="Days the placebo lies earlier; as many as between the dates.")
        ] = None,
        language: Language = None,
    ) -> None:
        """From which RFM types customers become 重要价值, against a placebo of earlier dates."""
        shell = session(context)
        found = segmenting.transitions_at(shell.workspace(), _day(start), _day(end), placebo, now(), shell.progress)
        shell.answer(found.payload(), found.lines(_language(shell, language)))

    @segments.command("winback")
    def winback(
        context: typer.Context,
        rule: Annotated[str | None, typer.Option(help="Who has lapsed; else whom the win_back model is about.")] = None,
        first: Annotated[int | None, typer.Option(min=1, help="How many are contacted; a tenth if absent.")] = None,
        out: Annotated[Path | None, typer.Option(help="Also write everybody to this .csv, .parquet or .jsonl.")] = None,
        language: Language = None,
    ) -> None:
        """The lapsed by recency, frequency and money, beside P(returns) × value, and where the two disagree."""
        shell = session(context)
        found = segmenting.winback_now(shell.workspace(), rule, first)
        payload = found.payload()
        if out is not None:
            payload["out"] = segmenting.write(found, out)
        shell.answer(payload, found.winback.lines(_language(shell, language)))


def _day(as_of: str | None) -> date | None:
    return parse_day(as_of) if as_of else None


def _language(shell: Session, asked: str | None) -> Literal["en", "zh"]:
    if asked not in (None, "en", "zh"):
        raise UsageError(f"--language {asked!r} is not known.", hint="Use en or zh.")
    return "zh" if (asked or shell.workspace().settings.language) == "zh" else "en"
