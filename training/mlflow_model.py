"""How `mlflow.pyfunc.load_model` opens one of our models, for notebooks: text and JSON only. Serving never does."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from models.propensity import PropensityModel


class PropensityForMlflow:
    """`predict(features)` with a DataFrame of `features.build` gives a probability for each of its rows."""

    def __init__(self, model: PropensityModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame) -> pd.Series:
        """Calibrated probabilities, with the index of the input."""
        table = pa.Table.from_pandas(model_input, preserve_index=False)
        return pd.Series(self.model.predict(table), index=model_input.index, name=f"{self.model.target}_probability")


def _load_pyfunc(path: str) -> PropensityForMlflow:
    """Called by MLflow, which found the name of this module in `MLmodel`."""
    return PropensityForMlflow(PropensityModel.load(Path(path)))
