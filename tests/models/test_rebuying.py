"""Which items are bought again: by hand, by what was planted, and what the rule makes of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models import recommenders
from models.recommenders.catalogue import Catalogue
from models.recommenders.interactions import Interactions
from models.recommenders.rebuying import durable, lift_of_having
from models.recommenders.rules import Rules, listed
from tests.models.conftest import AS_OF, DAY, days_table
from warehouse.suggestion_rules import RuleSettings


def known(held: Interactions, **category: str) -> Catalogue:
    ids = held.item_ids.to_pylist()
    return Catalogue.of(held, pa.table({"item_id": ids, "category": [category.get(item) for item in ids]}))


def test_the_lift_by_hand() -> None:
    """Before the last 30 days a and b have tea, c has rice; then a buys tea and c buys it for the first time."""
    rows = [("a", "tea", 40), ("b", "tea", 40), ("c", "rice", 40), ("a", "tea", 5), ("c", "tea", 5)]
    held = Interactions.from_table(days_table([(u, i, DAY - ago) for u, i, ago in rows]), AS_OF)
    # Tea: 1 of 2 owners, where 1 of 1 other makes 2 expected. Rice: neither. Of all: (1 + 2) / (2 + 2).
    every = 3 / 4
    tea, rice = (1 + 2 * every) / (2 + 2), (0 + 2 * every) / (0 + 2)
    found = lift_of_having(held, known(held).category, 30)
    assert dict(zip(held.item_ids.to_pylist(), found.tolist(), strict=True)) == pytest.approx(
        {"rice": rice, "tea": tea}
    )


def shop(seed: int) -> Interactions:
    """Three hundred customers: coffee every month or so; one phone in a life, half of them by now."""
    rng = np.random.default_rng(seed)
    bought = set()
    for user in range(300):
        for day in np.cumsum(rng.integers(15, 45, 12)):
            bought.add((f"u{user:03}", f"coffee-{rng.integers(0, 3)}", DAY - 360 + int(day) % 360))
        if rng.random() < 0.5:
            bought.add((f"u{user:03}", f"phone-{rng.integers(0, 3)}", DAY - 1 - int(rng.integers(0, 360))))
    return Interactions.from_table(days_table(sorted(bought)), AS_OF)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_bought_once_in_a_life_is_durable_and_coffee_is_not(seed: int) -> None:
    held = shop(seed)
    category = known(held, **{f"{kind}-{n}": kind for kind in ("coffee", "phone") for n in range(3)}).category
    found = dict(zip(held.item_ids.to_pylist(), durable(held, category, 30).tolist(), strict=True))
    assert found == {f"{kind}-{n}": kind == "phone" for kind in ("coffee", "phone") for n in range(3)}


def test_whoever_has_it_is_offered_what_is_used_up_again_and_no_second_phone() -> None:
    held = shop(1)
    model = recommenders.create("gp_topfreq").fit(held)
    catalogue = known(held, **{f"phone-{n}": "phone" for n in range(3)})
    rows = np.arange(held.shape[0])

    def repeated(**said: object) -> set[str]:
        rules = Rules(RuleSettings.model_validate(said), held, catalogue)
        found = listed(model, rows, 6, rules)
        again = held.entries(rows[found.asked], found.item) >= 0
        return {item.split("-")[0] for item in held.item_ids.take(pa.array(found.item[again])).to_pylist()}

    assert repeated() == {"coffee", "phone"}
    assert repeated(repeats="learnt") == {"coffee"}
    assert repeated(durable_categories=("phone",)) == {"coffee"}
    assert repeated(repeats="never") == set()
