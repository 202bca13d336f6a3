"""An example shows what a model reads and is nobody's row."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from training.examples import LEAST_CUSTOMERS, usual


def test_medians_and_commonest_texts_by_hand() -> None:
    ids = [f"u{k}" for k in range(50)]
    table = pa.table(
        {
            "entity_id": ids,
            "orders": pa.array([*range(49), None], pa.int64()),
            "gap": pa.array([1.0, 4.0, float("nan"), *[None] * 47]),
            "region": pa.array(["south"] * 22 + ["north"] * 22 + ["west"] * 6).dictionary_encode(),
            "phone": [f"1380000{k:04d}" for k in range(50)],
            "never": pa.nulls(50),
        }
    )
    told = usual(table, ["orders", "gap", "region", "phone", "never", "not there"])
    assert told == {"orders": 24.0, "gap": 2.5, "region": "north", "phone": None, "never": None}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), min_size=1, max_size=80))
def test_a_text_of_few_customers_is_never_shown(rows: list[tuple[str, int]]) -> None:
    table = pa.table({"entity_id": [f"u{who}" for _, who in rows], "text": [text for text, _ in rows]})
    text = usual(table, ["text"])["text"]
    assert text is None or len({who for found, who in rows if found == text}) >= LEAST_CUSTOMERS
