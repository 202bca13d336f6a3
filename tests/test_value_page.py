"""docs/value.md: its example gives what it shows, and the table of CDNOW holds."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from models.value import BuyTillYouDie
from tests.models.cdnow import FILE, HOLDOUT, cdnow
from training.evaluation.value import evaluate
from training.value import spending_so_far

PAGE = (Path(__file__).parents[1] / "docs/value.md").read_text(encoding="utf-8")


def test_the_example_gives_what_it_shows() -> None:
    code, shown = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[0] for kind in ("python", "output"))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})
    assert said.getvalue() == shown


@pytest.mark.skipif(not FILE.exists(), reason="the CDNOW sample is not on this machine")
def test_the_table_of_cdnow() -> None:
    shop = cdnow()
    model = BuyTillYouDie.fit(shop.known)
    so_far = shop.known.x / np.maximum(shop.known.T, 30) * HOLDOUT
    for name, expected, value in (
        ("BG/NBD, Gamma-Gamma", model.expected_purchases(HOLDOUT, shop.known), model.value(HOLDOUT, shop.known)),
        ("counts so far", so_far, spending_so_far(shop.known, HOLDOUT)),
    ):
        found = (
            np.abs(expected - shop.bought).mean(),
            spearmanr(expected, shop.bought).statistic,
            roc_auc_score(shop.bought > 0, expected),
            evaluate(shop.spent, value)["top_decile_share"],
        )
        shown = re.search(rf"\| {re.escape(name)} \| (.*) \|", PAGE)
        assert shown is not None
        assert found == pytest.approx([float(cell) for cell in shown[1].split("|")], abs=0.005)
