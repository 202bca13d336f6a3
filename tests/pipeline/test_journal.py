"""Which settings make a run another run, and which make training due: each direction by itself."""

import tomllib
from datetime import date
from pathlib import Path

import pytest

from pipeline import journal
from warehouse.errors import UsageError
from warehouse.settings import Settings, parse_settings
from warehouse.workspace import Workspace

DAY = date(2026, 8, 20)
BASE = """
time_zone = "Europe/London"
currency = "GBP"
[tables.orders]
files = ["orders.csv"]
[training]
seed = 7
"""


def workspace(root: Path, *lines: str, section: str = "") -> Workspace:
    """The base settings with other lines: top-level ones first, or those of one section last."""
    text = BASE + f"{section}\n" + "\n".join(lines) if section else "\n".join(lines) + BASE
    return Workspace(root, parse_settings(text))


NOTHING_PUBLISHED = [
    ("", 'preset = "online-retail"'),
    ("", 'memory_limit = "2GB"'),
    ("", "buckets = 4"),
    ("[serving]", "port = 4000"),
    ("[audiences.leaving]", 'rule = "order_count_lifetime >= 1"'),
    ("", "training.threads = 1"),
    ("", "training.retrain_every = 3"),
    ("", 'training.tracking_uri = "http://127.0.0.1:5000"'),
    ("", 'tables.orders.files = ["orders.csv", "orders-2.csv"]'),
    ("", 'tables.orders.on_problem = "quarantine"'),
    ("", "tables.orders.max_bad_ratio = 0.01"),
]
PUBLISHED_NOT_TAUGHT = [
    ("", 'language = "zh"'),
    ("[suppression]", 'file = "stop.csv"'),
    ("[recommend]", "k = 5"),
    ("[recommend.explore]", "places = 2"),
]
TAUGHT = [
    ("", 'time_zone = "UTC"'),
    ("", 'currency = "EUR"'),
    ("", 'activity.acts = "events"'),
    ("[targets.repurchase]", "horizons = [14]"),
    ("[recommend]", "horizon = 14"),
    ("[recommend.weights]", "kinds = { view = 0.3 }"),
    ("", "training.seed = 8"),
    ("", "training.rounds = 50"),
    ("", 'training.exclude_families = ["money"]'),
    ("", 'tables.orders.duplicates = "keep"'),
    ("", 'tables.orders.columns.user_id = "CustomerID"'),
]


def changed(root: Path, section: str, line: str) -> Workspace:
    """The base with one setting changed; dotted keys change one of a section the base has."""
    if section:
        return workspace(root, line, section=section)
    key, _, value = line.partition(" = ")
    document = parse_settings(BASE).model_dump()
    *path, last = key.split(".")
    inner = document
    for part in path:
        inner = inner[part]
    inner[last] = parse_value(value)
    return Workspace(root, Settings.model_validate(document))


def parse_value(text: str) -> object:
    return tomllib.loads(f"value = {text}")["value"]


@pytest.mark.parametrize(("section", "line"), NOTHING_PUBLISHED)
def test_what_changes_nothing_published_is_the_same_run(tmp_path: Path, section: str, line: str) -> None:
    before, after = workspace(tmp_path), changed(tmp_path, section, line)
    assert before.settings != after.settings
    assert journal.settings_fingerprint(before) == journal.settings_fingerprint(after)
    assert journal.teaching_fingerprint(before) == journal.teaching_fingerprint(after)


@pytest.mark.parametrize(("section", "line"), PUBLISHED_NOT_TAUGHT)
def test_what_is_published_but_not_learnt_from_makes_no_training_due(tmp_path: Path, section: str, line: str) -> None:
    before, after = workspace(tmp_path), changed(tmp_path, section, line)
    assert journal.settings_fingerprint(before) != journal.settings_fingerprint(after)
    assert journal.teaching_fingerprint(before) == journal.teaching_fingerprint(after)


@pytest.mark.parametrize(("section", "line"), TAUGHT)
def test_what_is_learnt_from_makes_another_run_and_another_training(tmp_path: Path, section: str, line: str) -> None:
    before, after = workspace(tmp_path), changed(tmp_path, section, line)
    assert journal.settings_fingerprint(before) != journal.settings_fingerprint(after)
    assert journal.teaching_fingerprint(before) != journal.teaching_fingerprint(after)


def test_the_refusal_names_every_key_that_changed_with_both_values(tmp_path: Path) -> None:
    before = workspace(tmp_path)
    fingerprint = journal.settings_fingerprint(before)
    entry = journal.Entry(str(DAY), "data", fingerprint, "20260820-abc", journal.declared(before))
    journal.note(before, entry)
    after = workspace(tmp_path, "horizons = [14]", section="[targets.repurchase]")
    after = Workspace(tmp_path, after.settings.model_copy(update={"currency": "EUR"}))
    found = journal.finished(after, DAY)
    assert found == entry
    with pytest.raises(UsageError) as told:
        journal.refuse_changed_settings(found, after)
    assert 'currency was "GBP", now "EUR"' in told.value.message
    assert "targets.repurchase.horizons was not set, now [14]" in told.value.message
    assert "seed" not in told.value.message
    assert "--replace" in str(told.value.hint)
    journal.refuse_changed_settings(found, before)


def test_a_run_written_down_without_its_settings_is_still_known(tmp_path: Path) -> None:
    before = workspace(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / f"{DAY}.json").write_text(
        '{"as_of": "2026-08-20", "data": "d", "settings": "x", "release": "r"}'
    )
    found = journal.finished(before, DAY)
    assert found is not None
    with pytest.raises(UsageError, match=r"under other settings \(release r\)\."):
        journal.refuse_changed_settings(found, before)
