"""What converts, and that it predicts the same, on real bike hire with text and holes put in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import mainspring
from mainspring.engines.onnx.onnxruntime_cpu import open_engine
from mainspring.registry.converters.contract import NotConvertible
from mainspring.registry.converters.sklearn import converter
from mainspring.training.definitions import Classifier, Regressor, feature_matrix

NUMBERS = ("hr", "temp", "atemp", "hum", "windspeed")
MIXED = ("weather", *NUMBERS)


def _rows() -> pa.Table:
    table = pyarrow.csv.read_csv(Path(mainspring.__file__).parent / "demo/data/bike_sharing/hour.csv").slice(0, 3000)
    weather = np.array(["clear", "mist", "rain", "storm"])[table["weathersit"].to_numpy() - 1]
    busy = np.where(table["cnt"].to_numpy() > 100, "busy", "calm")
    return table.append_column("weather", pa.array(weather)).append_column("busy", pa.array(busy))


def _with_holes(rows: pa.Table) -> pa.Table:
    rng = np.random.default_rng(0)
    for name in ("temp", "hum", "weather"):
        at = rows.column_names.index(name)
        holes = pa.array(rng.random(len(rows)) < 0.1)
        rows = rows.set_column(at, name, pa.compute.if_else(holes, pa.scalar(None, rows[name].type), rows[name]))
    return rows


WHOLE = _rows()
HOLED = _with_holes(WHOLE)
ENCODED = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), [0]),
    (StandardScaler(), [1, 2]),
    remainder="passthrough",
    sparse_threshold=0,
)
ORDINAL = make_column_transformer(
    (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [0]), remainder="passthrough"
)
FILLED = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), [0]),
    (make_pipeline(SimpleImputer(), StandardScaler()), [1, 2, 3, 4, 5]),
)
CASES: dict[str, tuple[Any, Any, tuple[str, ...], pa.Table]] = {
    "histogram boosting": (Regressor, HistGradientBoostingRegressor(max_iter=30), NUMBERS, HOLED),
    "histogram boosting of counts": (
        Regressor,
        HistGradientBoostingRegressor(loss="poisson", max_iter=30),
        NUMBERS,
        WHOLE,
    ),
    "histogram boosting of classes": (Classifier, HistGradientBoostingClassifier(max_iter=30), NUMBERS, HOLED),
    "random forest": (Regressor, RandomForestRegressor(10, random_state=0), NUMBERS, HOLED),
    "random forest of classes": (Classifier, RandomForestClassifier(10, random_state=0), NUMBERS, HOLED),
    "extra trees": (Regressor, ExtraTreesRegressor(10, random_state=0), NUMBERS, WHOLE),
    "gradient boosting": (Regressor, GradientBoostingRegressor(n_estimators=20), NUMBERS, WHOLE),
    "gradient boosting of classes": (Classifier, GradientBoostingClassifier(n_estimators=20), NUMBERS, WHOLE),
    "one tree": (Regressor, DecisionTreeRegressor(), NUMBERS, WHOLE),
    "one tree of one leaf": (Regressor, DecisionTreeRegressor(min_samples_leaf=3000), NUMBERS, WHOLE),
    "one tree of classes": (Classifier, DecisionTreeClassifier(max_depth=3), NUMBERS, WHOLE),
    "linear": (Regressor, LinearRegression(), NUMBERS, WHOLE),
    "logistic": (Classifier, make_pipeline(StandardScaler(), LogisticRegression()), NUMBERS, WHOLE),
    "imputed, scaled, ridge": (Regressor, make_pipeline(SimpleImputer(), StandardScaler(), Ridge()), NUMBERS, HOLED),
    "imputed, boosted": (
        Regressor,
        make_pipeline(SimpleImputer(strategy="median"), HistGradientBoostingRegressor()),
        NUMBERS,
        HOLED,
    ),
    "text one-hot, ridge": (Regressor, make_pipeline(ENCODED, Ridge()), MIXED, WHOLE),
    "text one-hot, boosted": (
        Regressor,
        make_pipeline(ENCODED, HistGradientBoostingRegressor(max_iter=30)),
        MIXED,
        WHOLE,
    ),
    "text ordinal, boosted": (
        Regressor,
        make_pipeline(ORDINAL, HistGradientBoostingRegressor(max_iter=30)),
        MIXED,
        WHOLE,
    ),
    "text ordinal, forest of classes": (Classifier, make_pipeline(ORDINAL, RandomForestClassifier(10)), MIXED, WHOLE),
    "holes in text filled, ridge": (Regressor, make_pipeline(FILLED, Ridge()), MIXED, HOLED),
    "holes in text filled, logistic": (
        Classifier,
        make_pipeline(FILLED, LogisticRegression(max_iter=500)),
        MIXED,
        HOLED,
    ),
}


def _fitted(case):
    kind, estimator, features, rows = CASES[case]
    target, more = ("cnt", {}) if kind is Regressor else ("busy", {"positive": "busy"})
    return kind.fit(estimator, rows, features, target, **more), rows


def _converted(model):
    assert model.signature is not None
    return converter.convert(model, model.signature)


@pytest.mark.parametrize("case", CASES)
def test_the_converted_model_predicts_as_the_model_does(case, tmp_path):
    model, rows = _fitted(case)
    onnx = open_engine(tmp_path).open(_converted(model))
    answer = onnx.predict({name: feature_matrix(rows, [name])[:, 0] for name in model.features})
    np.testing.assert_allclose(answer, model.predict(rows), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("positive", ["busy", "calm"])
@pytest.mark.parametrize(
    "learner", [HistGradientBoostingClassifier, GradientBoostingClassifier, DecisionTreeClassifier, LogisticRegression]
)
def test_either_label_may_be_the_positive_one(learner, positive, tmp_path):
    model = Classifier.fit(learner(), WHOLE, ("hr", "temp"), "busy", positive=positive)
    onnx = open_engine(tmp_path).open(_converted(model))
    np.testing.assert_allclose(onnx.predict(feature_matrix(WHOLE, ("hr", "temp"))), model.predict(WHOLE), atol=1e-9)


def test_the_fields_have_the_features_names_and_order_whatever_they_are_called(tmp_path):
    renamed = WHOLE.select(["hr", "temp", "cnt"]).rename_columns(["variable", "select *", "cnt"])
    model = Regressor.fit(Ridge(), renamed, ("variable", "select *"), "cnt")
    onnx = open_engine(tmp_path).open(_converted(model))
    assert [(field.name, field.dtype) for field in onnx.inputs] == [("variable", "float64"), ("select *", "float64")]
    assert [output.name for output in onnx.facts.outputs] == ["prediction"]


def test_text_that_was_never_seen_gives_what_the_model_gives(tmp_path):
    model, _ = _fitted("text one-hot, ridge")
    onnx = open_engine(tmp_path).open(_converted(model))
    strange = WHOLE.slice(0, 5).set_column(WHOLE.column_names.index("weather"), "weather", pa.array(["hail"] * 5))
    answer = onnx.predict({name: feature_matrix(strange, [name])[:, 0] for name in MIXED})
    np.testing.assert_allclose(answer, model.predict(strange), rtol=1e-9)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (make_pipeline(FunctionTransformer(np.abs), Ridge()), "FunctionTransformer"),
        (HistGradientBoostingRegressor(categorical_features=[0], max_iter=5), "categorical splits"),
    ],
)
def test_what_cannot_be_converted_says_why(estimator, reason):
    model = Regressor.fit(estimator, WHOLE, NUMBERS, "cnt")
    with pytest.raises(NotConvertible, match=reason):
        _converted(model)


def test_converting_changes_nothing_in_the_model():
    model, rows = _fitted("holes in text filled, ridge")
    before = model.predict(rows)
    _converted(model)
    np.testing.assert_array_equal(model.predict(rows), before)
