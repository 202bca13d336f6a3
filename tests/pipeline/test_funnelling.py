"""What `reprise funnel` says of a step that nobody ever did."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pipeline.funnelling import Asked, funnel_at
from warehouse.progress import silent
from warehouse.starting import init_workspace
from warehouse.workspace import Workspace

EVENTS = """user_id,occurred_at,event,page
ann,2024-05-01 10:00,view_item,tea
ann,2024-05-01 10:05,add_to_cart,
bob,2024-05-02 09:00,view_item,tea
"""
ORDERS = "user_id,ordered_at,order_id,item_id,amount\nann,2024-05-01 10:15,o1,tea,12\nbob,2024-06-30 10:15,o2,tea,9\n"


def test_a_misspelt_step_is_answered_with_what_the_data_have(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "orders.csv").write_text(ORDERS)
    files = {"orders": tmp_path / "orders.csv", "events": tmp_path / "events.csv"}
    init_workspace(tmp_path / "w", files, tz="UTC")
    asked = Asked(("event:view", "page:cart", "order"), None, None)
    found = funnel_at(Workspace.open(tmp_path / "w"), asked, None, None, datetime(2024, 7, 1), silent)
    assert found.payload["never_done"] == [
        "nobody ever did event:view; most frequent among the events of the data: view_item, add_to_cart",
        "nobody ever did page:cart; most frequent among the pages of the data: tea",
    ]
    there = funnel_at(Workspace.open(tmp_path / "w"), Asked(("event:view_item", "order"), None, None), None, None,
                      datetime(2024, 7, 1), silent)  # fmt: skip
    assert there.payload["never_done"] == []
