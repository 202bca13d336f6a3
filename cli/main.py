"""`reprise`: the application, its common options, and how errors leave it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.session import Session
from warehouse.errors import DataProblemError, RepriseError
from warehouse.files import explained

EPILOG = (
    "Every command takes -w DIR (the workspace, else this folder) and --json (stdout is JSON only), "
    "before or after the verb. Exit codes: 0 ok, 1 failed, 2 usage, 3 data problem, 4 not ready."
)
COMMANDS = (
    "init", "check", "growth", "segments", "levels", "stages", "clusters", "cycles", "bundles", "funnel", "paths",
    "behaviours", "plan-target", "run", "features", "train", "tune", "compare", "backtest", "models", "score", "export",
    "recommend", "match", "exposures", "explain", "profile", "value", "audience", "report", "erase", "serve", "doctor",
    "benchmark", "demo",
)  # fmt: skip


class _InOrder(TyperGroup):
    """Lists the commands in the order of work."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in COMMANDS if name in self.commands]


def application(nouns: Sequence[str] = COMMANDS) -> typer.Typer:
    """The application with these commands; each file of this package holds one noun and its `register`."""
    app = typer.Typer(
        name="reprise",
        cls=_InOrder,
        help="Which customers come back, which are leaving, what to offer each, and whether contacting them did good.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def common(
        context: typer.Context,
        workspace: Annotated[
            Path | None, typer.Option("-w", "--workspace", help="The workspace; this folder if absent.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    ) -> None:
        context.obj = Session(workspace, as_json)

    for noun in nouns:
        import_module(f"cli.{noun.replace('-', '_')}").register(app)
    return app


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with the common options moved before the verb, wherever they were given."""
    common: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            others += [argument, *rest]
        elif argument in ("-w", "--workspace"):
            common += [argument, *([value] if (value := next(rest, None)) is not None else [])]
        elif argument.startswith("--workspace=") or argument == "--json":
            common.append(argument)
        else:
            others.append(argument)
    return common + others


def _wanted(arguments: Sequence[str]) -> tuple[str, ...]:
    """The one noun that is called, so that nothing else is imported; all of them where none is (help, a slip).

    `arguments` are hoisted. The folder after -w is none, whatever it is called.
    """
    values = {place + 1 for place, argument in enumerate(arguments) if argument in ("-w", "--workspace")}
    words = (argument for place, argument in enumerate(arguments) if place not in values and argument[:1] != "-")
    called = next(words, None)
    return (called,) if called in COMMANDS else COMMANDS


def _report(error: RepriseError, as_json: bool) -> None:
    if as_json:
        problems = [str(problem) for problem in error.problems] if isinstance(error, DataProblemError) else []
        told = {"error": {"message": error.message, "hint": error.hint, "problems": problems}}
        print(json.dumps(told, ensure_ascii=False), flush=True)
    print(f"error: {error}", file=sys.stderr, flush=True)


def _ended(code: int, as_json: bool) -> int:
    """What is left to say once a command has ended by itself; typer has told a wrong command line on stderr."""
    if code == 2 and as_json:
        wrong = {
            "message": "The command line is not understood.",
            "hint": "stderr says why; try --help.",
            "problems": [],
        }
        print(json.dumps({"error": wrong}))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _hang_up()
    return code


def _hang_up() -> None:
    """Sends what is still buffered nowhere, so that the interpreter can end in silence."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def call(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code: 0 ok, 1 failed, 2 usage, 3 data problem, 4 not ready."""
    arguments = hoisted(arguments)
    as_json = "--json" in arguments
    try:
        application(_wanted(arguments))(args=list(arguments), prog_name="reprise")
        return 0
    except SystemExit as ended:
        return _ended(ended.code if isinstance(ended.code, int) else 1, as_json)
    except RepriseError as error:
        _report(error, as_json)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`reprise … | head`); that is no failure of ours.
        _hang_up()
        return 0
    except OSError as error:
        _report(explained(error), as_json)
        return 1
    except MemoryError:
        print(
            "error: there was not enough memory; lower memory_limit or raise buckets in reprise.toml.", file=sys.stderr
        )
        return 1


def main() -> None:
    """The `reprise` command."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Threads that wait sleep: spinning would take the cores from the others that work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import_module("serving.quick_start")
    sys.exit(call(sys.argv[1:]))


if __name__ == "__main__":
    main()
