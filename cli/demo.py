"""`reprise demo`: the whole way on a made-up shop."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.session import now, session
from pipeline.demo import demo as walk


def register(app: typer.Typer) -> None:
    @app.command()
    def demo(
        context: typer.Context,
        users: Annotated[int, typer.Option(min=200, max=1_000_000, help="Customers of the made-up shop.")] = 20_000,
        seed: Annotated[int, typer.Option(min=0, help="Draws the shop: the same seed makes the same shop.")] = 7,
        port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the service.")] = 3000,
    ) -> None:
        """The whole way on a made-up shop, in a minute or two.

        It makes the shop, checks it, builds features, trains, scores, builds audiences and serves: until Ctrl-C or
        SIGTERM on a terminal; with SERVE=0, or without a terminal, until its example requests are answered.
        """
        shell = session(context)
        root = shell.named or Path("demo")
        stay = os.environ.get("SERVE") != "0" and sys.stdout.isatty() and sys.stdin.isatty()
        report = walk(root, users, seed, now=now(), port=port, stay=stay, progress=shell.progress, tell=shell.say)
        shell.answer(report.as_dict(), [f"done in {report.seconds:.1f} s"])
