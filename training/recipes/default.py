"""The recipe every model is made by unless another is named. How its numbers were chosen: docs/decisions.md.

A few thousand customers and noisy labels: small trees, grown on top of the simple rule that ranks best, so that what
is known (who bought often and lately buys again) need not be learnt, and holds beyond the training range.
"""

from models.boosting import BoostingSettings

DEFAULT_START = "order_days_minus_recency"
DEFAULT_TREES = BoostingSettings(learning_rate=0.04, num_leaves=6, min_rows_in_leaf=80, column_share=0.3, l2=10.0)
