"""Names in `reprise.toml` that mean nothing are refused before any work starts, by every command that works."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import call
from pipeline import declarations
from warehouse.errors import SettingsError
from warehouse.workspace import Workspace

BASE = 'time_zone = "UTC"\n[tables.orders]\nfiles = ["orders.csv"]\n'
ORDERS = "user_id,ordered_at,amount\na,2020-01-01,5\nb,2020-03-01,5\n"
EVENTS = "user_id,occurred_at,event\na,2020-01-01,open\nb,2020-03-01,view\n"
WITH_EVENTS = '[tables.events]\nfiles = ["events.csv"]\n'

WRONG = {
    '[training]\nexclude_families = ["money", "mony"]': (
        'line 5: "training.exclude_families" holds "mony"; allowed: ', 'Did you mean "money"?'),
    '[recommend]\nmodels = ["asl"]': (
        'line 5: "recommend.models" holds "asl"; allowed: als, bm25,', 'Did you mean "als"?'),
    '[targets.repurchase]\npopulation = "order_count_lifetme >= 1"': (
        'line 5: "targets.repurchase.population" is "order_count_lifetme >= 1"; allowed: a rule over features.',
        "Did you mean order_count_lifetime"),
    '[targets.repurchase]\npopulation = "order_count_lifetime >="': ("line 5", "a value is missing"),
    '[targets.repurchase]\npopulation = "churn_probability > 0.5"': ("line 5", 'no field "churn_probability"'),
    '[targets.repurchase]\npopulation = "amount_365d in top 10 %"': ("line 5", "a rule about each customer alone"),
    '[targets.repurchase]\npopulation = "order_count_lifetime > 1 top 50 by amount_365d"': ("line 5", "each customer"),
    "[targets.repurchase]\npopulation = 'buyer_type = \"repeated\"'": ("line 5", 'Did you mean "repeat"?'),
    "[targets.repurchase]\npopulation = 'buyer_type = \"复购客\"'": ("line 5", "never_bought, one_time, repeat."),
    "[targets.repurchse]\nhorizons = [30]": ('line 4: "targets.repurchse"', 'Did you mean "repurchase"?'),
    "static = true": ('line 4: "tables.orders.static" is true; allowed: only in [tables.users]', "[tables.tags]"),
    '[activity]\nacts = ["open"]': ('line 5: "activity.acts" is ["open"]; allowed: sales, as there is no', "events"),
    f'{WITH_EVENTS}[activity]\nacts = ["open", "vew"]': (
        'line 7: "activity.acts" holds "vew"; allowed: open, view.', 'Did you mean "view"?'),
}  # fmt: skip


def made(root: Path, lines: str) -> Workspace:
    (root / "orders.csv").write_text(ORDERS)
    (root / "events.csv").write_text(EVENTS)
    (root / "reprise.toml").write_text(f"{BASE}{lines}\n")
    return Workspace.open(root)


@pytest.mark.parametrize(("lines", "said"), WRONG.items(), ids=list(WRONG))
def test_a_name_that_means_nothing_stops_the_run(
    tmp_path: Path, lines: str, said: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, lines)
    assert call(["-w", str(tmp_path), "run"]) == 2
    told = capsys.readouterr().err
    assert all(part in told for part in said), told
    assert told.startswith("error: reprise.toml, line ")
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "releases").exists()


@pytest.mark.parametrize("command", [["train"], ["backtest", "repurchase"], ["score"], ["features", "build"]])
def test_every_command_that_works_looks_first(tmp_path: Path, command: list[str]) -> None:
    made(tmp_path, '[training]\nexclude_families = ["mony"]')
    assert call(["-w", str(tmp_path), *command, *(["--out", "f.parquet"] if "features" in command else [])]) == 2
    assert not (tmp_path / "store").exists()


def test_what_means_something_passes(tmp_path: Path) -> None:
    right = (
        '[training]\nexclude_families = ["money"]\n[recommend]\nmodels = ["als"]\n'
        '[targets.loyal]\npopulation = "days_since_last_act <= {A} and order_count_lifetime >= 3"\n'
        "[targets.churn]\nhorizons = [14]\n"
    )
    declarations.check(made(tmp_path, right))


def test_all_are_told_at_once(tmp_path: Path) -> None:
    workspace = made(tmp_path, '[training]\nexclude_families = ["x", "y"]')
    with pytest.raises(SettingsError) as told:
        declarations.check(workspace)
    assert len(told.value.message.splitlines()) == 2
