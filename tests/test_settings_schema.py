"""The JSON Schema that editors use is the one of the settings."""

import json
from pathlib import Path

from warehouse.settings import json_schema

PUBLISHED = Path(__file__).resolve().parent.parent / "docs" / "reprise.schema.json"


def test_published_schema_is_current() -> None:
    told = "write it anew: python -m warehouse.settings > docs/reprise.schema.json"
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == json_schema(), told
