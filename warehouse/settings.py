"""The one settings file of a workspace, `reprise.toml`: typed, frozen, every unknown key an error."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from warehouse.contracts import CONTRACTS
from warehouse.databases import address_problem
from warehouse.errors import SettingsError
from warehouse.files import explained
from warehouse.level_settings import LevelName, LevelSettings
from warehouse.recommender_settings import RecommendSettings
from warehouse.settings_problems import Wrong, no_toml, sentence, sentences
from warehouse.settings_shapes import Section as _Section
from warehouse.settings_shapes import Shape
from warehouse.settings_values import (
    TABLE_NAMES,
    Currency,
    Days,
    Encoding,
    EngineName,
    Horizons,
    Memory,
    Name,
    Pattern,
    PresetName,
    TableName,
    TimeFormat,
    Zone,
)
from warehouse.stage_settings import StageSettings

SETTINGS_FILE = "reprise.toml"
LABEL_HORIZON = 30
"""The horizon of labels that declare none, in days: their file does not say how far they look."""


class TableSettings(Shape):
    """Where a table comes from and by which policies it is let in."""

    files: tuple[str, ...] = Field(
        default=(), description="Files or patterns, relative to the workspace. Never changed by us."
    )
    source: str | None = Field(
        default=None, description="Instead of files a database; ${NAME} stands for an environment variable."
    )
    table: str | None = Field(default=None, description="The table, or schema.table, of the database to read.")
    query: str | None = Field(default=None, description="Or a query of it, such as select … from ….")
    cursor: str | None = Field(
        default=None, description="A column that grows with every row: only rows beyond the last one are fetched."
    )
    columns: dict[str, str] = Field(default_factory=dict, description="ours = theirs, for columns named otherwise.")
    time_zone: Zone | None = Field(
        default=None, description="Zone of times written without one; the business zone if absent."
    )
    encoding: Encoding = Field(default="utf-8", description="Encoding of text files, as a Python codec name.")
    separator: str = Field(default=",", min_length=1, max_length=1, description="Separator of text files.")
    quote: str = Field(default='"', max_length=1, description="Quote of text files; empty: none.")
    numbers: Literal["1234.56", "1,234.56", "1.234,56"] = Field(
        default="1234.56", description="How numbers are written; or 1,234.56 or 1.234,56."
    )
    time_format: TimeFormat | None = Field(
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
    features: tuple[str, ...] | None = Field(
        default=None,
        description="Further columns that are features; all if absent, of users none beside orders or events.",
    )
    categories: tuple[str, ...] = Field(
        default=(), description="Of these columns the values are names, though they look like numbers."
    )
    time_order: Literal["as_of", "file"] = Field(
        default="as_of", description="Labels without dates: as_of splits them at random; file: later lines are later."
    )
    static: bool = Field(default=False, description="Versioned tables: what is known now was true at all times.")
    on_unknown_event: tuple[str, ...] = Field(
        default=(), description="The closed list of event names; empty: any name."
    )
    join_devices: bool = Field(
        default=True, description="Events: what a device did before a login is that user's, from the login on."
    )
    guests: Literal["stop", "set_aside"] = Field(
        default="set_aside",
        description="Rows of nobody: without a user or, where sellers are scored, without a seller.",
    )
    non_products: Pattern | None = Field(
        default=None, description="Pattern (regular expression) of item_id that are no products."
    )
    non_orders: Pattern | None = Field(
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
    return_prefix: str = Field(default="C", min_length=1, description="The prefix for returns = order_prefix.")


class TreeSettings(_Section):
    """How the trees of a target are grown, where otherwise than by the default recipe (`reprise tune` finds such)."""

    learning_rate: float | None = Field(default=None, gt=0, le=1, description="How much each tree corrects.")
    num_leaves: int | None = Field(default=None, ge=2, le=255, description="Leaves of a tree.")
    min_rows_in_leaf: int | None = Field(default=None, ge=1, description="Customers a leaf holds at least.")
    column_share: float | None = Field(default=None, gt=0, le=1, description="Share of the features a tree may read.")
    row_share: float | None = Field(default=None, gt=0, le=1, description="Share of the rows a tree sees.")
    l2: float | None = Field(default=None, ge=0, description="How strongly leaves are pulled towards 0.")
    rounds: int | None = Field(default=None, ge=10, le=5000, description="At most so many trees.")
    start: Literal["none", "days_since_last_order", "order_days", "order_days_minus_recency", "bg_nbd"] | None = Field(
        default=None, description="The simple rule that trees are grown on top of; none: from nothing."
    )


class TargetSettings(_Section):
    """A question about the future: who is asked about (population) and what may happen (outcome).

    The built-in targets `repurchase`, `churn`, `second_order` and `win_back` may be named with only the keys that
    differ from their defaults.
    """

    population: str | None = Field(default=None, description="A rule over features; the built-in one if absent.")
    outcome: Literal["sale", "no_sale", "act", "no_act", "labels"] | None = Field(
        default=None, description="What counts as y = 1 in the window, or labels: what that table says."
    )
    items: tuple[str, ...] = Field(default=(), description="Only these items count in the outcome.")
    categories: tuple[str, ...] = Field(default=(), description="Only these categories count in the outcome.")
    channels: tuple[str, ...] = Field(default=(), description="Only these channels count in the outcome.")
    min_amount: float = Field(default=0.0, ge=0, description="At least this much in the window counts.")
    horizons: Horizons | None = Field(default=None, description="Days looked ahead; [30, 90] if absent.")
    activity_days: Days | None = Field(default=None, description="The window A of being active; 2 × horizon if absent.")
    trees: TreeSettings | None = Field(
        default=None, description="How its trees are grown; `reprise tune` finds out what helps."
    )


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
    max_customers: int = Field(
        default=100_000, ge=1_000, description="Of more customers a random part is learnt from; all are scored."
    )
    bootstrap_draws: int = Field(default=1000, ge=100, le=10000, description="Resamples behind each interval.")
    min_positives: int = Field(default=50, ge=2, description="A cutoff with fewer positives or negatives is skipped.")
    level: Literal["as_learnt", "forecast"] = Field(
        default="as_learnt", description="forecast: all probabilities are shifted by the drift of past dates."
    )
    use_protected: bool = Field(default=False, description="Let gender and birth year into models.")
    exclude_families: tuple[str, ...] = Field(default=(), description="Feature families that models do not see.")
    tracking_uri: str | None = Field(default=None, description="An MLflow server; sqlite in the workspace if absent.")


class ValueSettings(_Section):
    """What customers will spend, and what keeping one is worth."""

    horizon: Days | None = Field(
        default=None, description="Days ahead of predicted_clv; the longest horizon of repurchase if absent."
    )
    margin: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None,
        description="Share of what is spent that is profit; with the next two, decisions are priced.",
    )
    contact_cost: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="What contacting one customer costs, the offer included, in the currency."
    )
    save_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Share of those contacted who would have stayed away and then buy."
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


class SurveySettings(_Section):
    """How it is known who was asked."""

    campaigns: tuple[str, ...] = Field(
        default=(), description="Campaigns that asked something, such as nps or survey-*; drawn surveys count anyway."
    )


class ServingSettings(_Section):
    """The HTTP service."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; other than this one needs tokens.")
    port: int = Field(default=3000, ge=1, le=65535, description="Port to listen on.")
    stock_file: str | None = Field(
        default=None, description="A file with an item_id column, and quantity: what is not in it is not offered."
    )
    stock_max_age_hours: int = Field(default=24, ge=1, description="An older one counts for nothing.")


class ActivitySettings(_Section):
    """What counts as an act."""

    acts: Literal["sales", "events"] | Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default="sales", description="What counts as an act: sales, events (every event), or a list of event names."
    )


class LifecycleSettings(_Section):
    """When a silent customer counts as gone."""

    lapsed_after_periods: int = Field(
        default=2, ge=1, le=120, description="Silent months (or weeks) after which a customer has lapsed."
    )


class RfmSettings(_Section):
    """From where on recency, frequency and money are high."""

    split: Literal["median", "score"] = Field(
        default="median", description="High: from the cut nearest the median, or (score) a score above the mean score."
    )


class FunnelSettings(_Section):
    """Ordered steps that customers take, and within how many days of the first."""

    steps: Annotated[tuple[str, ...], Field(min_length=2)] = Field(description="event:NAME, page:NAME, order, …")
    window_days: Days = Field(default=30, description="Days from the first step to the last.")


class Settings(_Section):
    """Everything a workspace declares."""

    time_zone: Zone = Field(default="UTC", description="The business time zone: its days, weeks and months count.")
    currency: Currency = Field(default="USD", description="The one currency of all amounts.")
    language: Literal["en", "zh"] = Field(
        default="en", description="In what language reasons and reports are told: en or zh."
    )
    entity: Literal["user", "seller", "device"] = Field(
        default="user", description="Who is scored: user, seller or device; another one rebuilds the store."
    )
    engine: EngineName = Field(
        default="duckdb", description="What counts: duckdb, or Spark at sc://host:15002 or local-cluster[2,1,2048]."
    )
    memory_limit: Memory = Field(default="1GB", description="Memory of the engine; beyond it works on disk.")
    buckets: int = Field(default=16, ge=1, le=1024, description="Parts the store is cut into, by a hash of the entity.")
    preset: PresetName | None = Field(default=None, description="The known shape of file this workspace was made from.")
    tables: dict[TableName, TableSettings] = Field(
        default_factory=dict, json_schema_extra={"propertyNames": TABLE_NAMES}
    )
    activity: ActivitySettings = ActivitySettings()
    lifecycle: LifecycleSettings = LifecycleSettings()
    rfm: RfmSettings = RfmSettings()
    # Left out of dumps where nothing is said, as rules of suggestions are.
    levels: LevelSettings | None = Field(
        default=None, exclude_if=lambda said: said is None, description="Member levels by points."
    )
    stages: dict[LevelName, StageSettings] = Field(default_factory=dict, exclude_if=lambda said: not said)
    targets: dict[Name, TargetSettings] = Field(default_factory=dict)
    training: TrainingSettings = TrainingSettings()
    recommend: RecommendSettings = RecommendSettings()
    # Left out of dumps where nothing is said: names of releases stay as they were.
    value: ValueSettings = Field(default=ValueSettings(), exclude_if=lambda said: said == ValueSettings())
    audiences: dict[Name, AudienceSettings] = Field(default_factory=dict)
    suppression: SuppressionSettings = SuppressionSettings()
    survey: SurveySettings = SurveySettings()
    funnels: dict[Name, FunnelSettings] = Field(default_factory=dict)
    serving: ServingSettings = ServingSettings()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `reprise.toml`, published in docs for editors."""
    return Settings.model_json_schema()


def parse_settings(text: str, file: str = SETTINGS_FILE) -> Settings:
    """Settings from TOML text; `SettingsError` lists every wrong key and value with its line."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(no_toml(file, str(error))) from error
    try:
        # As JSON, because only there strict means: a list is a list, and "2" or true no number.
        settings = Settings.model_validate_json(json.dumps(raw, default=str), strict=True)
    except ValidationError as error:
        told = sentences(text, file, json_schema(), error.errors())
        raise SettingsError("\n".join(told)) from error
    if unread := list(_unread(settings)):
        raise SettingsError("\n".join(sentence(text, file, wrong) for wrong in unread))
    return settings


def _unread(settings: Settings) -> Iterator[Wrong]:
    """What would be read from nowhere: orders of devices, tables without files, columns that no contract has."""
    if settings.entity == "device" and "orders" in settings.tables:
        yield Wrong(("entity",), "device", "user or seller where there are orders: an order names no device")
    for table, told in settings.tables.items():
        yield from _origin(table, told)
        contract = CONTRACTS[table]
        ours = [column.name for column in (*contract.columns, *contract.door)]
        for name in () if contract.open_ended else told.columns:
            if name not in ours:
                yield Wrong.word(("tables", table, "columns", name), name, ours)


def _origin(table: str, told: TableSettings) -> Iterator[Wrong]:
    """What is wrong with where the rows of a table are to come from: files, or one table or query of a database."""
    if told.source is None:
        if not told.files:
            yield Wrong(("tables", table, "files"), [], "a list in [ ] of at least one file")
        for key in ("table", "query", "cursor"):
            if getattr(told, key) is not None:
                yield Wrong(("tables", table, key), getattr(told, key), "something with source only")
        return
    if told.files:
        yield Wrong(("tables", table, "files"), list(told.files), "nothing, where there is a source")
    if problem := address_problem(told.source):
        yield Wrong(("tables", table, "source"), "…", problem)
    if (told.table is None) == (told.query is None):
        yield Wrong(("tables", table, "table"), told.table, "a table or a query, one of the two")


def refuse(root: Path, wrongs: Sequence[Wrong]) -> None:
    """`SettingsError` where there are wrong values that only others than this package can know, told with their lines.

    `root` is the folder of the settings file.
    """
    if not wrongs:
        return
    try:
        text = (root / SETTINGS_FILE).read_text(encoding="utf-8")
    except OSError:
        text = ""
    raise SettingsError("\n".join(sentence(text, SETTINGS_FILE, wrong) for wrong in wrongs))


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
    except OSError as error:
        raise explained(error, path) from error
    return parse_settings(text, path.name)


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
