"""`reprise plan-target`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.session import language, now, session
from insights import plan_words
from insights.cheapest import Costs
from insights.planner import Target
from pipeline.planning import plan_at
from warehouse.clock import parse_day
from warehouse.errors import UsageError


class Past(StrEnum):
    half_year = "half_year"
    same_season = "same_season"


def register(app: typer.Typer) -> None:
    @app.command("plan-target")
    def plan_target(
        context: typer.Context,
        rate: Annotated[str, typer.Argument(help="The average active rate wanted: 35% or 0.35.")],
        first: Annotated[str, typer.Option("--from", help="The first period: 2011-07, or 2011-W27.")],
        last: Annotated[str, typer.Option("--to", help="The last period.")],
        as_of: Annotated[str | None, typer.Option(help="The date; the day after the last row if absent.")] = None,
        history: Annotated[
            Past, typer.Option(help="Forecast by the last half-year, or by the same periods of last year.")
        ] = Past.half_year,
        new: Annotated[
            float | None, typer.Option(min=0, help="New customers a period; as in the past if absent.")
        ] = None,
        keep: Annotated[float, typer.Option("--cost-keep", min=0, help="Of one more old customer kept.")] = 1.0,
        keep_new: Annotated[float, typer.Option("--cost-keep-new", min=0, help="Of one more new customer kept.")] = 1.0,
        wake: Annotated[float, typer.Option("--cost-wake", min=0, help="Of one more woken.")] = 2.0,
        bring_back: Annotated[float, typer.Option("--cost-return", min=0, help="Of one more brought back.")] = 4.0,
        lapsed_after: Annotated[
            int | None, typer.Option(min=1, help="Silent periods until lapsed; the workspace's if absent.")
        ] = None,
        lang: Annotated[str | None, typer.Option(help="en or zh; the workspace's if absent.")] = None,
    ) -> None:
        """What an active rate takes, and whether it can last."""
        shell = session(context)
        workspace = shell.workspace()
        told = language(lang, workspace)
        plan = plan_at(
            workspace, Target(_share(rate), first, last), parse_day(as_of) if as_of else None, history.value, new,
            Costs(keep, keep_new, wake, bring_back), lapsed_after, now(), shell.progress,
        )  # fmt: skip
        shell.answer(plan_words.payload(plan), list(plan_words.lines(plan, told)))


def _share(text: str) -> float:
    """35%, 35 % or 0.35 as a number."""
    bare = text.strip()
    try:
        return float(bare.removesuffix("%")) / 100 if bare.endswith("%") else float(bare)
    except ValueError as error:
        raise UsageError(f'"{text}" is no rate.', hint="Write it as 35% or 0.35.") from error
