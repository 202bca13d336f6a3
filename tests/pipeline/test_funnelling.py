"""What `reprise funnel` and `reprise paths` say where the data do not know steps, items or times."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from pipeline.funnelling import Asked, funnel_at
from pipeline.pathing import Asked as Paths
from pipeline.pathing import paths_at
from warehouse.errors import NotReadyError
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


def test_what_events_cannot_tell_is_left_out_and_said(tmp_path: Path) -> None:
    rows = ("ann,2024-05-01,start", "ann,2024-05-01,win", "bob,2024-05-02,start", "bob,2024-05-09,start")
    (tmp_path / "events.csv").write_text("\n".join(["user_id,occurred_at,event", *rows, ""]))
    init_workspace(tmp_path / "w", {"events": tmp_path / "events.csv"}, tz="UTC")
    workspace = Workspace.open(tmp_path / "w")
    found = funnel_at(workspace, Asked((), None, None), None, None, datetime(2024, 7, 1), silent)
    # No event names an item or a feature, so nobody can be seen to be activated.
    assert [(step["step"], step["users"]) for step in found.payload["steps"]] == [("acquired", 2), ("retained", 1)]
    with pytest.raises(NotReadyError, match="tell the day and not the time"):
        paths_at(workspace, Paths(), None, datetime(2024, 7, 1), silent)
