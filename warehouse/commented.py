"""Settings as a person finds them in a new `reprise.toml`: each with its default and what it means, behind a `#`.

The lines come from the settings' own types, so a setting cannot be missing, and what stands there is what holds. A line
that is a setting begins with `#` and its name; prose begins with `# `.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from warehouse.contracts import CONTRACTS, EXTRA
from warehouse.level_settings import LevelSettings
from warehouse.recommender_settings import RecommendSettings
from warehouse.settings import (
    ActivitySettings,
    AudienceSettings,
    FunnelSettings,
    LifecycleSettings,
    RfmSettings,
    ServingSettings,
    Settings,
    SuppressionSettings,
    SurveySettings,
    TableSettings,
    TargetSettings,
    TrainingSettings,
    ValueSettings,
)
from warehouse.stage_settings import StageSettings
from warehouse.suggestion_rules import RuleSettings

SILENT = frozenset({"engine", "preset", "unknown_consent"})
"""Settings that are not shown: they have one value only, or are a note of `reprise init` itself."""
OF_TABLE = {
    "join_devices": ("events",),
    "guests": ("orders", "events"),
    "on_unknown_event": ("events",),
    "non_products": ("orders",),
    "non_orders": ("orders",),
    "unpriced": ("orders",),
    "returns": ("orders",),
    "share_out": ("orders",),
    "refunded": ("orders",),
    "late_hours": ("orders", "events"),
    "return_prefix": ("orders",),
    "static": (*(name for name, contract in CONTRACTS.items() if contract.versioned), EXTRA),
    "features": ("users", "labels", EXTRA),
    "categories": ("users", "labels", EXTRA),
    "time_order": ("labels",),
}
"""Settings of a table that mean something for these tables only; the others are shown at the first table."""
_EXAMPLES: dict[str, Any] = {
    "sheet": "Sheet1",
    "summary_rows": "^Total",
    "explode": "items",
    "fill_down_by": "Name",
    "refunded": "Refunded Amount",
    "time_format": "%d/%m/%Y %H:%M",
    "non_products": "^(POSTAGE|GIFT)",
    "non_orders": "^A",
    "features": ["plan"],
    "tracking_uri": "http://127.0.0.1:5000",
    "file": "do_not_contact.csv",
    "stock_file": "stock.csv",
    "salt": "spring",
    "channel": "sms",
    "target": "churn",
    "horizons": [30, 90],
    "activity_days": 60,
    "trees": {"num_leaves": 6, "learning_rate": 0.04},
    "als": {"factors": 64, "alpha": 10},
    "weights": {"kinds": {"view_item": 0.3}},
    "explore": {"places": 1, "among": 20},
    "bm25": {"neighbours": 20, "k1": 1.2},
    "bpr": {"factors": 64, "repeat": 10},
    "ease": {"regularization": 200, "repeat": 0.3},
    "graph_filter": {"user": 0.8, "item": 0.45},
    "tifu_knn": {"neighbours": 100, "alpha": 0.5},
    "next_purchase": {"days": 60, "shrinkage": 300},
    "personal_decay": {"half_life_days": 150},
    "popularity": {"half_life_days": 30},
    "two_stage": {"listed": 40, "windows": 4},
    "min_price": 1,
    "max_price": 500,
    "within_price_band": 2,
    "not_bought_within_days": 14,
    "per_category": 3,
    "per_brand": 3,
}
_OF_LEVELS: dict[str, Any] = {
    "steps": {"member": 0, "silver": 500, "gold": 2000},
    "per_order": 10,
    "per_amount": 1,
    "per_referral": 100,
    "profile": 50,
    "profile_columns": ["region", "gender"],
    "events": {"review": 20, "sign_in": 2},
    "once_a_day": ["sign_in"],
    "window_days": 365,
    "valid_days": 365,
    "at_expiry": "earned",
}
ORIGINS = ("files", "source", "table", "query", "cursor")
"""Where rows come from, which a new file says."""
_WIDEST = 34


def general(said: Collection[str]) -> str:
    """The settings at the top of the file that are not `said` there."""
    names = [n for n, field in Settings.model_fields.items() if n not in said and not _is_section(field.annotation)]
    return "".join(f"{line}\n" for line in _lines(Settings, names, {}))


def table(name: str, said: Collection[str], first: bool, time_zone: str) -> list[str]:
    """The settings of one table that are not `said`; those that any table may have only where it is the `first`."""
    names = [
        n for n in TableSettings.model_fields
        if n not in {*said, *ORIGINS, "columns"} and (name in OF_TABLE[n] if n in OF_TABLE else first)
    ]  # fmt: skip
    return _lines(TableSettings, names, {"time_zone": time_zone})


def sections(tables: Collection[str], said: Collection[str]) -> list[str]:
    """The sections a workspace with these tables may have, but for those `said` already."""
    act = {"outcome": "sale", "population": "order_count_lifetime >= 1", "rule": "days_since_last_order <= 90"}
    if "orders" not in tables:
        act = {"outcome": "act", "population": "act_day_count_lifetime >= 1", "rule": "days_since_last_act <= 90"}
    shown: list[tuple[str, str, type[BaseModel], Mapping[str, Any]]] = [
        ("activity", "what counts as an act of a customer", ActivitySettings, {}),
        ("lifecycle", "when a silent customer counts as gone", LifecycleSettings, {}),
        ("rfm", "from where on recency, frequency and money are high", RfmSettings, {}),
        ("levels", "member levels by points: reprise levels", LevelSettings, _OF_LEVELS),
        ("stages.my_stage", "value stages of your own, the highest first: reprise stages", StageSettings, act),
        ("targets.my_target", "a question of your own; repurchase, churn … are built in and may be changed alike",
         TargetSettings, act),
        ("audiences.my_audience", "one more audience: reprise audience build my_audience", AudienceSettings, act),
        ("suppression", "who must not be contacted, whatever the audience", SuppressionSettings, {}),
        ("survey", "who counts as asked: reprise audience survey", SurveySettings, {}),
        ("funnels.my_funnel", "ordered steps: reprise funnel my_funnel", FunnelSettings,
         {"steps": ["acquired", "retained"]}),
        ("training", "how models are made", TrainingSettings, {}),
        ("recommend", "how suggestions are made", RecommendSettings, {}),
        ("recommend.rules", "what may be suggested, and how much of it", RuleSettings, {}),
        ("value", "what customers will spend, and what keeping one is worth", ValueSettings,
         {"horizon": 90, "margin": 0.3, "contact_cost": 1.0, "save_rate": 0.1}),
        ("serving", "the HTTP service: reprise serve", ServingSettings, {}),
    ]  # fmt: skip
    told = ["\n# Nothing below need be said. To change a setting take the # off its line and off its [section].\n"]
    own = {name for name, *_ in shown}
    for name, meaning, model, examples in shown:
        if name not in said:
            inside = [field for field in model.model_fields if f"{name}.{field}" not in own]
            lines = [f"\n#[{name}]  # {meaning}", *_lines(model, inside, examples)]
            told.append("\n".join(lines) + "\n")
    return told


def other_tables(tables: Collection[str]) -> str:
    """One line of prose for each table that is not there yet."""
    missing = [contract for name, contract in CONTRACTS.items() if name not in tables]
    if not missing:
        return ""
    lines = [f"#   [tables.{each.name}]  {each.grain}; unlocks {each.unlocks}" for each in missing]
    return "\n# Other tables there may be, each with its files:\n" + "\n".join(lines) + "\n"


def toml_key(name: str) -> str:
    """A key as TOML writes it: in quotes where it is no bare word."""
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else toml(name)


def toml(value: Any) -> str:
    """A value as TOML writes it: texts, numbers, flags and lists of these are the same as in JSON."""
    if isinstance(value, Mapping) and not value:
        return "{}"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_key(name)} = {toml(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _lines(model: type[BaseModel], names: list[str], examples: Mapping[str, Any]) -> list[str]:
    """`#name = value  # meaning` for each, the meanings under each other."""
    pairs = []
    for name in names:
        if name in SILENT:
            continue
        field = model.model_fields[name]
        is_example = field.is_required() or field.default is None
        value = {**_EXAMPLES, **examples}[name] if is_example else field.get_default(call_default_factory=True)
        meaning = f"{'(an example) ' if is_example else ''}{field.description}"
        pairs.append((f"#{name} = {toml(value)}", meaning))
    width = min(max((len(left) for left, _ in pairs), default=0), _WIDEST)
    return [f"{left.ljust(width)}  # {meaning}" for left, meaning in pairs]


def _is_section(annotation: Any) -> bool:
    """Whether a field of the settings is a section or a family of sections."""
    if getattr(annotation, "__origin__", None) is dict:
        return True
    return any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in (annotation, *get_args(annotation)))
