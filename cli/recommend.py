"""`reprise recommend`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import percent, session
from pipeline import lists
from warehouse.errors import UsageError


def register(app: typer.Typer) -> None:
    @app.command()
    def recommend(
        context: typer.Context,
        user: Annotated[str | None, typer.Argument(help="A customer's id; unknown ids get what is popular.")] = None,
        bought: Annotated[
            list[str] | None, typer.Option("--with", help="An item just bought or in the basket; may be given again.")
        ] = None,
        k: Annotated[int, typer.Option("-k", "--k", min=1, max=100, help="How many.")] = 10,
    ) -> None:
        """What to offer a customer, what completes a basket, and why."""
        shell = session(context)
        if user is None and not bought:
            raise UsageError("It is about a customer, a basket, or both.", hint="Give an id, --with ITEM, or both.")
        answer = lists.recommend(shell.workspace(), user, k, bought or ())
        rows = [
            (i["rank"], i["item_id"], i.get("name"), percent(i["probability"]), i["source"], i["reason"])
            for i in answer["items"]
        ]
        shell.table(answer, ("rank", "item", "name", "probability", "source", "reason"), rows)
