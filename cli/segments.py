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
    segments = typer.Typer(invoke_without_command=True)
    app.add_typer(segments, name="segments")

    @segments.callback()
    def show(
        context: typer.Context,
        only: Annotated[str | None, typer.Option(help="One segment, such as rfm_type.")] = None,
        as_of: Annotated[str | None, typer.Option(help="The cutoff; else the day after the last row.")] = None,
        language: Language = None,
    ) -> None:
        """Groups of customers: RFM types, their grid and the others."""
        if context.invoked_subcommand is not None:
            return
        shell, told = _opened(context, language)
        found = segmenting.segments_at(shell.workspace(), _day(as_of), only, now(), shell.progress)
        shell.answer(found.payload(), found.lines(told))

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
        shell, told = _opened(context, language)
        found = segmenting.differences_at(shell.workspace(), rule, _day(as_of), family or (), now(), shell.progress)
        shell.answer(found.payload(), found.differences.lines(told, show))

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
        """From which RFM types customers become important value (重要价值).

        Two dates, the cuts frozen at the first; beside them a placebo: the same span some days earlier.
        """
        shell, told = _opened(context, language)
        found = segmenting.transitions_at(shell.workspace(), _day(start), _day(end), placebo, now(), shell.progress)
        shell.answer(found.payload(), found.lines(told))

    @segments.command("winback")
    def winback(
        context: typer.Context,
        rule: Annotated[str | None, typer.Option(help="Who has lapsed; else whom the win_back model is about.")] = None,
        first: Annotated[int | None, typer.Option(min=1, help="How many are contacted; a tenth if absent.")] = None,
        out: Annotated[Path | None, typer.Option(help="Also write everybody to this .csv, .parquet or .jsonl.")] = None,
        language: Language = None,
    ) -> None:
        """In which order to win back the lapsed, and what a model says.

        By recency, frequency and money; beside it P(returns) × value of the current release, and where they disagree.
        """
        shell, told = _opened(context, language)
        found = segmenting.winback_now(shell.workspace(), rule, first)
        payload = found.payload()
        if out is not None:
            payload["out"] = segmenting.write(found, out)
        shell.answer(payload, found.winback.lines(told))


def _day(as_of: str | None) -> date | None:
    return parse_day(as_of) if as_of else None


def _opened(context: typer.Context, asked: str | None) -> tuple[Session, Literal["en", "zh"]]:
    """The session, and the language to answer in."""
    if asked not in (None, "en", "zh"):
        raise UsageError(f"--language {asked!r} is not known.", hint="Use en or zh.")
    shell = session(context)
    return shell, "zh" if (asked or shell.workspace().settings.language) == "zh" else "en"
