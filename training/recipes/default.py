"""The recipe every model is made by unless another is named. How its numbers were chosen: docs/decisions.md."""

from models.boosting import BoostingSettings

DEFAULT_TREES = BoostingSettings()
