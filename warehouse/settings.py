"""The one settings file of a workspace, `reprise.toml`: typed, frozen, every unknown key an error."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from warehouse.clock import zone
from warehouse.errors import SettingsError

SETTINGS_FILE = "reprise.toml"
TableName = Literal["orders", "events", "users", "items", "contacts", "tags", "identities", "exposures", "labels"]
Days = Annotated[int, Field(ge=1, le=3650)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableSettings(_Section):
    """Where a table comes from and by which policies it is let in."""

    files: tuple[str, ...] = Field(description="Files or patterns, relative to the workspace. Never changed by us.")
    columns: dict[str, str] = Field(default_factory=dict, description="ours = theirs, for columns named otherwise.")
    time_zone: str | None = Field(
        default=None, description="Zone of times written without one; the business zone if absent."
    )
    encoding: str = Field(default="utf-8", description="Encoding of text files, as a Python codec name.")
    separator: str = Field(default=",", min_length=1, max_length=1, description="Separator of text files.")
    quote: str = Field(default='"', max_length=1, description="Quote of text files; empty: none.")
    time_format: str | None = Field(
        default=None,
        description="Format of times (strptime), or epoch_s, epoch_ms, epoch_us; ISO 8601 is always read.",
    )
    on_problem: Literal["stop", "quarantine"] = Field(
        default="stop", description="stop: one bad row stops the load. quarantine: bad rows go to a file of their own."
    )
    max_bad_ratio: float = Field(
        default=0.001, ge=0, le=1, description="More bad rows than this stop the load all the same."
    )
    duplicates: Literal["drop", "keep"] = Field(
        default="drop", description="What to do with rows equal in all columns."
    )
    static: bool = Field(default=False, description="Versioned tables: what is known now was true at all times.")
    on_unknown_event: tuple[str, ...] = Field(
        default=(), description="The closed list of event names; empty: any name."
    )
    guests: Literal["stop", "set_aside"] = Field(default="set_aside", description="Rows without a user.")
    non_products: str | None = Field(
        default=None, description="Pattern (regular expression) of item_id that are no products."
    )
    non_orders: str | None = Field(
        default=None, description="Pattern of order_id that are no orders, such as bad debts."
    )
    unpriced: Literal["keep", "set_aside"] = Field(
        default="keep",
        description="Lines of price zero or less, or set_aside. keep: zero is no sale, negative is wrong.",
    )
    returns: Literal["kind", "sign", "order_prefix"] = Field(
        default="kind",
        description="How a return is known: the kind column; the sign of amount or quantity; a prefix, or sign.",
    )
    return_prefix: str = Field(default="C", description="The prefix for returns = order_prefix.")

    @field_validator("non_products", "non_orders")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            zone(value)
        return value


class TargetSettings(_Section):
    """A question about the future: who is asked about (population) and what may happen (outcome).

    The built-in targets `repurchase`, `churn`, `second_order` and `win_back` may be named with only the keys that
    differ from their defaults.
    """

    population: str | None = Field(default=None, description="A rule over features; the built-in one if absent.")
    outcome: Literal["sale", "no_sale", "act", "no_act"] | None = Field(
        default=None, description="What counts as y = 1 in the window; the built-in one if absent."
    )
    items: tuple[str, ...] = Field(default=(), description="Only these items count in the outcome.")
    categories: tuple[str, ...] = Field(default=(), description="Only these categories count in the outcome.")
    channels: tuple[str, ...] = Field(default=(), description="Only these channels count in the outcome.")
    min_amount: float = Field(default=0.0, ge=0, description="At least this much in the window counts.")
    horizons: tuple[Days, ...] | None = Field(default=None, description="Days looked ahead; [30, 90] if absent.")
    activity_days: Days | None = Field(default=None, description="The window A of being active; 2 × horizon if absent.")


class TrainingSettings(_Section):
    """How models are made."""

    seed: int = Field(default=7, ge=0, le=2**31 - 1, description="The same seed and data give the same models.")
    threads: int = Field(default=2, ge=1, le=256, description="Models fitted side by side.")
    retrain_every: Days = Field(default=7, description="Days after which `reprise run` trains again.")
    max_cutoffs: int = Field(default=12, ge=2, le=200, description="At most so many training cutoffs, the latest ones.")
    rounds: int = Field(
        default=400, ge=10, le=5000, description="At most so many trees; the number is chosen by stopping."
    )
    max_rows: int = Field(
        default=100_000, ge=1_000, description="A fit sees at most so many rows; beyond it rows are sampled."
    )
    bootstrap_draws: int = Field(default=1000, ge=100, le=10000, description="Resamples behind each interval.")
    min_positives: int = Field(default=50, ge=2, description="A cutoff with fewer positives or negatives is skipped.")
    use_protected: bool = Field(default=False, description="Let gender and birth year into models.")
    exclude_families: tuple[str, ...] = Field(default=(), description="Feature families that models do not see.")
    tracking_uri: str | None = Field(default=None, description="An MLflow server; sqlite in the workspace if absent.")


class RecommendSettings(_Section):
    """How suggestions are made."""

    k: int = Field(default=20, ge=1, le=100, description="Suggestions kept for each customer.")
    horizon: Days = Field(default=30, description="Days of purchases by which recommenders are judged.")
    models: tuple[Name, ...] = Field(
        default=("popularity", "personal_frequency", "gp_topfreq", "als", "bm25"),
        description="Recommenders that compete; the best serves.",
    )


class AudienceSettings(_Section):
    """A named audience: a rule in the rule language and how it is shared out."""

    rule: str = Field(description="Who belongs to it, in the rule language (docs/rules.md).")
    control_share: float = Field(default=0.1, ge=0, lt=1, description="Share held back as control, by salted hash.")
    salt: str | None = Field(
        default=None, description="Changes who is in the control group; the audience's name if absent."
    )
    channel: Literal["sms", "email", "push"] | None = Field(
        default=None, description="Whose consent column must say yes."
    )
    allow_empty: bool = Field(default=False, description="Nobody in it is no error.")
    target: Name | None = Field(default=None, description="The target whose expected hits are stated.")


class SuppressionSettings(_Section):
    """Who must not be contacted."""

    file: str | None = Field(
        default=None, description="A file with a user_id column; missing or too old stops the audience."
    )
    max_age_hours: int = Field(default=24, ge=1, description="An older file stops the audience.")
    unknown_consent: Literal["no_contact"] = Field(
        default="no_contact", description="Who never said yes or no is not contacted; nothing else is allowed."
    )


class ServingSettings(_Section):
    """The HTTP service."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; other than this one needs tokens.")
    port: int = Field(default=3000, ge=1, le=65535, description="Port to listen on.")


class ActivitySettings(_Section):
    """What counts as an act."""

    acts: Literal["sales", "events"] | tuple[str, ...] = Field(
        default="sales", description="What counts as an act: sales, events (every event), or a list of event names."
    )


class Settings(_Section):
    """Everything a workspace declares."""

    time_zone: str = Field(default="UTC", description="The business time zone: its days, weeks and months count.")
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$", description="The one currency of all amounts.")
    language: Literal["en", "zh"] = Field(
        default="en", description="In what language reasons and reports are told: en or zh."
    )
    entity: Literal["user", "seller", "device"] = Field(
        default="user", description="Who is scored: user, seller or device; another one rebuilds the store."
    )
    engine: Literal["duckdb"] = Field(default="duckdb", description="The embedded engine; the only one so far.")
    memory_limit: str = Field(
        default="1GB", pattern=r"^[0-9]+(MB|GB)$", description="Memory of the engine; beyond it works on disk."
    )
    buckets: int = Field(default=16, ge=1, le=1024, description="Parts the store is cut into, by a hash of the entity.")
    preset: str | None = Field(default=None, description="The known shape of file this workspace was made from.")
    tables: dict[TableName, TableSettings] = Field(default_factory=dict)
    activity: ActivitySettings = ActivitySettings()
    targets: dict[Name, TargetSettings] = Field(default_factory=dict)
    training: TrainingSettings = TrainingSettings()
    recommend: RecommendSettings = RecommendSettings()
    audiences: dict[Name, AudienceSettings] = Field(default_factory=dict)
    suppression: SuppressionSettings = SuppressionSettings()
    serving: ServingSettings = ServingSettings()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        zone(value)
        return value


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `reprise.toml`, published in docs for editors."""
    return Settings.model_json_schema()


def _line_of(text: str, path: tuple[str | int, ...]) -> int | None:
    """The line of a key in TOML text: its table header first, then the key below it."""
    names = [str(part) for part in path if isinstance(part, str)]
    lines = text.splitlines()
    for depth in range(len(names) - 1, -1, -1):
        header, key = names[:depth], names[depth]
        start = 0
        if header:
            pattern = re.compile(r"^\s*\[\s*" + r"\s*\.\s*".join(rf'"?{re.escape(h)}"?' for h in header) + r"\s*\]")
            start = next((i + 1 for i, line in enumerate(lines) if pattern.match(line)), -1)
            if start < 0:
                continue
        pattern = re.compile(rf'^\s*"?{re.escape(key)}"?\s*=')
        for i in range(start, len(lines)):
            if header and i > start and lines[i].lstrip().startswith("["):
                break
            if pattern.match(lines[i]):
                return i + 1
        whole = re.compile(
            r"^\s*\[\s*" + r"\s*\.\s*".join(rf'"?{re.escape(h)}"?' for h in [*header, key]) + r"\s*[\].]"
        )
        for i, line in enumerate(lines):
            if whole.match(line):
                return i + 1
    return None


_SECTIONS: dict[str, type[BaseModel]] = {
    "training": TrainingSettings,
    "recommend": RecommendSettings,
    "suppression": SuppressionSettings,
    "serving": ServingSettings,
    "activity": ActivitySettings,
}
_FAMILIES: dict[str, type[BaseModel]] = {
    "tables": TableSettings,
    "targets": TargetSettings,
    "audiences": AudienceSettings,
}
"""Sections that stand once, and those of which there may be several."""


def _allowed_at(path: tuple[str | int, ...]) -> list[str]:
    """The keys allowed in the section that holds `path`."""
    if len(path) <= 1:
        return list(Settings.model_fields)
    section = {**_SECTIONS, **_FAMILIES}.get(str(path[0]))
    return list(section.model_fields) if section else []


def parse_settings(text: str, file: str = SETTINGS_FILE) -> Settings:
    """Settings from TOML text; `SettingsError` lists every wrong key and value with its line."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}.") from error
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError("\n".join(_told(text, file, problem) for problem in error.errors())) from error


def _told(text: str, file: str, problem: Any) -> str:
    """One problem of the settings in one sentence: line, key, what was found, what is allowed."""
    path = tuple(part for part in problem["loc"] if part != "[key]")
    line = _line_of(text, path)
    where = f"{file}, line {line}" if line else file
    name = ".".join(str(part) for part in path)
    if problem["type"] == "extra_forbidden":
        allowed = _allowed_at(path)
        near = difflib.get_close_matches(str(path[-1]), allowed, n=1, cutoff=0.5)
        homes = [section for section in _SECTIONS if path[-1] in _SECTIONS[section].model_fields]
        meant = f" Allowed here: {', '.join(sorted(allowed))}."
        if homes and len(path) > 1:
            meant = f" It belongs under [{homes[0]}]."
        if near:
            meant = f' Did you mean "{near[0]}"?'
        return f'{where}: there is no setting "{name}".{meant}'
    found = problem.get("input")
    if problem["type"] == "missing":
        return f'{where}: "{name}" is missing.'
    return f'{where}: "{name}" is {found!r}; {problem["msg"][0].lower()}{problem["msg"][1:]}.'


def load_settings(path: Path) -> Settings:
    """Settings of the file at `path`; `SettingsError` says what is wrong and where."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(
            f"There is no {SETTINGS_FILE} in {path.parent}.",
            hint="Make a workspace with `reprise init DIR --orders FILE`, or name one with -w DIR.",
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text.", hint="Save it as UTF-8.") from error
    return parse_settings(text, path.name)


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
