"""The doctor: what is wrong with a workspace is found before it hurts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from pipeline import nightly
from pipeline.doctor import examine
from warehouse.errors import NotReadyError
from warehouse.workspace import Workspace

RULES = """
time_zone = "UTC"

[audiences.whole]
rule = "amount_365d > 500"

[audiences.torn]
rule = "amount_365d >"
"""


def test_a_rule_that_cannot_be_read_is_found_before_its_audience_is_built(tmp_path: Path) -> None:
    (tmp_path / "reprise.toml").write_text(RULES)
    found = examine(Workspace.open(tmp_path), datetime(2020, 1, 1))
    told = {each.found.split(":")[0]: each.state for each in found if each.what == "audiences"}
    assert told == {"whole": "ok", "torn": "broken"}


def test_a_new_workspace_is_told_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "reprise.toml").write_text('time_zone = "UTC"\n[tables.orders]\nfiles = ["orders.csv"]\n')
    found = {each.what: each for each in examine(Workspace.open(tmp_path), datetime(2020, 1, 1))}
    assert (found["store"].state, found["store"].todo) == ("warning", "reprise check")
    assert (found["release"].state, found["release"].todo) == ("warning", "reprise run")
    assert found["folders"].state == "ok"


@pytest.mark.parametrize("tables", ["", '[tables.tags]\nfiles = ["tags.csv"]\n'])
def test_where_no_run_is_possible_yet_it_is_told_what_is_needed(tmp_path: Path, tables: str) -> None:
    (tmp_path / "tags.csv").write_text("user_id,tag\nu1,vip\n")
    (tmp_path / "reprise.toml").write_text(f'time_zone = "UTC"\n{tables}')
    workspace = Workspace.open(tmp_path)
    found = {each.what: each for each in examine(workspace, datetime(2020, 1, 1))}
    with pytest.raises(NotReadyError, match="neither orders nor events"):
        nightly.run(workspace, None, loaded_at=datetime(2020, 1, 1))
    for what in ("release", "tracking"):
        assert "[tables.orders], [tables.events] or [tables.labels]" in found[what].todo
