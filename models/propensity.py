"""A propensity model: who will do it within the horizon, and how likely."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.baselines import Rule
from models.boosting import parse, raw_contributions, raw_scores
from models.calibration import IDENTITY, Calibration
from models.encoding import FeatureSchema
from warehouse.errors import RepriseError
from warehouse.files import write_text

if TYPE_CHECKING:
    import lightgbm

MODEL_FILE = "model.json"
TREES_FILE = "model.txt"
_FORMAT = 1

Part = TypeVar("Part")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PropensityModel:
    """A fitted model of one (target, horizon); it never changes, and many threads may use it at once.

    `kind` is "lightgbm" (needs `schema` and `trees`, LightGBM's text) or "rule" (needs `rule`). Trees may be grown on
    top of a simple rule, `start`, whose log-odds are added to theirs. `population` is the
    text of the rule that says whom the model is about. `base_rate` is the share of y = 1 in training.
    """

    target: str
    horizon_days: int
    version: str
    kind: Literal["lightgbm", "rule"]
    population: str
    base_rate: float
    schema: FeatureSchema | None = None
    trees: str | None = None
    rule: Rule | None = None
    start: Rule | None = None
    calibration: Calibration = IDENTITY
    _booster: lightgbm.Booster | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        complete = self.rule is not None if self.kind == "rule" else self.schema is not None and self.trees is not None
        if self.kind not in ("lightgbm", "rule") or not complete or not 0 <= self.base_rate <= 1:
            raise RepriseError(
                f"The model of {self.target} is not whole: kind {self.kind}, base rate {self.base_rate}.",
                hint='A "lightgbm" has a schema and trees, a "rule" has a rule; a base rate lies in 0 … 1.',
            )
        if self.trees is not None:
            object.__setattr__(self, "_booster", parse(self.trees))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the model reads; an absent one counts as missing."""
        if self.schema is None:
            return self.rule.columns if self.rule is not None else ()
        started = self.start.columns if self.start is not None else ()
        return (*self.schema.names, *(name for name in started if name not in self.schema.names))

    @property
    def needed(self) -> tuple[str, ...]:
        """Those of `columns` that an answer can depend on: a tree model may read more than it splits by."""
        if self.schema is None or self._booster is None:
            return self.columns
        splits = dict(zip(self.schema.names, self._booster.feature_importance("split"), strict=True))
        started = self.start.columns if self.start is not None else ()
        return tuple(name for name in self.columns if splits.get(name, 0) > 0 or name in started)

    def predict(self, table: pa.Table) -> Floats:
        """Probability of the outcome, above 0 and below 1, for every row of `table`, in its order.

        A row's answer does not depend on the rows beside it. Raises `DataProblemError` where a column is of
        another kind than in training.
        """
        return self.calibration.apply(self._raw(table))

    def contributions(self, table: pa.Table) -> tuple[tuple[str, ...], Floats, Floats]:
        """What each feature adds to the log-odds: (names, array rows × names, what every row starts from).

        Start plus contributions are the log-odds of `predict`: the calibration map is shared out in proportion. A
        rule has one contribution, under its own name. Slow (hundreds of rows a second).
        """
        names, raw, start = self._raw_contributions(table)
        total = raw.sum(axis=1)
        mapped_start = self.calibration.log_odds(start)
        moved = self.calibration.log_odds(start + total) - mapped_start
        with np.errstate(divide="ignore", invalid="ignore"):
            stretch = np.where(np.abs(total) > 1e-9, moved / total, self.calibration.slope(start))
        return names, raw * stretch[:, None], mapped_start

    def _raw(self, table: pa.Table) -> Floats:
        if self.rule is not None:
            return self.rule.log_odds(table)
        booster, schema = self._tree_parts()
        raw = raw_scores(booster, schema.encode(table))
        return raw if self.start is None else raw + self.start.log_odds(table)

    def _raw_contributions(self, table: pa.Table) -> tuple[tuple[str, ...], Floats, Floats]:
        if self.rule is not None:
            center = float(self.rule.logistic.log_odds(np.array([self.rule.logistic.center]))[0])
            start = np.full(table.num_rows, center)
            return (self.rule.name,), (self.rule.log_odds(table) - start)[:, None], start
        booster, schema = self._tree_parts()
        names = self.columns
        if table.num_rows == 0:
            return names, np.zeros((0, len(names))), np.zeros(0)
        found = raw_contributions(booster, schema.encode(table))
        amounts, start = np.zeros((table.num_rows, len(names))), found[:, -1]
        amounts[:, : len(schema.names)] = found[:, :-1]
        if self.start is not None:
            shares, center = self.start.contributions(table)
            for name, share in shares.items():
                amounts[:, names.index(name)] += share
            start = start + center
        return names, amounts, start

    def _tree_parts(self) -> tuple[lightgbm.Booster, FeatureSchema]:
        if self._booster is None or self.schema is None:
            raise RepriseError(f"The model of {self.target} has no trees.")
        return self._booster, self.schema

    def save(self, directory: Path) -> None:
        """Writes `model.json` and, for trees, `model.txt`; the same model always gives the same bytes."""
        directory.mkdir(parents=True, exist_ok=True)
        document = {
            "format": _FORMAT,
            "target": self.target,
            "horizon_days": self.horizon_days,
            "version": self.version,
            "kind": self.kind,
            "population": self.population,
            "base_rate": self.base_rate,
            "calibration": self.calibration.to_json(),
            "schema": self.schema.to_json() if self.schema is not None else None,
            "schema_sha256": self.schema.fingerprint if self.schema is not None else None,
            "rule": self.rule.to_json() if self.rule is not None else None,
            "start": self.start.to_json() if self.start is not None else None,
            "trees_sha256": _sha256(self.trees) if self.trees is not None else None,
        }
        if self.trees is not None:
            write_text(directory / TREES_FILE, self.trees)
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
        write_text(directory / MODEL_FILE, text + "\n")

    @classmethod
    def load(cls, directory: Path) -> PropensityModel:
        """The model that `save` wrote.

        Raises `RepriseError` where a file is absent or damaged: the trees' hash is checked before LightGBM reads
        them, because damaged trees can end the process.
        """
        try:
            return cls._read(directory)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(directory, f"{type(error).__name__}: {error}") from error

    @classmethod
    def _read(cls, directory: Path) -> PropensityModel:
        document = json.loads((directory / MODEL_FILE).read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            raise _damaged(directory, f"it has format {document['format']}; this version reads {_FORMAT}")
        trees = None
        if document["trees_sha256"] is not None:
            trees = (directory / TREES_FILE).read_bytes().decode("utf-8")
            if _sha256(trees) != document["trees_sha256"]:
                raise _damaged(directory, f"{TREES_FILE} is not the file that was written")
        schema = _part(document["schema"], FeatureSchema.from_json)
        if schema is not None and schema.fingerprint != document["schema_sha256"]:
            raise _damaged(directory, "the feature schema is not the one that was written")
        return cls(
            target=str(document["target"]),
            horizon_days=int(document["horizon_days"]),
            version=str(document["version"]),
            kind=document["kind"],
            population=str(document["population"]),
            base_rate=float(document["base_rate"]),
            schema=schema,
            trees=trees,
            rule=_part(document["rule"], Rule.from_json),
            start=_part(document.get("start"), Rule.from_json),
            calibration=Calibration.from_json(document["calibration"]),
        )


def _part(document: Mapping[str, Any] | None, make: Callable[[Mapping[str, Any]], Part]) -> Part | None:
    return None if document is None else make(document)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _damaged(directory: Path, what: str) -> RepriseError:
    return RepriseError(
        f"The model in {directory.name} cannot be read: {what}.", hint="Train again, or roll back to an earlier model."
    )
