"""`reprise match`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import percent, session
from pipeline import matching
from serving.takers import Found, Wanted, answer
from warehouse.errors import UsageError

SHOWN = 20


def register(app: typer.Typer) -> None:
    @app.command()
    def match(
        context: typer.Context,
        item: Annotated[list[str] | None, typer.Option(help="An item; several: who buys any of them.")] = None,
        category: Annotated[str | None, typer.Option(help="Or all items of a category.")] = None,
        brand: Annotated[str | None, typer.Option(help="Or of a brand.")] = None,
        attribute: Annotated[str | None, typer.Option(help="Or of another attribute of items: NAME=VALUE.")] = None,
        like: Annotated[str | None, typer.Option(help="Or customers who buy like this one.")] = None,
        n: Annotated[int, typer.Option("-n", "--n", min=1, help="How many customers at most.")] = 1000,
        rule: Annotated[str | None, typer.Option(help="Only among those for whom this rule is true.")] = None,
        out: Annotated[
            Path | None, typer.Option(help="A .csv, .xlsx, .parquet or .jsonl file for all of them.")
        ] = None,
    ) -> None:
        """Whom a product suits, how probably they buy it, and why."""
        shell = session(context)
        if like is not None:
            _refuse_more(item, category, brand, attribute, rule, out)
            answered = matching.alike(shell.workspace(), like, n)
            peers = [
                (each["rank"], each["user_id"], f"{each['likeness']:.3f}", each["reason"])
                for each in answered["users"][:SHOWN]
            ]
            if not answered["known"]:
                shell.err.print(f"{like} has bought nothing, or refused profiling; nobody is compared.", markup=False)
            shell.table(answered, ("rank", "customer", "likeness", "reason"), peers)
            return
        wanted = _wanted(item, category, brand, attribute)
        release, found = matching.match(shell.workspace(), wanted, n, rule)
        if out is not None:
            facts = matching.write(release, wanted, found, rule, out)
            shell.answer(facts, [f"wrote {found.table.num_rows:,} customers for {wanted.label} to {out}"])
            return
        if not found.known:
            shell.err.print(_nobody_yet(wanted, found), markup=False)
        rows = [
            (row["rank"], row["user_id"], percent(row["probability"]), row["source"], row["reason"])
            for row in found.table.slice(0, SHOWN).to_pylist()
        ]
        within = f"buys within {found.horizon_days} days" if found.horizon_days else "probability"
        shell.table(answer(release, wanted, found), ("rank", "customer", within, "source", "reason"), rows)


def _refuse_more(*others: object) -> None:
    if any(others):
        raise UsageError(
            "Customers like a customer are found among all, and shown.",
            hint="Give --like and -n alone; --json gives as many as -n says.",
        )


def _nobody_yet(wanted: Wanted, found: Found) -> str:
    """Why these and no others, where nobody has bought it."""
    by = f"these are the customers of its category {found.instead.label}" if found.instead else "so nobody can be named"
    return f"Nobody has bought {wanted.label} yet; {by}."


def _wanted(items: list[str] | None, category: str | None, brand: str | None, attribute: str | None) -> Wanted:
    """The one thing that was asked for."""
    told = {"category": category, "brand": brand}
    if attribute is not None:
        name, _, value = attribute.partition("=")
        told[name] = value
    given = [(name, value) for name, value in told.items() if value]
    if bool(items) + len(given) != 1:
        raise UsageError(
            "It is about items, or about one attribute of them.",
            hint="Give --item (several times for several), or one of --category, --brand, --attribute NAME=VALUE.",
        )
    return Wanted(tuple(dict.fromkeys(items))) if items else Wanted((), *given[0])
