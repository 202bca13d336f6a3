import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit, logit

from models.baselines import Rule
from models.boosting import BoostingSettings, boost
from models.calibration import IDENTITY, Calibration
from models.encoding import FeatureSchema
from models.propensity import PropensityModel
from warehouse.errors import DataProblemError, RepriseError


def _table(n: int, seed: int) -> pa.Table:
    generator = np.random.default_rng(seed)
    recency = generator.integers(1, 200, n).astype(float)
    return pa.table(
        {
            "entity_id": [f"u{i}" for i in range(n)],
            "days_since_last_order": recency,
            "order_day_count_lifetime": 1 + generator.poisson(2, n),
            "days_since_first_order": recency + generator.integers(0, 100, n),
            "region": pa.array(generator.choice(["north", "south", None], n)),
            "share": pa.array(np.where(generator.random(n) < 0.2, np.nan, generator.random(n)), from_pandas=True),
        }
    )


def _labels(table: pa.Table) -> np.ndarray:
    odds = table["order_day_count_lifetime"].to_numpy() / 2 - table["days_since_last_order"].to_numpy() / 50
    return (np.random.default_rng(9).random(table.num_rows) < expit(odds)).astype(float)


TABLE = _table(1500, 0)
Y = _labels(TABLE)


def _trees() -> PropensityModel:
    schema = FeatureSchema.from_table(TABLE)
    made = boost(schema.encode(TABLE), Y, BoostingSettings(rounds=30, threads=1), schema.categorical)
    return PropensityModel(
        "repurchase", 30, "v1", "lightgbm", "order_count_lifetime >= 1", float(Y.mean()),
        schema=schema, trees=made.text, calibration=Calibration(0.1, 1.2, 0.9),
    )  # fmt: skip


def _rule() -> PropensityModel:
    rule = Rule.fit("bg_nbd", TABLE, Y, 30)
    return PropensityModel("churn", 30, "v1", "rule", "days_since_last_order <= 60", float(Y.mean()), rule=rule)


MODELS = {"lightgbm": _trees(), "rule": _rule()}
LATER = _table(700, 1)


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> PropensityModel:
    return MODELS[request.param]


def test_a_saved_model_answers_exactly_as_before(model: PropensityModel, tmp_path: Path) -> None:
    model.save(tmp_path / "a")
    model.save(tmp_path / "b")
    restored = PropensityModel.load(tmp_path / "a")
    assert restored == model
    np.testing.assert_array_equal(restored.predict(LATER), model.predict(LATER))
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert written == (["model.json", "model.txt"] if model.kind == "lightgbm" else ["model.json"])
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_row_alone_gets_the_answer_it_gets_among_others(model: PropensityModel) -> None:
    batch = model.predict(LATER)
    assert ((batch > 0) & (batch < 1)).all()
    alone = np.concatenate([model.predict(LATER.slice(i, 1)) for i in range(100)])
    np.testing.assert_allclose(alone, batch[:100], rtol=0, atol=1e-12)
    order = np.random.default_rng(0).permutation(700)
    np.testing.assert_allclose(model.predict(LATER.take(order)), batch[order], rtol=0, atol=1e-12)


def test_order_of_columns_and_columns_unknown_do_not_matter(model: PropensityModel) -> None:
    turned = LATER.select(LATER.column_names[::-1]).append_column("new", pa.array(range(700)))
    np.testing.assert_array_equal(model.predict(turned), model.predict(LATER))
    assert set(model.columns) <= set(LATER.column_names)


def test_nobody_is_no_mistake(model: PropensityModel) -> None:
    nobody = LATER.slice(0, 0)
    assert model.predict(nobody).shape == (0,)
    names, added, start = model.contributions(nobody)
    assert added.shape == (0, len(names))
    assert start.shape == (0,)


def test_contributions_add_up_to_the_log_odds(model: PropensityModel) -> None:
    for asked in (model, replace(model, calibration=IDENTITY)):
        names, added, start = asked.contributions(LATER.slice(0, 200))
        assert added.shape == (200, len(names))
        np.testing.assert_allclose(start + added.sum(axis=1), logit(asked.predict(LATER.slice(0, 200))), atol=1e-9)


def test_contributions_name_what_moves_the_answer() -> None:
    names, added, _ = MODELS["lightgbm"].contributions(LATER)
    assert set(names) == set(TABLE.column_names) - {"entity_id"}
    strength = dict(zip(names, np.abs(added).mean(axis=0), strict=True))
    assert max(strength, key=strength.__getitem__) == "days_since_last_order"
    assert strength["days_since_last_order"] > 5 * strength["region"]
    assert MODELS["rule"].contributions(LATER)[0] == ("bg_nbd",)


def test_many_threads_may_ask_at_once() -> None:
    model = MODELS["lightgbm"]
    batch = model.predict(LATER)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: model.predict(LATER.slice(i, 1))[0], range(300)))
    np.testing.assert_array_equal(answers, batch[:300])


def test_unseen_categories_are_missing_and_wrong_kinds_are_refused() -> None:
    model = MODELS["lightgbm"]
    position = LATER.column_names.index("region")
    unseen = LATER.set_column(position, "region", pa.array(["west"] * 700))
    np.testing.assert_array_equal(model.predict(unseen), model.predict(LATER.drop_columns("region")))
    with pytest.raises(DataProblemError, match="region"):
        model.predict(LATER.set_column(position, "region", pa.array([1.0] * 700)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.txt").write_text((folder / "model.txt").read_text()[:-400]),
        lambda folder: (folder / "model.txt").write_text((folder / "model.txt").read_text().replace("3", "4", 1)),
        lambda folder: (folder / "model.txt").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "model.txt").unlink(),
        lambda folder: (folder / "model.json").unlink(),
        lambda folder: (folder / "model.json").write_text("{"),
        lambda folder: (folder / "model.json").write_text("[]"),
        lambda folder: _edit(folder, "format", 99),
        lambda folder: _edit(folder, "kind", "pickle"),
        lambda folder: _edit(folder, "base_rate", 2),
        lambda folder: _edit(folder, "calibration", {"method": "beta", "shift": 0, "low": 0, "high": 1}),
        lambda folder: _edit(folder, "schema", {"names": ["share"], "categories": {}}),
        lambda folder: _edit(folder, "schema", None),
    ],
)
def test_a_damaged_model_is_refused_before_its_trees_are_read(damage, tmp_path: Path) -> None:
    MODELS["lightgbm"].save(tmp_path)
    damage(tmp_path)
    with pytest.raises(RepriseError):
        PropensityModel.load(tmp_path)


def _edit(folder: Path, key: str, value: object) -> None:
    document = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**document, key: value}))


def test_half_a_model_is_refused() -> None:
    with pytest.raises(RepriseError, match="not whole"):
        PropensityModel("churn", 30, "v1", "lightgbm", "", 0.5)
    with pytest.raises(RepriseError, match="not whole"):
        replace(MODELS["rule"], base_rate=1.5)
