"""`reprise profile`: the same customers in every form, and the same answer over HTTP."""

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from cli.main import call
from pipeline.lists import current
from serving import answers, wire
from warehouse.workspace import Workspace


def rows_of(shop: str, out: Path, *more: str) -> list[dict[str, Any]]:
    assert call(["-w", shop, "profile", "--out", str(out), *more]) == 0
    found: list[dict[str, Any]] = pq.read_table(out).to_pylist()
    return found


@pytest.fixture(scope="module")
def profiles(shop: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return rows_of(shop, tmp_path_factory.mktemp("p") / "p.parquet", "--flag", "order_count_365d >= 3")


def test_the_last_purchase_is_that_of_the_file(place: Path, profiles: list[dict[str, Any]]) -> None:
    last: dict[str, str] = {}
    for row in csv.DictReader((place / "orders.csv").read_text(encoding="utf-8").splitlines()):
        if float(row["amount"]) > 0 and row.get("kind", "sale") != "return":
            day = row["ordered_at"][:10]
            last[row["user_id"]] = max(last.get(row["user_id"], day), day)
    found = {row["user_id"]: row["last_purchase_on"] for row in profiles if row["last_purchase_on"]}
    near = {user: abs(found[user] - date.fromisoformat(day)) for user, day in last.items() if user in found}
    assert len(near) > 100
    # The file's days are of its own zone; a purchase near midnight may be of the day beside.
    assert max(near.values()) <= timedelta(days=1)
    assert sum(each == timedelta(0) for each in near.values()) / len(near) > 0.6


def test_the_flag_says_of_whom_the_rule_is_true(profiles: list[dict[str, Any]]) -> None:
    assert {row["does_other_behaviour"] for row in profiles} == {True, False}
    for row in profiles:
        assert row["does_other_behaviour"] == (row["order_count_365d"] >= 3)


def test_over_http_a_customer_is_the_row_of_the_table(shop: str, profiles: list[dict[str, Any]]) -> None:
    release = current(Workspace.open(shop))
    for row in profiles[::40]:
        told = wire.UserProfile.model_validate(answers.user_profile(release, row["user_id"])).model_dump()
        assert told["known"]
        for name, value in told["profile"].items():
            plain = row[name].isoformat() if isinstance(row[name], date) else row[name]
            assert value == plain, name
        shown = {name for name in row if "_probability" not in name and not name.startswith("last_use_of_")}
        assert shown - {"user_id", "as_of", "does_other_behaviour"} == set(told["profile"])
        first = {each["target"]: each["probability"] for each in told["scores"]}
        assert first["repurchase"] == row["repurchase_probability"]


def test_of_an_unknown_customer_nothing_is_said(shop: str) -> None:
    told = answers.user_profile(current(Workspace.open(shop)), "nobody")
    assert (told["known"], told["profile"], told["scores"], told["due"], told["last_uses"]) == (False, {}, [], [], [])
    wire.UserProfile.model_validate(told)


def test_in_chinese_headers_and_groups_are_chinese(shop: str, tmp_path: Path, profiles: list[dict[str, Any]]) -> None:
    assert call(["-w", shop, "profile", "--out", str(tmp_path / "p.xlsx"), "--lang", "zh"]) == 0
    sheet = openpyxl.load_workbook(tmp_path / "p.xlsx").active
    assert sheet is not None
    header, *rows = sheet.iter_rows(values_only=True)
    assert {"顾客ID", "RFM类型", "最近购买日", "复购概率（30天）"} <= set(header)
    assert len(rows) == len(profiles)
    kinds = {row[header.index("RFM类型")] for row in rows}
    assert {"重要价值", "一般挽留"} <= kinds
    assert [row[0] for row in rows] == [row["user_id"] for row in profiles]


def test_of_a_date_without_a_release_it_is_counted(shop: str, tmp_path: Path) -> None:
    release = current(Workspace.open(shop))
    earlier = (release.as_of - timedelta(days=30)).isoformat()
    rows = rows_of(shop, tmp_path / "p.parquet", "--as-of", earlier)
    assert "repurchase_probability" not in rows[0]
    assert all(row["last_act_on"] is None or row["last_act_on"].isoformat() < earlier for row in rows)


def test_one_customer_and_slips(shop: str, capfd: pytest.CaptureFixture[str], profiles: list[dict[str, Any]]) -> None:
    capfd.readouterr()
    user = profiles[0]["user_id"]
    assert call(["-w", shop, "profile", "--user", user, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["user_id"] == user
    assert call(["-w", shop, "profile", "--user", "nobody"]) == 2
    assert call(["-w", shop, "profile"]) == 2
    assert call(["-w", shop, "profile", "--out", "a.doc"]) == 2


def test_who_refused_profiling_is_told_of_without_what_is_inferred(tmp_path: Path) -> None:
    """ann never objected; bob had by May; cyd has since, so what is counted of her today, of any day, is withheld."""
    orders = [f"{who},2024-0{month}-03 12:00,{who}{month},10" for who in ("ann", "bob", "cyd") for month in (3, 4, 5)]
    (tmp_path / "orders.csv").write_text("\n".join(["user_id,ordered_at,order_id,amount", *orders]) + "\n")
    (tmp_path / "users.csv").write_text(
        "user_id,recorded_at,consent_profiling\nann,2024-01-01,\nbob,2024-05-01,false\n"
        "cyd,2024-01-01,true\ncyd,2024-07-01,false\n"
    )
    shop, out = str(tmp_path / "w"), tmp_path / "p.parquet"
    tables = ["--orders", str(tmp_path / "orders.csv"), "--users", str(tmp_path / "users.csv")]
    assert call(["init", shop, *tables, "--tz", "UTC", "--yes"]) == 0
    rows = {
        row["user_id"]: row
        for row in rows_of(shop, out, "--as-of", "2024-06-01", "--flag", 'preferred_weekday = "friday"')
    }
    assert {who: row["profiling_refused"] for who, row in rows.items()} == {"ann": False, "bob": True, "cyd": True}
    assert {who: row["preferred_weekday"] for who, row in rows.items()} == {"ann": "friday", "bob": None, "cyd": None}
    assert {who: row["does_other_behaviour"] for who, row in rows.items()} == {"ann": True, "bob": None, "cyd": None}
    assert {row["order_count_365d"] for row in rows.values()} == {3.0}
    assert {row["last_purchase_on"] for row in rows.values()} == {date(2024, 5, 3)}
