"""`reprise recommend`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.session import percent, session
from pipeline import lists


def register(app: typer.Typer) -> None:
    @app.command()
    def recommend(
        context: typer.Context,
        user: Annotated[str, typer.Argument(help="A customer's id; unknown ids get what is popular.")],
        k: Annotated[int, typer.Option("-k", "--k", min=1, max=100, help="How many.")] = 10,
    ) -> None:
        """What to offer a customer, with the reason of each suggestion."""
        shell = session(context)
        answer = lists.recommend(shell.workspace(), user, k)
        rows = [
            (i["rank"], i["item_id"], i.get("name"), percent(i["probability"]), i["source"], i["reason"])
            for i in answer["items"]
        ]
        within = f"buys within {answer['horizon_days']} days"
        shell.table(answer, ("rank", "item", "name", within, "source", "reason"), rows)
