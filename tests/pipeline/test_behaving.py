"""Behaviours of a workspace: found where planted, and called observational wherever they are read."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from cli.main import call


def written(path: Path, customers: int = 400) -> None:
    """Everybody looks on the first day; of those who used the guide nearly all come again, of others half do."""
    rng = np.random.default_rng(1)
    lines = ["user_id,occurred_at,event,feature"]
    for n in range(customers):
        first, guide = date(2024, 3, 1) + timedelta(days=n % 90), rng.random() < 0.5
        lines += [f"u{n},{first} 10:00,look,", *([f"u{n},{first} 10:05,use,guide"] if guide else [])]
        if rng.random() < 0.5:
            lines.append(f"u{n},{first} 10:07,use,theme")
        if rng.random() < (0.9 if guide else 0.5):
            lines.append(f"u{n},{first + timedelta(days=30)} 10:00,look,")
    lines += [f"old,{date(2024, 1, 1)} 09:00,look,", f"old,{date(2024, 9, 30)} 09:00,look,"]
    path.write_text("\n".join(lines), encoding="utf-8")


def test_it_is_observational_in_text_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "events.csv")
    assert call(["init", "w", "--events", "events.csv", "--tz", "UTC", "--yes"]) == 0
    capfd.readouterr()
    assert call(["-w", "w", "behaviours", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["observational"], told["of"], told["users"]) == (True, "staying", 400)
    guide, theme = sorted(told["behaviours"], key=lambda each: each["behaviour"])
    assert (guide["behaviour"], guide["verdict"]) == ("feature:guide", "more")
    assert 0.25 < guide["difference"] < 0.55
    assert (theme["behaviour"], theme["verdict"]) == ("feature:theme", "open")
    assert call(["-w", "w", "behaviours"]) == 0
    head, *rows = capfd.readouterr().out.splitlines()
    assert head.endswith("kind")
    assert all(row.endswith("observational") for row in rows)
