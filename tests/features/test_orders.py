"""Whole orders as numbers: by hand, and the same however the customers are cut."""

from __future__ import annotations

from datetime import date, timedelta

from features.orders import orders
from features.source import FramesSource
from tests.features.conftest import PartedSource, make_world, sale, stored, utc

AS_OF = date(2024, 2, 1)


def test_by_hand() -> None:
    """Ann's order of two days is one; Bob, who has no order ids, has one a day; a line without an item counts in
    units and amount alone, and what is returned, or bought later, not at all."""
    noon = [utc(f"2024-01-{day:02d} 12:00", "UTC") for day in range(1, 32)]
    rows = [
        sale("ann", noon[4], 6, order_id="1", item_id="b", quantity=2.0),
        sale("ann", noon[5], 4, order_id="1", item_id="a"),
        sale("ann", noon[5], 1, order_id="1", item_id="b"),
        sale("ann", noon[5], 3, order_id="1"),
        sale("ann", noon[6], -4, order_id="1", item_id="a"),
        sale("bob", noon[1], 5, item_id="c"),
        sale("bob", noon[1], 5, item_id="a"),
        sale("bob", noon[2], 5, item_id="c"),
        sale("bob", utc("2024-02-01 00:00", "UTC"), 5, item_id="c"),
    ]
    found = orders(FramesSource({"orders": stored("orders", rows, "UTC")}), AS_OF)
    assert found.item_ids.to_pylist() == ["a", "b", "c"]
    first = (date(2024, 1, 1) - date(1970, 1, 1)).days
    assert [(int(c), int(d) - first) for c, d in zip(found.customer, found.day, strict=True)] in (
        [(0, 4), (1, 1), (1, 2)],
        [(0, 1), (0, 2), (1, 4)],
    )
    by_day = {int(day) - first: n for n, day in enumerate(found.day)}
    ann = by_day[4]
    assert (found.units[ann], found.amount[ann], found.size[ann], found.customers) == (5, 14, 2, 2)
    lines = slice(found.starts[ann], found.starts[ann + 1])
    assert (found.item[lines].tolist(), found.line_units[lines].tolist()) == ([0, 1], [1, 3])
    assert found.line_amount[lines].tolist() == [4, 7]
    assert [found.size[by_day[day]] for day in (1, 2)] == [2, 1]
    some = found.of(found.day > first + 1)
    assert (some.size.tolist(), len(some.item), some.starts[-1]) == (
        [found.size[n] for n in range(3) if found.day[n] > first + 1],
        3,
        3,
    )


def test_parts_change_nothing() -> None:
    """Each order is there once, with the same lines, whichever part its customer is in."""
    world = make_world(5, users=20)
    as_of = world.as_of - timedelta(days=1)

    def told(source: FramesSource | PartedSource) -> list[tuple[int, float, float, tuple[int, ...]]]:
        found = orders(source, as_of)
        assert (found.starts[0], found.starts[-1]) == (0, len(found.item))
        held = [tuple(found.item[a:b].tolist()) for a, b in zip(found.starts, found.starts[1:], strict=False)]
        assert all(list(items) == sorted(set(items)) for items in held)
        return sorted(zip(found.day.tolist(), found.units.tolist(), found.amount.round(4).tolist(), held, strict=True))

    assert told(FramesSource(world.frames(), world.zone)) == told(PartedSource(world.frames(), world.zone)) != []
