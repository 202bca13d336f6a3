"""The benchmark of knowing the customers types commands that there are, with options that they have."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer.main

from benchmarks.knowing import COMMANDS, measured, typed
from cli.main import application


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_understood(name: str) -> None:
    _, _, *words = typed(Path("shop"), date(2025, 11, 24), COMMANDS[name])
    command: Any = typer.main.get_command(application())
    context = command.make_context("reprise", words)
    while rest := [*getattr(context, "_protected_args", []), *context.args]:
        verb, command, rest = command.resolve_command(context, rest)
        context = command.make_context(verb, rest, parent=context)
    assert command.name in COMMANDS[name].split()


def test_a_process_is_measured_with_its_end(tmp_path: Path) -> None:
    import sys

    cost = measured([sys.executable, "-c", "print(7); held = bytes(50_000_000); raise SystemExit(3)"], tmp_path / "log")
    assert (cost.code, (tmp_path / "log").read_text()) == (3, "7\n")
    assert cost.megabytes > 50  # no upper limit: it begins with the memory of the process that starts it
    assert 0 < cost.cpu_seconds < 60
