"""`reprise benchmark recommend`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session


class Repeats(StrEnum):
    allow = "allow"
    exclude = "exclude"


def register(app: typer.Typer) -> None:
    benchmark = typer.Typer(help="Models side by side on any files; no workspace is needed.", no_args_is_help=True)
    app.add_typer(benchmark, name="benchmark")

    @benchmark.callback()
    def group() -> None:
        """Models side by side on any files; no workspace is needed."""

    @benchmark.command("recommend")
    def recommend(
        context: typer.Context,
        train: Annotated[Path, typer.Option(help="user_id, item_id; value, basket_no, occurred_at if known.")],
        test: Annotated[Path, typer.Option(help="What was taken afterwards; only judged by.")],
        valid: Annotated[Path | None, typer.Option(help="To choose by; else a part of --train is held out.")] = None,
        repeats: Annotated[
            Repeats, typer.Option(help="allow or exclude: whether lists may hold what a user has already.")
        ] = Repeats.allow,
        k: Annotated[str, typer.Option(help="Lengths of the lists that are judged.")] = "10,20",
        models: Annotated[str | None, typer.Option(help="Names, such as als,bm25; all if absent.")] = None,
        trials: Annotated[int, typer.Option(min=0, help="Settings tried for each model; 0: its defaults.")] = 0,
        seed: Annotated[int, typer.Option(min=0, help="Draws what is held out, the trials and intervals.")] = 7,
        minutes: Annotated[float, typer.Option(min=0.1, help="For all of it, shared by the models.")] = 40.0,
        memory: Annotated[str, typer.Option(help="What one model may hold.")] = "16GB",
    ) -> None:
        """Recall, NDCG, time and memory of every recommender.

        Settings and the winner are chosen on --valid only; then every model is refitted on all but the test.
        """
        from training.benchmarks import report
        from training.benchmarks.contest import contest
        from training.benchmarks.pairs import read_files

        shell = session(context)
        asked = report.asked(k, models, repeats == Repeats.allow, trials, seed, minutes, memory)
        files = read_files(train, test, valid, now(), shell.progress)
        found = contest(files, asked, shell.progress)
        shell.table(found, report.COLUMNS, report.rows(found), notes=report.notes(found))
