"""Our trees as a scikit-learn classifier: for notebooks, pipelines and `cross_val_score` on features of one's own."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from models.baselines import Rule
from models.boosting import BoostingSettings, boost
from models.encoding import FeatureSchema
from models.propensity import PropensityModel
from warehouse.errors import DataProblemError


class PropensityClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The default recipe: small trees grown on top of a simple rule, for two classes.

    `X` is a DataFrame of numbers, texts (categories) and missing values, such as `features.build` gives, or a numeric
    array; `y` has two values, the second of which (in order) is the one asked for. `start` names the simple rule under
    the trees; where its columns are not in `X`, or with None, trees grow from nothing. The same rows, settings and
    `seed` give the same model. Probabilities are those of the trees: calibrate on a later date, as `training` does.
    """

    def __init__(
        self,
        rounds: int = 150,
        learning_rate: float = 0.04,
        num_leaves: int = 6,
        min_rows_in_leaf: int = 80,
        column_share: float = 0.3,
        row_share: float = 0.8,
        l2: float = 10.0,
        start: str | None = "order_days_minus_recency",
        horizon_days: int = 30,
        seed: int = 7,
    ) -> None:
        self.rounds = rounds
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_rows_in_leaf = min_rows_in_leaf
        self.column_share = column_share
        self.row_share = row_share
        self.l2 = l2
        self.start = start
        self.horizon_days = horizon_days
        self.seed = seed

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Grows the trees on rows X with labels y."""
        table = self._table(X, reset=True)
        labels = self._labels(y, table.num_rows)
        schema = FeatureSchema.from_table(table)
        start = self._start(table, labels)
        settings = BoostingSettings(
            self.rounds, self.seed, 1, self.learning_rate, self.num_leaves, self.min_rows_in_leaf, self.column_share,
            self.row_share, self.l2,
        )  # fmt: skip
        odds = start.log_odds(table) if start is not None else None
        trees = boost(schema.encode(table), labels, settings, schema.categorical, start=odds)
        self.model_ = PropensityModel(
            "y", self.horizon_days, "notebook", "lightgbm", "order_count_lifetime >= 1", float(labels.mean()),
            schema=schema, trees=trees.text, start=start,
        )  # fmt: skip
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(rows, 2): the probability of each of `classes_`."""
        check_is_fitted(self, "model_")
        p = self.model_.predict(self._table(X, reset=False))
        return np.column_stack([1 - p, p])

    def predict(self, X: Any) -> NDArray[Any]:
        """The likelier class of each row."""
        check_is_fitted(self, "model_")
        return np.asarray(self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(np.intp)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def _table(self, X: Any, reset: bool) -> pa.Table:
        """The rows as a table; names and their number are those of `fit`."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if not len(X) or not X.shape[1]:
                raise DataProblemError(f"{X.shape[0]} rows of {X.shape[1]} features are nothing to learn from.")
            return pa.Table.from_pandas(X, preserve_index=False)
        array = validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")
        array = check_array(array, dtype=np.float64, ensure_all_finite="allow-nan")
        return pa.table({f"x{k}": array[:, k] for k in range(array.shape[1])})

    def _labels(self, y: ArrayLike, rows: int) -> NDArray[np.float64]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        given = column_or_1d(y, warn=True)
        if given.dtype.kind == "f" and not np.isfinite(given).all():
            raise ValueError("Input y contains NaN or infinity.")
        check_classification_targets(given)
        if given.size != rows:
            raise ValueError(f"{given.size} labels for {rows} rows: inconsistent numbers of samples.")
        self.classes_, codes = np.unique(given, return_inverse=True)
        if self.classes_.size > 2:
            kind = type_of_target(given, input_name="y")
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        if self.classes_.size < 2:
            raise ValueError("Labels of one class only: this classifier can't train when only one class is present.")
        return codes.astype(np.float64)

    def _start(self, table: pa.Table, y: NDArray[np.float64]) -> Rule | None:
        if self.start is None:
            return None
        try:
            return Rule.fit(self.start, table, y, self.horizon_days)
        except DataProblemError:
            return None
