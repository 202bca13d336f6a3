"""The factors of alternating least squares fitted by Spark ML, given to the recommender that serves any factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.recommenders.als import ALS
from models.recommenders.interactions import Interactions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def fit_als(session: SparkSession, model: ALS, interactions: Interactions) -> ALS:
    """The recommender `als` given, with item factors of Spark ML: its confidences, alpha, factors, iterations.

    Spark multiplies its regularization by the number of pairs of each item; ours is the same for all, so Spark is given
    the one that an item with the mean number of pairs feels as ours. Customers are solved from their history as ever.
    """
    taste = interactions.everybody().taste().tocoo()
    if not taste.nnz:
        return model.take(interactions, np.zeros((interactions.shape[1], model.factors)))
    from pyspark.ml import recommendation as spark_ml

    pairs = pa.table(
        {
            "customer": pa.array(taste.row, pa.int32()),
            "item": pa.array(taste.col, pa.int32()),
            "taste": pa.array(taste.data, pa.float32()),
        }
    )
    fitted = spark_ml.ALS(
        userCol="customer",
        itemCol="item",
        ratingCol="taste",
        implicitPrefs=True,
        rank=model.factors,
        maxIter=model.iterations,
        alpha=model.alpha,
        regParam=model.regularization * len(np.unique(taste.col)) / taste.nnz,
        seed=model.seed,
    ).fit(session.createDataFrame(pairs))
    return model.take(interactions, _array(fitted.itemFactors.toArrow(), interactions.shape[1], model.factors))


def _array(factors: pa.Table, items: int, width: int) -> npt.NDArray[np.float64]:
    """A row for each item, zeros where nobody bought it."""
    held = np.zeros((items, width))
    held[factors["id"].to_numpy()] = np.asarray(factors["features"].to_pylist(), dtype=np.float64)
    return held
