"""The doctor: what is wrong with a workspace is found before it hurts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pipeline.doctor import examine
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


def test_an_empty_workspace_is_told_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "reprise.toml").write_text('time_zone = "UTC"\n')
    found = {each.what: each for each in examine(Workspace.open(tmp_path), datetime(2020, 1, 1))}
    assert (found["store"].state, found["store"].todo) == ("warning", "reprise check")
    assert (found["release"].state, found["release"].todo) == ("warning", "reprise run")
    assert found["folders"].state == "ok"
