"""The benchmark of sellers, on a shop of one seed: what was planted comes back."""

from __future__ import annotations

from pathlib import Path

from benchmarks.sellers import compared


def test_planted_sellers_come_back(tmp_path: Path) -> None:
    compared_sellers, ranks, of_crude, plain, told, _, wrong = compared(tmp_path, 3, 4000, 540).row().split(" | ")
    assert int(compared_sellers) > 50
    assert float(ranks) > max(0.7, float(of_crude))
    assert min(float(share.rstrip("%")) for share in (plain, told)) > 85
    assert int(wrong) <= 1
