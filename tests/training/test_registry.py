"""Champions: who serves, how it came to that, and the way back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.registry import HISTORY, Entry, Registry, _line_of_succession
from warehouse.errors import NotReadyError, RepriseError, UsageError
from warehouse.files import write_text
from warehouse.workspace import Workspace


@pytest.fixture
def registry(tmp_path):
    write_text(tmp_path / "reprise.toml", "")
    return Registry(Workspace.open(tmp_path))


def add(registry, version):
    return registry.add("repurchase", 30, version, lambda folder: write_text(folder / "model.json", version))


def test_nothing_serves_at_first(registry):
    assert registry.champion("repurchase", 30) is None
    assert registry.names() == []


def test_a_promoted_version_serves_and_says_why(registry):
    folder = add(registry, "v1")
    assert registry.champion("repurchase", 30) is None
    registry.promote("repurchase", 30, "v1", "the first", "nightly run")
    assert registry.champion("repurchase", 30) == folder
    assert registry.names() == [("repurchase", 30)]
    [entry] = registry.history("repurchase", 30)
    assert (entry.action, entry.reason, entry.who) == ("promote", "the first", "nightly run")


def test_a_version_is_never_rewritten(registry):
    folder = add(registry, "v1")
    registry.add("repurchase", 30, "v1", lambda folder: write_text(folder / "model.json", "another"))
    assert (folder / "model.json").read_text() == "v1"


def test_rollback_goes_back_one_by_one_and_leaves_audit_rows(registry):
    for version in ("v1", "v2", "v3"):
        add(registry, version)
        registry.promote("repurchase", 30, version, "better", "nightly run")
    assert registry.rollback("repurchase", 30, "odd scores", "Ada").version == "v2"
    assert registry.rollback("repurchase", 30, "still odd", "Ada").version == "v1"
    with pytest.raises(NotReadyError, match="no earlier champion"):
        registry.rollback("repurchase", 30, "again", "Ada")
    actions = [entry.action for entry in registry.history("repurchase", 30)]
    assert actions == ["promote"] * 3 + ["rollback"] * 2
    assert registry.champion_version("repurchase", 30) == "v1"


def test_a_failed_write_leaves_the_old_champion(registry):
    add(registry, "v1")
    registry.promote("repurchase", 30, "v1", "the first", "nightly run")

    def broken(folder):
        write_text(folder / "model.json", "half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.add("repurchase", 30, "v2", broken)
    assert registry.versions("repurchase", 30) == ["v1"]
    assert registry.champion_version("repurchase", 30) == "v1"


def test_an_unknown_version_is_told_with_those_there_are(registry):
    add(registry, "v1")
    with pytest.raises(UsageError, match="There is no version v9") as told:
        registry.promote("repurchase", 30, "v9", "", "Ada")
    assert "v1" in str(told.value)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "x\x00"])
def test_names_stay_inside_the_workspace(registry, name):
    with pytest.raises(UsageError):
        registry.directory("repurchase", 30, name)


def test_a_damaged_history_is_told(registry):
    add(registry, "v1")
    write_text(registry.folder("repurchase", 30) / HISTORY, "{")
    with pytest.raises(RepriseError, match="damaged"):
        registry.champion("repurchase", 30)


def test_the_history_is_plain_json(registry):
    add(registry, "v1")
    registry.promote("repurchase", 30, "v1", "第一个", "夜间")
    [row] = json.loads((registry.folder("repurchase", 30) / HISTORY).read_text(encoding="utf-8"))
    assert row["reason"] == "第一个"


@settings(max_examples=100)
@given(st.lists(st.sampled_from("pr"), max_size=20))
def test_a_rollback_undoes_the_latest_promotion_that_stands(actions):
    history, expected = [], []
    for i, action in enumerate(actions):
        if action == "p":
            expected.append(f"v{i}")
            history.append(Entry(f"v{i}", "promote", "", "", ""))
        elif len(expected) > 1:
            expected.pop()
            history.append(Entry(expected[-1], "rollback", "", "", ""))
        assert _line_of_succession(history) == expected
