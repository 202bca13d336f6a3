"""The release: an immutable folder that holds all that is served, checked before anything in it is parsed.

manifest.json       size and SHA-256 of every other file, and the exact list of them
manifest.hmac       HMAC-SHA256 of the manifest, where a key is set
release.json        id, as_of, settings, rule fields, what is absent and why, model cards
models/<target>_<horizon>d/   a model as text and JSON, or complement.json
golden.parquet      feature rows with the probability every model must give them
features.parquet, scores.parquet, suggestions.parquet, similar_items.parquet, popular.parquet
tables/<name>.parquet         other tables of the store as known at as_of
populations/<name>.parquet    what features take from the whole population
recommender.npz     factors or item neighbours, plain arrays
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.own import NOTHING, Own
from features.rules import Field
from features.source import FramesSource, versions
from models.propensity import PropensityModel
from models.recommenders.baskets import Completer
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import read_arrays, texts_from_arrays, write_arrays
from models.recommenders.purchase_probability import PurchaseProbability
from models.recommenders.takers import Takers
from serving.canary import try_in_subprocess
from serving.columns import TEXTS_OF_SCORES, Columns, SortedRows, sorted_table
from serving.complements import Complement, Key, Model, base_models
from serving.manifest import ReleaseError, check_files, write_manifest
from serving.schemas import DUE_ITEMS, EXPLORED, LAST_USES, POPULAR, SCORES, SIMILAR_ITEMS, SUGGESTIONS
from serving.shelf import item_ids, not_for_sale
from serving.standing import STANDING
from warehouse.errors import RepriseError
from warehouse.files import atomic_directory
from warehouse.settings import Settings
from warehouse.streamed import Streamed, Tables, read, row_groups, write_parquet

GOLDEN_ROWS = 64
GOLDEN_TOLERANCE = 1e-12
ANSWERED = ("due_items", "last_uses", *STANDING)
"""Tables that answer and are not scored with: who needs all of one reads it then."""
_OFFERED = ("user_id", "item_id", "probability", "strength", "source", "reason")
"""What is held of a suggestion; the rest is the same in all rows, or follows from these (`fallbacks`)."""
_NO_TABLES: Mapping[str, pa.Table] = {}


@dataclass(frozen=True)
class ReleaseContents:
    """Everything that goes into a release.

    `models` are in declared order: the first horizon of a target is the one with bare names in wide form.
    `features` has one row per user sorted by `entity_id`; `scores` is what `scoring.score` gave for it; `suggestions`,
    `similar_items` and `popular` follow `serving.schemas`, best first. What grows with the users may be streamed.
    `tables` are in store schema as known at `as_of`; `populations` are the tables features take from the whole
    population; `own` are the features of the workspace's own, whose tables are among `tables`. `recommender` is (name,
    arrays).
    `cards` are keyed `target_30d` or `recommend`. `previous` names the release before this one; `accepted_drift` says
    what was surprising beside it, and why it was published all the same; `notes` are sentences to know before use;
    `suggestion_rules`: `taken`, what each rule of suggestions took away; `ruled_out`, the items that none may offer.
    """

    release: str
    as_of: date
    settings: Settings
    models: Mapping[Key, Model]
    features: pa.Table | Streamed
    scores: pa.Table | Streamed
    suggestions: pa.Table | Streamed | None = None
    similar_items: pa.Table | None = None
    popular: pa.Table | None = None
    recommender: tuple[str, Mapping[str, np.ndarray]] | None = None
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    populations: Mapping[str, pa.Table] = field(default_factory=dict)
    own: Own = NOTHING
    fields: Sequence[Field] = ()
    absent: Sequence[Mapping[str, str]] = ()
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    previous: str | None = None
    accepted_drift: Sequence[str] = ()
    notes: Sequence[str] = ()
    suggestion_rules: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Release:
    """An opened release. Small things are in memory; features are read from the folder when asked for.

    `items` are all it knows of: of its items table, and all that were ever sold. `not_for_sale` may not be offered.
    """

    directory: Path
    id: str
    as_of: date
    settings: Settings
    models: Mapping[Key, Model]
    scores: Columns
    suggestions: SortedRows
    similar_items: SortedRows
    due: SortedRows
    last_uses: SortedRows
    standing: Mapping[str, SortedRows]
    popular: tuple[tuple[str, float | None], ...]
    recommender: str | None
    tables: Mapping[str, pa.Table]
    populations: Mapping[str, pa.Table]
    own: Own
    fields: tuple[Field, ...]
    items: frozenset[str]
    not_for_sale: frozenset[str]
    absent: tuple[Mapping[str, str], ...]
    cards: Mapping[str, Mapping[str, Any]]
    previous: str | None
    accepted_drift: tuple[str, ...]
    notes: tuple[str, ...]
    suggestion_rules: tuple[Mapping[str, Any], ...] = ()

    def features(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The feature table, or only some of its columns: one row per user, sorted by `entity_id`."""
        return read(self.directory / "features.parquet", columns)

    def features_of(self, user_id: str) -> pa.Table:
        """The feature row of one user; no row for an unknown one."""
        with pq.ParquetFile(self.directory / "features.parquet") as file:
            ids = file.schema_arrow.get_field_index("entity_id")
            groups = [k for k in range(file.num_row_groups) if _may_hold(file.metadata.row_group(k), ids, user_id)]
            return file.read_row_groups(groups).filter(pc.field("entity_id") == user_id)

    def golden(self) -> pa.Table:
        """The golden rows: some users' features, with the probability each model gave them when released."""
        return read(self.directory / "golden.parquet")

    def recommender_arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the recommender; none where there is no recommender."""
        return read_arrays(self.directory / "recommender.npz") if self.recommender else {}

    @cached_property
    def takers(self) -> Takers:
        """Finds customers for items, from everybody's sales; read when first asked for, and then held."""
        arrays = self.recommender_arrays()
        return Takers(Interactions.from_arrays(arrays), PurchaseProbability.from_arrays(arrays))

    @cached_property
    def baskets(self) -> Completer:
        """Completes baskets, from the same sales; made when first asked for, and then held."""
        return Completer(self.takers.held)

    @cached_property
    def item_names(self) -> Mapping[str, str]:
        """The names of items by id, of those that have one, as known at `as_of`."""
        return self._of_items("name")

    @cached_property
    def item_kinds(self) -> Mapping[str, Mapping[str, str]]:
        """`category` and `brand` of items by id, of those that have one."""
        return {name: self._of_items(name) for name in ("category", "brand")}

    def _of_items(self, column: str) -> dict[str, str]:
        items = self.items_known
        if items is None or column not in items.column_names:
            return {}
        pairs = zip(items["item_id"].to_pylist(), items[column].to_pylist(), strict=True)
        return {item: value for item, value in pairs if value}

    @cached_property
    def items_known(self) -> pa.Table | None:
        """The items as known at `as_of`, one row each; None without a table of them."""
        if "items" not in self.tables:
            return None
        static = frozenset(name for name, table in self.settings.tables.items() if table.static)
        source = FramesSource({"items": self.tables["items"]}, time_zone=self.settings.time_zone, static=static)
        return versions(source, "items", self.as_of)


def model_folder(key: Key) -> str:
    """The folder of a model inside a release: `repurchase_30d`."""
    return f"{key[0]}_{key[1]}d"


def write_release(directory: Path, contents: ReleaseContents, key: bytes | None = None) -> None:
    """Writes the release to `directory`, whole or not at all; it must not exist. With a key the manifest is signed."""
    if directory.exists():
        raise ReleaseError(f"The release {directory.name} is already there.", hint="A release is never changed.")
    with atomic_directory(directory) as folder:
        write_models(folder, contents.models)
        _write_tables(folder, contents)
        if contents.recommender:
            write_arrays(folder / "recommender.npz", contents.recommender[1])
        _write_json(folder / "release.json", _described(contents))
        write_manifest(folder, contents.release, contents.as_of, key)


def open_release(directory: Path, key: bytes | None = None, canary: bool = True) -> Release:
    """The release in `directory`; `ReleaseError` where it is damaged, incomplete or unsigned.

    Every byte is hashed first; then a process of its own loads the models (a damaged LightGBM text kills the process
    that reads it); only then this one does. Whoever has just written the release may leave the canary out.
    """
    check_files(directory, key)
    if canary:
        try_in_subprocess(directory)
    try:
        return _opened(directory)
    except ReleaseError:
        raise
    except RepriseError as error:
        raise ReleaseError(f"The release {directory.name} cannot be read: {error.message}", hint=error.hint) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        raise ReleaseError(
            f"The release {directory.name} cannot be read ({type(error).__name__}).", hint="Make it anew."
        ) from error


def load_models(directory: Path) -> dict[Key, Model]:
    """The models of a release folder; complements are tied to the models they complement."""
    loaded: dict[Key, PropensityModel] = {}
    complements: dict[Key, dict[str, Any]] = {}
    for folder in sorted((directory / "models").iterdir()):
        described = folder / "complement.json"
        if described.exists():
            told = json.loads(described.read_text(encoding="utf-8"))
            complements[(told["target"], told["horizon_days"])] = told
        else:
            model = PropensityModel.load(folder)
            loaded[(model.target, model.horizon_days)] = model
    tied = {
        key: Complement(key[0], told["population"], told["base_rate"], loaded[(told["of_target"], key[1])])
        for key, told in complements.items()
    }
    return {**loaded, **tied}


def check_golden(models: Mapping[Key, Model], golden: pa.Table) -> None:
    """Raises `ReleaseError` where a model does not give the golden rows the probabilities it gave when released."""
    for key, model in base_models(models).items():
        wanted = golden.column(_golden_column(key)).to_numpy()
        found = model.predict(golden)
        if not np.allclose(found, wanted, rtol=0, atol=GOLDEN_TOLERANCE):
            raise ReleaseError(f"The model {model_folder(key)} does not give its golden rows their probabilities.")


def _may_hold(group: pq.RowGroupMetaData, column: int, value: str) -> bool:
    """Whether a value can be in a row group, by the group's own statistics."""
    told = group.column(column).statistics
    return told is None or not told.has_min_max or told.min <= value <= told.max


def _golden_column(key: Key) -> str:
    return f"golden {model_folder(key)}"


def _golden(features: Path, models: Mapping[Key, Model]) -> pa.Table:
    """Feature rows spread evenly over the users, with each model's probability beside them."""
    picked, first = [], 0
    with pq.ParquetFile(features) as file:
        rows = file.metadata.num_rows
        wanted = np.unique(np.linspace(0, max(rows - 1, 0), min(rows, GOLDEN_ROWS)).astype(np.int64))
    for group in row_groups(features):
        here = wanted[(wanted >= first) & (wanted < first + group.num_rows)] - first
        picked.append(group.take(pa.array(here)))
        first += group.num_rows
    golden = pa.concat_tables(picked) if picked else pq.read_schema(features).empty_table()
    for key, model in base_models(models).items():
        golden = golden.append_column(_golden_column(key), pa.array(model.predict(golden), pa.float64()))
    return golden


def write_models(folder: Path, models: Mapping[Key, Model]) -> None:
    """Writes the models of a release below its folder, as `load_models` reads them."""
    (folder / "models").mkdir()
    for key, model in models.items():
        place = folder / "models" / model_folder(key)
        if isinstance(model, Complement):
            place.mkdir()
            told = {
                "target": model.target,
                "horizon_days": model.horizon_days,
                "of_target": model.of.target,
                "population": model.population,
                "base_rate": model.base_rate,
            }
            _write_json(place / "complement.json", told)
        else:
            model.save(place)


def _write_tables(folder: Path, contents: ReleaseContents) -> None:
    """Every table of the release, those of published schemas cast to them."""
    write_parquet(contents.features, folder / "features.parquet")
    write_parquet(_golden(folder / "features.parquet", contents.models), folder / "golden.parquet")
    write_parquet(contents.scores, folder / "scores.parquet", SCORES)
    offered = {
        "suggestions": (contents.suggestions, EXPLORED if contents.settings.recommend.explore else SUGGESTIONS),
        "similar_items": (contents.similar_items, SIMILAR_ITEMS),
        "popular": (contents.popular, POPULAR),
    }
    for name, (table, schema) in offered.items():
        write_parquet(schema.empty_table() if table is None else table, folder / f"{name}.parquet", schema)
    for place, tables in (("tables", contents.tables), ("populations", contents.populations)):
        for name, table in tables.items():
            (folder / place).mkdir(exist_ok=True)
            write_parquet(table, folder / place / f"{name}.parquet")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")


def _served_settings(settings: Settings) -> dict[str, Any]:
    """The settings an answer depends on; nothing about where files lie or who may ask."""
    named = ("time_zone", "currency", "language", "entity", "activity", "lifecycle", "rfm", "tables", "suppression")
    told = settings.model_dump(
        mode="json", include={**dict.fromkeys(named, True), "recommend": {"horizon", "rules", "explore"}}
    )
    for table in told["tables"].values():
        table["files"] = []
    return told


def _described(contents: ReleaseContents) -> dict[str, Any]:
    return {
        "release": contents.release,
        "as_of": contents.as_of.isoformat(),
        "settings": _served_settings(contents.settings),
        "own": contents.own.to_json(),
        "models": [[target, horizon] for target, horizon in contents.models],
        "recommender": contents.recommender[0] if contents.recommender else None,
        "fields": [asdict(field) for field in contents.fields],
        "absent": [dict(each) for each in contents.absent],
        "cards": {name: dict(card) for name, card in contents.cards.items()},
        "previous": contents.previous,
        "accepted_drift": list(contents.accepted_drift),
        "notes": list(contents.notes),
        **({"suggestion_rules": dict(contents.suggestion_rules)} if contents.suggestion_rules else {}),
    }


def _opened(directory: Path) -> Release:
    told = json.loads((directory / "release.json").read_text(encoding="utf-8"))
    arrays = read_arrays(directory / "recommender.npz") if told["recommender"] else {}
    as_of, settings = date.fromisoformat(told["as_of"]), Settings.model_validate(told["settings"])
    tables = Tables(directory / "tables", ANSWERED)
    models, declared = load_models(directory), [(target, horizon) for target, horizon in told["models"]]
    ruled = told.get("suggestion_rules", {})
    scores = row_groups(directory / "scores.parquet", as_codes=TEXTS_OF_SCORES)
    users = read(directory / "features.parquet", ["entity_id"])["entity_id"]
    popular = read(directory / "popular.parquet").cast(POPULAR)
    offered = (*_OFFERED, "propensity") if settings.recommend.explore else _OFFERED
    suggestions = SortedRows.read("user_id", directory / "suggestions.parquet", EXPLORED, offered)
    similar = SortedRows.read("item_id", directory / "similar_items.parquet", SIMILAR_ITEMS)
    return Release(
        directory=directory,
        id=told["release"],
        as_of=as_of,
        settings=settings,
        models={key: models[key] for key in declared},
        scores=Columns.from_long(users, scores, declared),
        suggestions=suggestions,
        similar_items=similar,
        due=sorted_table(directory, "due_items", DUE_ITEMS),
        last_uses=sorted_table(directory, "last_uses", LAST_USES),
        standing={name: sorted_table(directory, name, STANDING[name]) for name in STANDING if name in tables},
        popular=tuple(zip(*(popular[name].to_pylist() for name in POPULAR.names), strict=True)),
        recommender=told["recommender"],
        tables=tables,
        populations=Tables(directory / "populations"),
        own=Own.from_json(told["own"]) if "own" in told else NOTHING,
        fields=tuple(
            Field(f["name"], f["kind"], tuple(f["values"]), tuple(f.get("names", ()))) for f in told["fields"]
        ),
        items=item_ids(
            [
                suggestions.values("item_id"),
                similar.values("item_id"),
                similar.values("similar_item_id"),
                popular["item_id"],
                *([tables["items"]["item_id"]] if "items" in tables else []),
                *([texts_from_arrays(arrays, "items_")] if arrays else []),
            ]
        ),
        not_for_sale=not_for_sale(tables.get("items"), as_of, settings.time_zone).union(ruled.get("ruled_out", ())),
        absent=tuple(told["absent"]),
        cards=told["cards"],
        previous=told["previous"],
        accepted_drift=tuple(told.get("accepted_drift", ())),
        notes=tuple(told.get("notes", ())),
        suggestion_rules=tuple(ruled.get("taken", ())),
    )
