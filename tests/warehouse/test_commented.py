"""The settings a new file shows behind a `#` are all there are, and say what holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from warehouse import settings as kinds
from warehouse.commented import OF_TABLE, ORIGINS, SILENT
from warehouse.errors import SettingsError
from warehouse.recommender_settings import RecommendSettings
from warehouse.settings import Settings, TableSettings, parse_settings
from warehouse.starting import init_workspace

LINES = {
    "orders": "user_id,ordered_at,amount,kind\na,2025-01-01,1,sale\n",
    "events": "user_id,occurred_at,event\na,2025-01-01,view\n",
    "users": "user_id,region\na,north\n",
    "labels": "target,user_id,y\nleft,a,1\n",
}
SECTIONS = {
    "activity": kinds.ActivitySettings,
    "suppression": kinds.SuppressionSettings,
    "training": kinds.TrainingSettings,
    "recommend": RecommendSettings,
    "value": kinds.ValueSettings,
    "serving": kinds.ServingSettings,
}


def written(folder: Path, *tables: str, **said: Any) -> str:
    for table in tables:
        (folder / f"{table}.csv").write_text(LINES[table])
    init_workspace(folder / "w", {table: folder / f"{table}.csv" for table in tables}, **said)
    return (folder / "w" / "reprise.toml").read_text(encoding="utf-8")


def uncommented(text: str) -> str:
    """The text with the # taken off every line that is a setting or a section."""
    return re.sub(r"(?m)^#(?=[a-z\[])", "", text)


def compared(said: dict[str, Any], model: type[BaseModel], found: BaseModel) -> None:
    """Every setting of the section is said, and where it has a default that is what is said."""
    assert set(said) >= set(model.model_fields) - SILENT
    for name, field in model.model_fields.items():
        if name in said and not field.is_required() and field.default is not None:
            assert getattr(found, name) == field.get_default(call_default_factory=True), name


@pytest.mark.parametrize("tables", [("orders",), ("events",), ("orders", "events", "users"), ("labels",)])
def test_every_setting_uncommented_is_the_default(tmp_path: Path, tables: tuple[str, ...]) -> None:
    text = written(tmp_path, *tables)
    whole = uncommented(text)
    assert whole != text
    said, found, before = tomllib.loads(whole), parse_settings(whole), parse_settings(text)
    assert set(said) >= set(Settings.model_fields) - SILENT
    for name in ("language", "entity", "memory_limit", "buckets", "currency", "time_zone"):
        assert getattr(found, name) == getattr(before, name)
    for name, model in SECTIONS.items():
        if name == "activity" and tables == ("events",):
            continue
        compared(said[name], model, getattr(found, name))
        assert getattr(before, name) == model()
    compared(said["targets"]["my_target"], kinds.TargetSettings, found.targets["my_target"])
    compared(said["audiences"]["my_audience"], kinds.AudienceSettings, found.audiences["my_audience"])
    first = said["tables"][tables[0]]
    general = set(TableSettings.model_fields) - set(OF_TABLE) - set(ORIGINS) - {"columns"}
    assert set(first) >= general | {name for name, where in OF_TABLE.items() if tables[0] in where}
    for table in tables:
        for name in ("encoding", "separator", "quote", "max_bad_ratio", "unpriced", "static", "on_unknown_event"):
            assert getattr(found.tables[table], name) == TableSettings.model_fields[name].get_default()  # type: ignore[arg-type]


def test_as_it_is_written_nothing_is_changed(tmp_path: Path) -> None:
    found = parse_settings(written(tmp_path, "orders", tz="Asia/Shanghai", currency="CNY"))
    declared = {"time_zone": "Asia/Shanghai", "currency": "CNY", "tables": found.tables, "audiences": found.audiences}
    assert found == Settings(**declared)


def test_what_the_file_lacks_is_named(tmp_path: Path) -> None:
    text = written(tmp_path, "orders")
    assert "# not seen in the file: order_id, item_id, quantity" in text
    assert "[tables.items]  one version of an item; unlocks item rules" in text


def test_a_preset_says_its_own_and_comments_the_rest(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "1,22,tea,1,2011-01-01 08:00,2.5,17850,France\n"
    )
    init_workspace(tmp_path / "w", {"orders": tmp_path / "r.csv"}, preset="online-retail")
    text = (tmp_path / "w" / "reprise.toml").read_text(encoding="utf-8")
    policy = parse_settings(uncommented(text)).tables["orders"]
    assert (policy.returns, policy.return_prefix, policy.unpriced) == ("order_prefix", "C", "set_aside")


def test_lines_fit_a_screen(tmp_path: Path) -> None:
    assert max(len(line) for line in written(tmp_path, "orders", "events", "users").splitlines()) <= 140


def test_a_setting_without_its_section_is_told_where_it_belongs() -> None:
    with pytest.raises(SettingsError, match=r"It belongs under \[training\]"):
        parse_settings('[audiences.new]\nrule = "days_since_last_order <= 9"\nretrain_every = 3\n')
