import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from mainspring.kernel.errors import Corrupt, InvalidInput, SchemaMismatch
from mainspring.training.definitions import Classifier, Model, Regressor, feature_matrix
from mainspring.training.flavors.contract import dump_model, load_model
from mainspring.training.model import unpack

ROWS = pa.table({
    "x": [1, 2, 3, 4],
    "z": [0.5, None, 1.5, 2.5],
    "open": [True, False, True, None],
    "color": ["red", None, "blue", "red"],
    "y": [1.0, 2.0, 3.0, 4.0],
    "label": ["no", "no", "yes", "yes"],
    "day": pa.array([0, 1, 2, 3], pa.timestamp("s")),
})  # fmt: skip


def test_numbers_and_booleans_become_floats_with_nan_for_null():
    matrix = feature_matrix(ROWS, ["z", "open", "x"])
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix, [[0.5, 1, 1], [np.nan, 0, 2], [1.5, 1, 3], [2.5, np.nan, 4]])


def test_text_makes_the_matrix_one_of_objects_with_nan_for_null_in_every_column():
    matrix = feature_matrix(ROWS, ["color", "z"])
    assert matrix.dtype == object
    assert matrix[0].tolist() == ["red", 0.5]
    assert np.isnan(matrix[1, 0])
    assert np.isnan(matrix[1, 1])


def test_dictionary_columns_and_empty_tables_are_taken():
    rows = pa.table({"c": pa.array(["a", None]).dictionary_encode(), "n": pa.array([None, None])})
    assert feature_matrix(rows, ["c"])[0, 0] == "a"
    assert np.isnan(feature_matrix(rows, ["n"])).all()
    assert feature_matrix(ROWS.slice(0, 0), ["x", "z"]).shape == (0, 2)


@pytest.mark.parametrize(("feature", "named"), [("day", "column day"), ("gone", "'gone'")])
def test_a_time_or_a_missing_column_is_refused_by_name(feature, named):
    with pytest.raises(SchemaMismatch, match=named):
        feature_matrix(ROWS, ["x", feature])


def test_a_regressor_fits_a_copy_and_predicts_floats():
    learner = LinearRegression()
    model = Regressor.fit(learner, ROWS, ["x"], "y")
    assert not hasattr(learner, "coef_")
    predictions = model.predict(ROWS)
    assert predictions.dtype == np.float64
    np.testing.assert_allclose(predictions, [1, 2, 3, 4])
    assert model.predict(ROWS.slice(0, 0)).shape == (0,)


def test_a_fitted_model_knows_signature_sample_and_baseline():
    model = Regressor.fit(LinearRegression(), ROWS, ["x"], "y")
    assert model.signature is not None
    assert model.signature.names == ("x",)
    assert model.sample_input == ({"x": 1}, {"x": 2}, {"x": 3})
    assert model.baseline == 2.5
    assert Classifier.fit(LogisticRegression(), ROWS, ["x"], "label", positive="yes").baseline == 0.5


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_a_classifier_answers_the_probability_of_the_positive_label(positive):
    model = Classifier.fit(LogisticRegression(), ROWS, ["x"], "label", positive=positive)
    rising = model.predict(ROWS)[3] > model.predict(ROWS)[0]
    assert rising == (positive == "yes")


def test_a_label_that_no_row_has_is_refused():
    with pytest.raises(InvalidInput, match="'maybe'"):
        Classifier.fit(LogisticRegression(), ROWS, ["x"], "label", positive="maybe")


def test_a_target_with_nulls_or_of_text_is_refused():
    with pytest.raises(InvalidInput, match="1 nulls among 4 rows"):
        Regressor.fit(LinearRegression(), ROWS, ["x"], "z")
    with pytest.raises(SchemaMismatch, match="Use Classifier"):
        Regressor.fit(LinearRegression(), ROWS, ["x"], "label")


@pytest.mark.parametrize("answer", [lambda m: m, lambda m: [1.0], lambda m: 3.0])
def test_an_estimator_that_does_not_answer_one_number_a_row_is_refused(answer):
    with pytest.raises(InvalidInput, match="wanted 4 numbers"):
        Regressor(answer, ("x", "y"), "y").predict(ROWS)


def test_one_name_is_not_a_list_of_features():
    with pytest.raises(InvalidInput, match="'hour'"):
        Regressor(LinearRegression(), "hour", "y")  # type: ignore[arg-type]


def test_a_stored_model_predicts_the_same_as_the_class_it_was():
    models = [
        Regressor.fit(HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=1), ROWS, ["x", "z"], "y"),
        Classifier.fit(LogisticRegression(), ROWS, ["x"], "label", positive="yes"),
        Regressor(lambda matrix: matrix[:, 0] * 2, ("x",), "y"),
    ]
    for model in models:
        again = load_model(dump_model(model))
        assert type(again) is type(model)
        assert (again.features, again.target, again.signature, again.baseline) == (
            model.features,
            model.target,
            model.signature,
            model.baseline,
        )
        np.testing.assert_array_equal(again.predict(ROWS), model.predict(ROWS))


def test_a_model_file_can_be_loaded_in_another_process(tmp_path):
    (tmp_path / "model").write_bytes(Regressor(lambda matrix: matrix[:, 0] * 2, ("x",), "y").to_bytes())
    program = (
        "import sys, pathlib, pyarrow as pa; from mainspring.training.definitions import Model;"
        "print(Model.from_bytes(pathlib.Path(sys.argv[1]).read_bytes()).predict(pa.table({'x': [21]}))[0])"
    )
    said = subprocess.run([sys.executable, "-c", program, str(tmp_path / "model")], capture_output=True, check=True)
    assert said.stdout.strip() == b"42.0"


def test_the_card_tells_class_parameters_and_versions():
    described = Regressor.fit(
        HistGradientBoostingRegressor(max_iter=7, min_samples_leaf=1), ROWS, ["x"], "y"
    ).describe()
    assert described["flavor"] == "sklearn"
    assert described["estimator"]["class_name"].endswith("HistGradientBoostingRegressor")
    assert described["estimator"]["params"]["max_iter"] == 7
    assert "scikit-learn" in described["estimator"]["libraries"]


def test_a_damaged_estimator_is_corrupt_and_one_of_another_kind_is_refused():
    data = Regressor.fit(LinearRegression(), ROWS, ["x"], "y").to_bytes()
    with pytest.raises(Corrupt):
        Model.from_bytes(data[:-20])
    with pytest.raises(InvalidInput, match="wanted Classifier, found Regressor"):
        Classifier.from_bytes(data)


def test_an_estimator_that_holds_a_lock_cannot_be_stored():
    lock = threading.Lock()
    with pytest.raises(InvalidInput, match="one that can be stored"):
        Regressor(lambda matrix: [lock] and matrix[:, 0], ("x",), "y").to_bytes()


def test_an_object_that_cannot_predict_has_no_flavor():
    with pytest.raises(InvalidInput, match="estimator int"):
        Regressor(3, ("x",), "y").to_bytes()


def test_the_card_of_a_model_made_without_its_rows_says_so():
    card, _ = unpack(Regressor(LinearRegression(), ("x",), "y").to_bytes())
    assert card.signature is None
    assert card.baseline is None


def test_definitions_load_no_learning_library():
    program = "import sys, mainspring.training.definitions; print({'sklearn', 'onnx', 'skl2onnx'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout.strip() == b"set()"
