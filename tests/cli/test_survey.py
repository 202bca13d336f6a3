"""`reprise audience survey`: who is drawn, what is told of it, and what it refuses, in words of ours."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cli.main import call

ROOT = Path(__file__).resolve().parents[2]
RULE = "order_count_lifetime >= 2"


@pytest.fixture(scope="module")
def asking(shop: str, place: Path) -> str:
    """The workspace once more: nps-1 asked whose id ends in 1 the day before the release, 2 wants no SMS."""
    folder = place / "asking"
    shutil.copytree(shop, folder)
    with (place / "orders.csv").open(encoding="utf-8-sig", newline="") as file:
        users = sorted({row["user_id"] for row in csv.DictReader(file) if row["user_id"]})
    touched = [f"nps-1,{user},treatment,2026-09-29 00:00" for user in users if user.endswith("1")]
    (place / "asked.csv").write_text("\n".join(["campaign_id,user_id,arm,touched_at", *touched]) + "\n")
    consents = [f"{user},{'false' if user.endswith('2') else 'true'}" for user in users]
    (place / "consents.csv").write_text("\n".join(["user_id,consent_sms", *consents]) + "\n")
    with (folder / "reprise.toml").open("a", encoding="utf-8") as settings:
        for table, name in (("contacts", "asked"), ("users", "consents")):
            settings.write(f'\n[tables.{table}]\nfiles = ["../{name}.csv"]\n')
        settings.write('\n[survey]\ncampaigns = ["nps-*"]\n')
    return str(folder)


def survey(capfd: pytest.CaptureFixture[str], workspace: str, *arguments: str) -> tuple[int, Any]:
    capfd.readouterr()
    code = call(["-w", workspace, "audience", "survey", *arguments, "--json"])
    return code, json.loads(capfd.readouterr().out)


def people(told: dict[str, Any]) -> set[str]:
    return set(pq.read_table(Path(told["folder"], "audience.parquet")).column("user_id").to_pylist())


def test_as_people_run_it(asking: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A survey in a process of its own, then a second one of others, then the first again."""
    out = place / "asked-now.csv"
    asked = ["nps-2", "--rule", RULE, "-n", "20", "--channel", "sms"]
    command = [sys.executable, "-m", "cli.main", "-w", asking, "audience", "survey", *asked, "--out", str(out)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert re.fullmatch(
        r"survey nps-2: (\d+) of 330 customers match, left out: no consent \d+, asked lately \d+; drew 20 of \d+",
        told[0],
    )
    assert told[1:] == [f"wrote {Path(asking, 'audiences', 'nps-2', '2026-09-30')}"]
    with out.open(encoding="utf-8-sig", newline="") as file:
        first = {row["user_id"] for row in csv.DictReader(file)}
    assert len(first) == 20
    assert not [one for one in first if one[-1] in "12"]
    code, second = survey(capfd, asking, "nps-3", "--rule", RULE, "-n", "20", "--not-asked-in", "1")
    assert (code, second["counts"]["left"], second["fewer"], second["contacts_known"]) == (0, 20, False, True)
    assert not people(second) & first
    code, again = survey(capfd, asking, *asked)
    assert code == 0
    assert people(again) == first


def test_what_is_told_in_json(asking: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, told = survey(capfd, asking, "told", "--rule", RULE, "-n", "9", "--seed", "a")
    counts, drawn = told["counts"], people(told)
    assert (code, told["name"], told["as_of"], told["state"]) == (0, "told", "2026-09-30", "new")
    assert (told["size"], told["not_asked_in_days"], told["empty"]) == (9, 90, False)
    assert counts["matched"] == counts["left_out_asked"] + counts["may_be_asked"] + counts["left_out_no_consent"]
    assert (counts["left"], counts["treatment"], counts["control"]) == (9, 9, 0)
    assert not [key for key in told if key.startswith("expected_hits")], "nothing is expected of a question"
    others = survey(capfd, asking, "told", "--rule", RULE, "-n", "9", "--seed", "b", "--replace")[1]
    assert people(others) != drawn


def test_fewer_than_were_wanted_and_nobody(asking: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["-w", asking, "audience", "survey", "many", "--rule", RULE, "-n", "100000"]) == 0
    assert "warning: 100,000 were wanted, but only" in capfd.readouterr().out
    code, told = survey(capfd, asking, "more", "--rule", RULE, "-n", "5")
    assert (code, told["empty"], told["counts"]["may_be_asked"]) == (3, True, 0), "all were drawn for many"
    assert told["counts"]["left_out_asked"] > 50
    shutil.rmtree(Path(asking, "audiences", "many"))


def test_without_contacts_it_says_what_it_does_not_know(shop: str, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        code, told = survey(capfd, shop, "alone", "--rule", RULE, "-n", "5")
        assert (code, told["contacts_known"]) == (0, False)
    finally:
        shutil.rmtree(Path(shop, "audiences", "alone"))


def test_what_it_refuses(asking: str, capfd: pytest.CaptureFixture[str]) -> None:
    def refused(*arguments: str) -> tuple[int, str]:
        code, told = survey(capfd, asking, *arguments)
        return code, told["error"]["message"]

    assert survey(capfd, asking, "five", "--rule", RULE, "-n", "5")[0] == 0
    assert refused("five", "--rule", RULE, "-n", "0")[0] == 2
    code, said = refused("five", "--rule", "order_count_lifetme >= 2", "-n", "5")
    assert (code, "Did you mean order_count_lifetime" in said) == (2, True)
    code, said = refused("five", "--rule", RULE, "-n", "6")
    assert (code, "five of 2026-09-30 was made otherwise: survey was {'size': 5" in said) == (2, True)
    assert call(["-w", asking, "audience", "rebuild", "five", "--as-of", "2026-09-30"]) == 2
    assert "five of 2026-09-30 is a survey" in capfd.readouterr().err
    torn = Path(asking, "audiences", "five", "2026-09-30")
    (torn / "manifest.json").write_text("{")
    code, said = refused("next", "--rule", RULE, "-n", "5")
    shutil.rmtree(torn)
    assert (code, said) == (3, "audiences/five/2026-09-30 cannot be read, so who was asked is not known.")
