"""Data that can teach little (F21, F22): a rule serves or nothing does, with the reason, and never a traceback."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from cli.main import call
from serving.publication import current_directory

FIRST = date(2026, 1, 1)
pytestmark = pytest.mark.usefixtures("tracked")
SETTINGS = """time_zone = "UTC"
[tables.orders]
files = ["orders.csv"]
[training]
max_cutoffs = 2
rounds = 10
bootstrap_draws = 100
[targets]
repurchase.horizons = [14]
churn.horizons = [14]
second_order.horizons = [14]
win_back.horizons = [14]
[recommend]
models = ["popularity", "gp_topfreq"]
"""
CARDS = ("repurchase_14d", "second_order_14d")


def shop(root: Path, sales: list[tuple[str, int, int]]) -> Path:
    """A workspace of sales (customer, day, amount)."""
    lines = [f"{user},{FIRST + timedelta(days=day)},{amount},i{day % 3}" for user, day, amount in sales]
    (root / "orders.csv").write_text("\n".join(["user_id,ordered_at,amount,item_id", *lines]) + "\n")
    (root / "reprise.toml").write_text(SETTINGS)
    return root


def test_where_everybody_bought_once_the_rule_serves_and_nothing_is_made_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No label is positive, so no curve and no share exists: they are absent, not NaN."""
    root = shop(tmp_path, [(f"u{k}", k % 80, 5) for k in range(120)])
    assert call(["-w", str(root), "run"]) == 0
    assert "repurchase 14 d (rule)" in capsys.readouterr().out
    told = json.loads((current_directory(root / "releases") / "release.json").read_text(), parse_constant=pytest.fail)
    for name in CARDS:
        assert told["cards"][name]["kind"] == "rule"
        assert told["cards"][name]["gains"] == []
    cards = [path.read_text() for path in (root / "models").glob("*/*/card.md")]
    assert any("none was among the buyers of the next 14 days" in card for card in cards)
    assert not any("nan" in card for card in cards)


def test_where_all_buy_every_week_the_rule_serves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = shop(tmp_path, [(f"u{k}", day, 5) for k in range(60) for day in range(k % 7, 80, 7)])
    assert call(["-w", str(root), "run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    repurchase = next(row for row in told["trained"] if row["model"] == "repurchase 14 d")
    assert repurchase["kind"] == "rule"
    assert "of 60 customers on 2026-03-08 60 are positive, and 50 of both kinds are needed" in repurchase["why"]
    assert repurchase["skipped"]
    gone = {each["what"]: each["why"] for each in told["absent"]}
    assert gone["second_order, 14 days"].startswith("Nobody is in the population")


@pytest.mark.parametrize(
    ("sales", "said"),
    [
        ([("u1", day, 5) for day in range(0, 80, 8)], "repurchase, 14 days: No simple rule can be computed"),
        ([(f"u{k}", k % 80, 0) for k in range(60)], "repurchase, 14 days: Nobody is in the population"),
    ],
    ids=["one customer", "no sales"],
)
def test_where_no_model_can_be_made_each_reason_is_told_and_the_next_run_tries_again(
    tmp_path: Path, sales: list[tuple[str, int, int]], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shop(tmp_path, sales)
    assert call(["-w", str(root), "run"]) == 4
    first = capsys.readouterr()
    assert first.err.count("error:") == 1
    assert said in first.err
    assert "It needs" in first.err
    assert not (root / "releases").exists()
    if len(sales) < 20:
        assert call(["-w", str(root), "run"]) == 4
        again = capsys.readouterr()
        assert "not due" not in again.out
        assert said in again.err
