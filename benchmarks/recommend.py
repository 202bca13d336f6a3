"""How quick suggestions are, on made-up sales: users and items as many as asked for, items by a power law.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.recommend
    OPENBLAS_NUM_THREADS=1 python -m benchmarks.recommend --only takers --takers-users 1000000

als: our ALS beside plain `implicit` on the same matrix, fitted, then the top 20 of everybody. lists: 100 suggestions,
with the probability of each, then with sources and reasons too, by frequency and by the second stage. one: a single
customer through both stages. takers: the customers for an item, the first stage alone and with probabilities. Seconds
are of the clock; those of the processor follow, which say more where others work beside.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa

from models import recommenders
from models.recommenders.als import ALS
from models.recommenders.interactions import Interactions, threads_for
from models.recommenders.ladder import climb
from models.recommenders.purchase_probability import PurchaseProbability
from models.recommenders.recommender import Recommender
from models.recommenders.suggesting import suggest
from models.recommenders.takers import Takers

AS_OF = date(2026, 1, 1)
DAY = (AS_OF - date(1970, 1, 1)).days
Fitted = Callable[[str], Recommender]


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


@dataclass(frozen=True)
class Took:
    """Seconds of the clock and of the processor."""

    clock: float
    cpu: float

    def __add__(self, other: Took) -> Took:
        return Took(self.clock + other.clock, self.cpu + other.cpu)

    def each(self, asked: int) -> str:
        """How many of so many things a second, by both."""
        return f"{asked / self.clock:,.0f}, of processor {asked / self.cpu:,.0f}"

    def beside(self, other: Took) -> str:
        """Both beside another's, and how many times as long."""
        return (
            f"{self.clock:.2f} {other.clock:.2f}  ratio {self.clock / other.clock:.2f}, of processor "
            f"{self.cpu:.2f} {other.cpu:.2f}  ratio {self.cpu / other.cpu:.2f}"
        )


def seconds(work: Callable[[], Any]) -> tuple[Took, Any]:
    started = time.perf_counter(), time.process_time()
    found = work()
    return Took(time.perf_counter() - started[0], time.process_time() - started[1]), found


def say(what: str, told: str) -> None:
    print(f"{what:58} {told}", flush=True)


def als(held: Interactions, _: Fitted) -> None:
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
    say("als: fitting, seconds, ours and implicit's", fitted.beside(theirs))
    say("als: top 20 of everybody", lists.beside(their_lists))


def lists(held: Interactions, fitted: Fitted, asked: int = 2_000) -> None:
    """Users a second of what a release is written from."""
    takers = Takers(held, PurchaseProbability.fit(held, 30))
    ids = held.user_ids.slice(0, asked).cast(pa.string())
    for name in ("gp_topfreq", "als", "two_stage"):
        model = fitted(name)
        rows = held.user_rows(ids)
        listed, found = seconds(lambda model=model, rows=rows: climb(model, rows, 100))  # type: ignore[misc]
        pairs = rows[found.asked], found.item
        chance, _ = seconds(lambda pairs=pairs: takers.chance(*pairs))  # type: ignore[misc]
        told, _ = seconds(lambda model=model: suggest(model, ids, 100))  # type: ignore[misc]
        say(f"lists: 100 each by {name}, users a second", listed.each(asked))
        say(f"lists: with the probability of each, by {name}", (listed + chance).each(asked))
        say(f"lists: with sources and reasons too, by {name}", (told + chance).each(asked))


def one(held: Interactions, fitted: Fitted, times: int = 50) -> None:
    """Milliseconds of one customer, the median of some."""
    for name in ("gp_topfreq", "two_stage"):
        model = fitted(name)
        model.recommend([0], 20)
        took = [seconds(lambda row=row, model=model: model.recommend([row], 20))[0] for row in range(times)]  # type: ignore[misc]
        clock, cpu = (1000 * statistics.median(getattr(each, of) for each in took) for of in ("clock", "cpu"))
        say(f"one: a customer's 20 by {name}, milliseconds", f"{clock:.1f}, of processor {cpu:.1f}")


def takers(held: Interactions, n: int = 500) -> None:
    """Seconds of the first stage, and of the whole, for the item of the most buyers and for one of the middle."""
    found = Takers(held, PurchaseProbability.fit(held, 30))
    order = np.argsort(-held.buyers)
    found.of(int(order[-1]), 1)  # what all share is made once
    for what, row in {"most bought": int(order[0]), "middle": int(order[len(order) // 2])}.items():
        first, _ = seconds(lambda row=row: found._evidence.strongest(row, 10 * n))  # type: ignore[misc]
        whole, _ = seconds(lambda row=row: found.of(row, n))  # type: ignore[misc]
        say(
            f"takers: {n} for the item {what}, seconds",
            f"first stage {first.clock:.2f}, with probabilities {whole.clock:.2f}, of processor {whole.cpu:.2f}",
        )


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
        fitted = cache(lambda name: recommenders.create(name).fit(held))
        for measure in (als, lists, one):
            if measure.__name__ in wanted:
                measure(held, fitted)
    if "takers" in wanted:
        held = sales(asked.takers_users, asked.items, 10 * asked.takers_users)
        say("customers, items, pairs", f"{held.shape[0]:,} {held.shape[1]:,} {len(held.indices):,}")
        takers(held)


if __name__ == "__main__":
    main()
