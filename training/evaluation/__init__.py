"""How good a model is: pure functions of labels and predictions, with intervals."""
