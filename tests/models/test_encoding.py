import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.encoding import MAX_CATEGORIES, FeatureSchema
from warehouse.errors import DataProblemError

TABLE = pa.table(
    {
        "entity_id": ["u1", "u2", "u3"],
        "orders": pa.array([1, None, 3], pa.int64()),
        "region": ["north", "south", None],
        "gift": pa.array([True, False, None]),
    }
)


def test_numbers_categories_and_missing() -> None:
    schema = FeatureSchema.from_table(TABLE)
    assert schema.names == ("orders", "region", "gift")
    assert schema.kinds == ("number", "category", "number")
    assert schema.categorical == [1]
    matrix = schema.encode(TABLE)
    np.testing.assert_array_equal(matrix, [[1, 0, 1], [np.nan, 1, 0], [3, np.nan, np.nan]])
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous


def test_unseen_categories_absent_columns_and_infinite_numbers_are_missing() -> None:
    schema = FeatureSchema.from_table(TABLE)
    later = pa.table({"region": ["west", "south"], "gift": pa.nulls(2), "other": [1, 2]})
    np.testing.assert_array_equal(schema.encode(later), [[np.nan] * 3, [np.nan, 1, np.nan]])
    large = pa.table({"orders": [float("inf"), 1e300, float("nan")]})
    assert np.isnan(schema.encode(large)).all()
    assert schema.encode(TABLE.slice(0, 0)).shape == (0, 3)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.one_of(st.none(), st.text(max_size=3)), st.floats(-1e6, 1e6)), min_size=1, max_size=20),
    st.randoms(),
)
def test_neither_order_of_rows_nor_of_columns_nor_a_round_trip_changes_anything(rows, random) -> None:
    table = pa.table({"c": pa.array([c for c, _ in rows], pa.string()), "x": [x for _, x in rows]})
    order = list(range(len(rows)))
    random.shuffle(order)
    schema = FeatureSchema.from_table(table, ["c", "x"])
    shuffled = FeatureSchema.from_table(table.take(order), ["c", "x"])
    assert schema == shuffled
    assert schema.fingerprint == shuffled.fingerprint
    restored = FeatureSchema.from_json(json.loads(json.dumps(schema.to_json())))
    expected = schema.encode(table)
    for kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        turned = table.select(["x", "c"]).set_column(1, "c", table.column("c").cast(kind))
        np.testing.assert_array_equal(restored.encode(turned), expected)


def test_every_difference_shows_in_the_fingerprint() -> None:
    schema = FeatureSchema.from_table(TABLE)
    others = [
        FeatureSchema.from_table(TABLE, ["region", "orders", "gift"]),
        FeatureSchema.from_table(TABLE, ["orders", "region"]),
        FeatureSchema(schema.names, {"region": ("north", "west")}),
        FeatureSchema(schema.names, {}),
    ]
    assert len({schema.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_rare_categories_beyond_the_limit_are_missing() -> None:
    values = [f"v{i:03}" for i in range(300)]
    table = pa.table({"c": [*values, "v299"]})
    schema = FeatureSchema.from_table(table)
    assert len(schema.categories["c"]) == MAX_CATEGORIES
    codes = schema.encode(table)[:, 0]
    assert codes[299] == MAX_CATEGORIES - 1
    assert np.isnan(codes[290])


@pytest.mark.parametrize("names", [["orders", "nothing"], ["orders", "orders"], []])
def test_wrong_names_are_refused(names: list[str]) -> None:
    with pytest.raises(DataProblemError):
        FeatureSchema.from_table(TABLE, names)


def test_a_column_of_another_kind_is_refused() -> None:
    schema = FeatureSchema.from_table(TABLE)
    with pytest.raises(DataProblemError, match="region is int64"):
        schema.encode(pa.table({"region": [1]}))
    with pytest.raises(DataProblemError, match="orders is string"):
        schema.encode(pa.table({"orders": ["1"]}))
    with pytest.raises(DataProblemError, match="timestamp"):
        FeatureSchema.from_table(pa.table({"t": pa.array([0], pa.timestamp("us"))}))
    with pytest.raises(DataProblemError, match="2 times"):
        schema.encode(pa.table([[1], [2]], names=["orders", "orders"]))
