"""`reprise audience build`: an audience of nobody, a rule in JSON, expected hits whatever the rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import call

NOBODY = "order_count_lifetime > 100000"


def built(capfd: pytest.CaptureFixture[str], shop: str, *arguments: str) -> tuple[int, Any]:
    capfd.readouterr()
    code = call(["-w", shop, "audience", "build", *arguments, "--json"])
    return code, json.loads(capfd.readouterr().out)


def test_nobody_gives_files_without_rows_a_warning_and_exit_code_3(
    shop: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "nobody.csv"
    code, told = built(capfd, shop, "nobody", "--rule", NOBODY, "--out", str(out))
    assert (code, told["empty"], told["counts"]["left"]) == (3, True, 0)
    manifest = json.loads(Path(told["folder"], "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["empty"], manifest["counts"]["left"]) == (True, 0)
    for path in (out, Path(told["folder"], "audience.csv")):
        (header,) = path.read_text(encoding="utf-8-sig").splitlines()
        assert header.startswith('"user_id","arm"')
    assert call(["-w", shop, "audience", "build", "nobody", "--rule", NOBODY]) == 3
    assert "warning: nobody is in it, the rule is true for nobody" in capfd.readouterr().out


def test_a_rule_in_json(shop: str, capfd: pytest.CaptureFixture[str]) -> None:
    form = {"field": "order_count_lifetime", "op": ">=", "value": 2}
    code, told = built(capfd, shop, "twice", "--rule", json.dumps(form))
    assert (code, told["state"]) == (0, "new")
    assert built(capfd, shop, "twice", "--rule", "order_count_lifetime >= 2")[1]["state"] == "unchanged"
    code, told = built(capfd, shop, "wrong", "--rule", json.dumps({**form, "field": "order_count_lifetme"}))
    assert code == 2
    assert "Did you mean order_count_lifetime" in told["error"]["message"]


def test_a_rule_over_a_segment_in_text_and_json(shop: str, capfd: pytest.CaptureFixture[str]) -> None:
    form = {"field": "buyer_type", "op": "=", "value": "复购客"}
    code, told = built(capfd, shop, "repeat", "--rule", 'buyer_type = "repeat"')
    assert (code, told["state"]) == (0, "new")
    assert (
        told["counts"]["matched"]
        == built(capfd, shop, "twice", "--rule", "order_count_lifetime >= 2")[1]["counts"]["matched"]
        > 0
    )
    for rule in ('buyer_type = "复购客"', json.dumps(form)):
        assert built(capfd, shop, "repeat", "--rule", rule)[1]["state"] == "unchanged"
    code, told = built(capfd, shop, "wrong", "--rule", 'buyer_type = "repeated"')
    assert code == 2
    assert 'Did you mean "repeat"?' in told["error"]["message"]


def test_hits_are_expected_of_an_audience_whose_rule_names_no_score(
    shop: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, told = built(capfd, shop, "top", "--rule", "amount_lifetime in top 5 %")
    hits = told["expected_hits"]
    assert (code, hits["target"], hits["horizon_days"]) == (0, "repurchase", 30)
    assert hits["treatment"] > 0
    assert hits["model_version"]
