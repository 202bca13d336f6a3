"""Splits of time for scikit-learn: a fit sees only rows whose labels had ended when the judged date began."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from warehouse.errors import DataProblemError, UsageError


class AsOfSplit:
    """For `cross_val_score(…, cv=AsOfSplit(horizon_days=30), groups=as_of)`, where `as_of` dates each row.

    Each split judges the rows of one date, and trains on those of every date at least `horizon_days` earlier: the
    outcome of a training row lies in `[as_of, as_of + horizon_days)` and has ended. The latest `n_splits` dates that
    have anything to train on are judged, earliest first.
    """

    def __init__(self, horizon_days: int = 30, n_splits: int = 3) -> None:
        if horizon_days < 1 or n_splits < 1:
            raise UsageError("A split needs a horizon of at least 1 day and at least 1 date to judge.")
        self.horizon_days = horizon_days
        self.n_splits = n_splits

    def split(
        self, X: Any, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """(rows to train on, rows to judge) of each split; `groups` holds the date of every row."""
        dates = self._dates(groups)
        for day in self._judged(dates):
            yield np.flatnonzero(dates <= day - timedelta(days=self.horizon_days)), np.flatnonzero(dates == day)

    def get_n_splits(self, X: Any = None, y: ArrayLike | None = None, groups: ArrayLike | None = None) -> int:
        """How many splits there are: `n_splits`, or fewer where there are not so many dates in `groups`."""
        return self.n_splits if groups is None else len(self._judged(self._dates(groups)))

    def _judged(self, dates: pd.DatetimeIndex) -> list[pd.Timestamp]:
        different = sorted(dates.unique())
        judged = [day for day in different if different[0] <= day - timedelta(days=self.horizon_days)][-self.n_splits :]
        if not judged:
            raise DataProblemError(
                f"No date lies {self.horizon_days} days after another: nothing can be trained before it is judged.",
                hint="Give rows of more dates, or a shorter horizon_days.",
            )
        return judged

    def _dates(self, groups: ArrayLike | None) -> pd.DatetimeIndex:
        if groups is None:
            raise UsageError("AsOfSplit needs the date of every row.", hint="Pass groups=as_of.")
        return pd.DatetimeIndex(pd.to_datetime(np.asarray(groups)))
