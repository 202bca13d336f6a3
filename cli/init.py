"""`reprise init`: a workspace from files of orders, events or labels."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.session import session
from warehouse.contracts import CONTRACTS
from warehouse.errors import UsageError
from warehouse.starting import NEEDED, init_workspace


def _mapping(pairs: list[str]) -> dict[str, str]:
    """`user_id=master_id` pairs (ours = theirs) as a mapping."""
    wrong = [pair for pair in pairs if pair.count("=") < 1 or not all(pair.split("=", 1))]
    if wrong:
        raise UsageError(f"--map {wrong[0]!r} is not ours=theirs.", hint="Write it as --map user_id=master_id.")
    return dict(pair.split("=", 1) for pair in pairs)


def _folder(directory: Path | None, named: Path | None) -> Path | None:
    """The folder that is meant: the argument or the one after -w, None for the current one; `UsageError` for two."""
    if directory and named and directory.resolve() != named.resolve():
        raise UsageError(f"Two folders are named: {directory}, and {named} after -w.", hint="Name one of them.")
    return directory or named


def _ask(question: str, candidates: list[str]) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            f"There is no terminal to ask on: {question}",
            hint=f"Say it (--tz ZONE, --map ours=theirs), or use --yes, which takes {candidates[0]}.",
        )
    typer.echo(question, err=True)
    for number, candidate in enumerate(candidates, 1):
        typer.echo(f"  {number}  {candidate}", err=True)
    while True:
        given = typer.prompt("Number, or the value itself", default="1", err=True).strip()
        if given.isdigit() and 1 <= int(given) <= len(candidates):
            return candidates[int(given) - 1]
        if given and not given.isdigit():
            return str(given)


def register(app: typer.Typer) -> None:
    @app.command()
    def init(
        context: typer.Context,
        directory: Annotated[
            Path | None,
            typer.Argument(help="The folder to make the workspace in; that of -w, else this one, if absent."),
        ] = None,
        orders: Annotated[Path | None, typer.Option(help="Order lines: CSV, Parquet or JSONL.")] = None,
        events: Annotated[Path | None, typer.Option(help="Acts: page views, app features, ratings …")] = None,
        users: Annotated[Path | None, typer.Option(help="Customers and their attributes and consents.")] = None,
        items: Annotated[Path | None, typer.Option(help="The catalogue.")] = None,
        contacts: Annotated[
            Path | None, typer.Option(help="Who was contacted, by which campaign, in which arm.")
        ] = None,
        tags: Annotated[Path | None, typer.Option(help="Tags set by hand.")] = None,
        identities: Annotated[Path | None, typer.Option(help="Phones, addresses: for exports only.")] = None,
        exposures: Annotated[Path | None, typer.Option(help="Suggestions that were shown.")] = None,
        labels: Annotated[Path | None, typer.Option(help="Outcomes of your own.")] = None,
        preset: Annotated[
            str | None, typer.Option(help="A known shape of file: ga4, segment, shopify, taobao …")
        ] = None,
        tz: Annotated[str | None, typer.Option(help="The business time zone, such as Asia/Shanghai.")] = None,
        mapping: Annotated[
            list[str] | None, typer.Option("--map", help="ours=theirs, for a column; may be repeated.")
        ] = None,
        duplicates: Annotated[str | None, typer.Option(help="drop or keep rows equal in all columns.")] = None,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Never ask; print what was assumed.")] = False,
    ) -> None:
        """Look at your files and write a commented reprise.toml.

        One of them must hold orders, events or labels. Columns, times and policies are worked out; what is not clear
        is asked, or with --yes assumed and told.
        """
        given = {
            "orders": orders,
            "events": events,
            "users": users,
            "items": items,
            "contacts": contacts,
            "tags": tags,
            "identities": identities,
            "exposures": exposures,
            "labels": labels,
        }
        files = {table: given[table] for table in CONTRACTS if given[table] is not None}
        shell = session(context)
        folder = _folder(directory, shell.named)
        report = init_workspace(
            folder or Path(),
            files={table: path for table, path in files.items() if path is not None},
            preset=preset,
            tz=tz,
            mapping=_mapping(mapping or []),
            ask=None if yes or shell.as_json else _ask,
            duplicates=duplicates,
        )
        where = f"-w {shlex.quote(str(folder))} " if folder else ""
        then = "run" if NEEDED & files.keys() else "check"
        shell.answer(report.as_dict(), [*report.lines(), f"next: reprise {where}{then}"])
