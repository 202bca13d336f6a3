"""How quick suggestions are, on made-up sales: users and items as many as asked for, items by a power law.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.recommend
    OPENBLAS_NUM_THREADS=1 python -m benchmarks.recommend --only takers --takers-users 1000000

als: our ALS beside plain `implicit` on the same matrix, fitted, then the top 20 of everybody. lists: 100 suggestions
with sources, reasons and probabilities, by frequency and by the second stage. one: a single customer through both
stages. takers: the customers for an item, the first stage alone and with probabilities.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa

from models import recommenders
from models.recommenders.als import ALS
from models.recommenders.interactions import Interactions, threads_for
from models.recommenders.purchase_probability import PurchaseProbability
from models.recommenders.suggesting import suggest
from models.recommenders.takers import Takers

AS_OF = date(2026, 1, 1)
DAY = (AS_OF - date(1970, 1, 1)).days


def sales(users: int, items: int, lines: int, seed: int = 7) -> Interactions:
    """Lines of users as likely as a log-normal is long; three of ten repeat a line that came before it."""
    random = np.random.default_rng(seed)
    weight = random.lognormal(0, 1, users)
    user = np.sort(random.choice(users, lines, p=weight / weight.sum()))
    item = np.minimum((items ** random.random(lines)).astype(np.int64), items) - 1
    again = random.random(lines) < 0.3
    again[1:] &= user[1:] == user[:-1]
    again[0] = False
    source = np.where(again, 0, np.arange(lines))
    item = item[np.maximum.accumulate(source)]
    columns = {
        "user_id": pa.DictionaryArray.from_arrays(user.astype(np.int32), [f"u{n:07}" for n in range(users)]),
        "item_id": pa.DictionaryArray.from_arrays(item.astype(np.int32), [f"i{n:06}" for n in range(items)]),
        "day": DAY - 1 - random.integers(0, 365, lines),
        "quantity": np.ones(lines),
        "amount": np.exp(random.normal(3, 1, lines)),
    }
    table = pa.table(columns)
    for place in (0, 1):
        table = table.set_column(place, table.column_names[place], table.column(place).cast(pa.string()))
    table = table.group_by(["user_id", "item_id", "day"]).aggregate([("quantity", "sum"), ("amount", "sum")])
    return Interactions.from_table(table.rename_columns(["user_id", "item_id", "day", "quantity", "amount"]), AS_OF)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def say(what: str, told: str) -> None:
    print(f"{what:58} {told}", flush=True)


def als(held: Interactions) -> None:
    """Fitting and the top 20 of everybody, beside the library itself with as many threads."""
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    ours = ALS()
    matrix = ours._confidence(held.everybody()).astype(np.float32)
    with threadpool_limits(1, "blas"):
        plain = AlternatingLeastSquares(
            factors=ours.factors, regularization=ours.regularization, iterations=ours.iterations, random_state=7,
            num_threads=threads_for(matrix),
        )  # fmt: skip
        theirs, _ = seconds(lambda: plain.fit(matrix, show_progress=False))
        everybody = np.arange(matrix.shape[0])
        their_lists, _ = seconds(lambda: plain.recommend(everybody, matrix, N=20, filter_already_liked_items=False))
    fitted, model = seconds(lambda: ours.fit(held))
    lists, _ = seconds(lambda: model.recommend(everybody, 20))
    say("als: fitting, seconds, ours and implicit's", f"{fitted:.2f} {theirs:.2f}  ratio {fitted / theirs:.2f}")
    say("als: top 20 of everybody", f"{lists:.2f} {their_lists:.2f}  ratio {lists / their_lists:.2f}")


def lists(held: Interactions, asked: int = 2_000) -> None:
    """Users a second of what a release is written from."""
    takers = Takers(held, PurchaseProbability.fit(held, 30))
    ids = held.user_ids.slice(0, asked).cast(pa.string())
    for name in ("gp_topfreq", "als", "two_stage"):
        model = recommenders.create(name).fit(held)
        took, found = seconds(lambda model=model: suggest(model, ids, 100))  # type: ignore[misc]
        rows = held.user_rows(found["user_id"]), held.item_rows(found["item_id"])
        chance, _ = seconds(lambda rows=rows: takers.chance(*rows))  # type: ignore[misc]
        say(f"lists: 100 each by {name}, users a second", f"{asked / took:,.0f}")
        say(f"lists: with the probability of each, by {name}", f"{asked / (took + chance):,.0f}")


def one(held: Interactions, times: int = 50) -> None:
    """Milliseconds of one customer, the median of some."""
    for name in ("gp_topfreq", "two_stage"):
        model = recommenders.create(name).fit(held)
        model.recommend([0], 20)
        took = [seconds(lambda row=row, model=model: model.recommend([row], 20))[0] for row in range(times)]  # type: ignore[misc]
        say(f"one: a customer's 20 by {name}, milliseconds", f"{1000 * statistics.median(took):.1f}")


def takers(held: Interactions, n: int = 500) -> None:
    """Seconds of the first stage, and of the whole, for the item of the most buyers and for one of the middle."""
    found = Takers(held, PurchaseProbability.fit(held, 30))
    order = np.argsort(-held.buyers)
    found.of(int(order[-1]), 1)  # what all share is made once
    for what, row in {"most bought": int(order[0]), "middle": int(order[len(order) // 2])}.items():
        first, _ = seconds(lambda row=row: found._evidence.strongest(row, 10 * n))  # type: ignore[misc]
        whole, _ = seconds(lambda row=row: found.of(row, n))  # type: ignore[misc]
        say(f"takers: {n} for the item {what}, seconds", f"first stage {first:.2f}, with probabilities {whole:.2f}")


def main() -> None:
    """Prints a line for each measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--lines", type=int, default=800_000)
    parser.add_argument("--takers-users", type=int, default=100_000)
    parser.add_argument("--only", nargs="+", choices=["als", "lists", "one", "takers"])
    asked = parser.parse_args()
    wanted = set(asked.only or ("als", "lists", "one", "takers"))
    if wanted & {"als", "lists", "one"}:
        held = sales(asked.users, asked.items, asked.lines)
        say("customers, items, pairs", f"{held.shape[0]:,} {held.shape[1]:,} {len(held.indices):,}")
        for measure in (als, lists, one):
            if measure.__name__ in wanted:
                measure(held)
    if "takers" in wanted:
        held = sales(asked.takers_users, asked.items, 10 * asked.takers_users)
        say("customers, items, pairs", f"{held.shape[0]:,} {held.shape[1]:,} {len(held.indices):,}")
        takers(held)


if __name__ == "__main__":
    main()
