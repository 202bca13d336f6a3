"""Our classifier keeps scikit-learn's habits, and is the same trees that training grows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

from models.estimators import PropensityClassifier
from models.propensity import PropensityModel

SMALL = {"rounds": 10, "min_rows_in_leaf": 5}


def frame(rows=300, seed=3):
    generator = np.random.default_rng(seed)
    days = generator.integers(1, 20, rows).astype(float)
    return pd.DataFrame(
        {
            "days_since_last_order": generator.integers(0, 200, rows).astype(float),
            "order_day_count_lifetime": days,
            "days_since_first_order": 250.0,
            "region": generator.choice(["north", "south"], rows),
            "mine": np.where(generator.random(rows) < 0.1, np.nan, generator.normal(size=rows)),
        }
    ), (generator.random(rows) < days / 25).astype(int)


def _checks():
    made = PropensityClassifier(rounds=10, min_rows_in_leaf=1, column_share=1.0, start=None)
    return [pytest.param(e, c, id=c.func.__name__) for e, c in estimator_checks_generator(made)]


@pytest.mark.parametrize(("estimator", "check"), _checks())
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_clone_parameters_and_names():
    X, y = frame()
    made = PropensityClassifier(**SMALL)
    assert clone(made).get_params() == made.get_params()
    assert made.set_params(num_leaves=3).get_params()["num_leaves"] == 3
    made.fit(X, y)
    assert made.feature_names_in_.tolist() == list(X.columns)
    assert made.n_features_in_ == 5
    with pytest.raises(ValueError, match="feature names"):
        made.predict(X[["mine"]])


def test_it_is_the_model_of_training_and_can_be_kept(tmp_path):
    X, y = frame()
    made = PropensityClassifier(**SMALL).fit(X, y)
    assert made.model_.start is not None
    made.model_.save(tmp_path)
    import pyarrow as pa

    table = pa.Table.from_pandas(X, preserve_index=False)
    assert PropensityModel.load(tmp_path).predict(table) == pytest.approx(made.predict_proba(X)[:, 1], abs=0)


def test_classes_may_have_any_names():
    X, y = frame()
    made = PropensityClassifier(**SMALL).fit(X, np.array(["stays", "buys"])[y])
    assert made.classes_.tolist() == ["buys", "stays"]
    assert set(made.predict(X)) <= {"buys", "stays"}


def test_a_grid_search_runs():
    X, y = frame()
    found = GridSearchCV(PropensityClassifier(**SMALL), {"num_leaves": [2, 4]}, cv=2, scoring="roc_auc").fit(X, y)
    assert found.best_params_["num_leaves"] in (2, 4)
