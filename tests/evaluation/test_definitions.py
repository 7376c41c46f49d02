"""Metrics by name, predictions and their bytes, and that naming them loads no array library."""

import copy
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.evaluation.definitions import MetricRef, Predictions, best, metrics
from mainspring.kernel.errors import Corrupt, InvalidInput, NotFound
from mainspring.pipelines.definitions import Handle
from mainspring.pipelines.definitions.running import run_by


def test_a_metric_is_named_by_attribute_and_called_like_a_function():
    assert metrics.mae == MetricRef("mae") == metrics["mae"]
    assert metrics.mae([1, 2], [2, 4]) == 1.5
    assert metrics.mae([1, 2], [2, 4], [1, 0]) == 1.0
    assert pickle.loads(pickle.dumps(metrics.mae)) == metrics.mae


def test_the_metrics_there_are_can_be_listed():
    assert {"auc_roc", "log_loss", "mae", "rmse"} <= set(dir(metrics))
    assert [metric.name for metric in metrics] == dir(metrics)
    assert "mae" in repr(metrics)
    assert copy.copy(metrics).mae == metrics.mae


def test_an_unknown_metric_names_those_there_are():
    assert not hasattr(metrics, "mse")
    with pytest.raises(AttributeError, match="no metric 'mse': there are auc_roc, log_loss, mae, rmse"):
        _ = metrics.mse
    with pytest.raises(NotFound, match="wanted one of auc_roc, log_loss, mae, rmse"):
        metrics["mse"]
    with pytest.raises(NotFound):
        MetricRef("mse").load()


def test_naming_metrics_and_predictions_loads_no_array_library():
    code = (
        "import sys, mainspring.evaluation.definitions as d\n"
        "d.metrics.mae, d.Predictions, dir(d.metrics)\n"
        "print(sorted({'numpy', 'pyarrow', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "blocks",
    [
        None,
        [1, 1, 2],
        ["a", "b", "b"],
        [date(2011, 1, 1), date(2011, 1, 1), date(2011, 1, 2)],
        np.array(["2011-01-01T05", "2011-01-01T05", "2011-01-02T00"], dtype="datetime64[s]"),
        pa.chunked_array([pa.array([date(2011, 1, 1)] * 2), pa.array([date(2011, 1, 2)])]),
    ],
    ids=["none", "integers", "texts", "dates", "times", "arrow"],
)
def test_predictions_come_back_from_their_bytes(blocks):
    given = Predictions([1, 0, 1], np.array([0.9, 0.1, 0.5], dtype=np.float32), blocks, "version-1")
    data = given.to_bytes()
    back = Predictions.from_bytes(data)
    assert back == given
    assert hash(back) == hash(given)
    assert back.to_bytes() == data
    assert back.dataset_version_id == "version-1"
    assert (back.target.dtype, back.prediction.dtype) == (np.int64, np.float32)
    assert back.describe() == {"rows": 3, "blocks": None if blocks is None else 2, "dataset_version_id": "version-1"}


@given(st.lists(st.tuples(st.floats(width=64), st.floats(width=32)), max_size=20))
def test_every_float_comes_back_as_it_was(pairs):
    target, prediction = [one for one, _ in pairs], np.array([two for _, two in pairs], dtype=np.float32)
    back = Predictions.from_bytes(Predictions(np.array(target, dtype=float), prediction).to_bytes())
    np.testing.assert_array_equal(back.target, np.array(target, dtype=float))
    np.testing.assert_array_equal(back.prediction, prediction)


def test_predictions_are_a_table_of_named_columns():
    table = Predictions([1.0, 2.0], [1.5, 2.5], [7, 8]).to_table()
    assert table.to_pydict() == {"target": [1.0, 2.0], "prediction": [1.5, 2.5], "block": [7, 8]}
    assert Predictions([1.0], [1.5]).to_table().column_names == ["target", "prediction"]


def test_arrow_and_frame_columns_are_taken_as_they_are():
    table = pa.table({"cnt": [1, 2, 3], "day": pa.array([date(2011, 1, d) for d in (1, 1, 2)])})
    found = Predictions(table["cnt"], np.array([1.0, 2.0, 4.0]), table["day"])
    assert metrics.mae(found.target, found.prediction) == pytest.approx(1 / 3)
    assert found.blocks.tolist() == [date(2011, 1, 1), date(2011, 1, 1), date(2011, 1, 2)]
    assert len(found) == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1, 2], [1.0]), "prediction: wanted 2 rows, as many as target, found 1 rows"),
        (([1, 2], [1.0, 2.0], [1]), "blocks: wanted 2 rows"),
        (([1, 2], [[0.1, 0.9], [0.8, 0.2]]), "probability of the class 1 alone"),
        (([1, 2], [[0.1], [0.8, 0.2]]), "prediction: wanted an array of shape"),
        ((1, 2), "target: wanted an array of shape"),
    ],
)
def test_columns_of_the_wrong_shape_are_refused_by_name(columns, message):
    with pytest.raises(InvalidInput, match=message):
        Predictions(*columns)


def test_columns_that_no_table_can_hold_are_refused():
    with pytest.raises(InvalidInput, match="predictions: wanted columns of one type each"):
        Predictions([1, 2], [1, 2], np.array([1, "a"], dtype=object)).to_bytes()


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_damaged_bytes_are_corrupt_and_nothing_else(cut):
    data = Predictions([1.0, 2.0], [1.5, 2.5]).to_bytes()
    with pytest.raises(Corrupt):
        Predictions.from_bytes(data[:cut])


def test_a_table_without_the_columns_is_refused():
    with pytest.raises(InvalidInput, match="columns target and prediction, found truth"):
        Predictions.from_table(pa.table({"truth": [1]}))


def test_the_best_of_several_is_asked_for_inside_a_pipeline_and_by_a_metric():
    model, predictions = Handle(Made("train", "model")), Handle(Made("evaluate", Predictions([1], [1])))
    with pytest.raises(InvalidInput, match="a running pipeline"):
        best([model], [predictions], metrics.mae)
    with pytest.raises(InvalidInput, match="a metric such as"):
        best([model], [predictions], "mae")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="handles of steps"):
        best(["model"], [predictions], metrics.mae)


@dataclass(frozen=True)
class Made:
    """An execution that has given its one output."""

    label: str
    held: Any
    outputs: tuple[str, ...] = ("output",)

    def value(self, output: str | None) -> Any:
        return self.held


@dataclass
class Asked:
    """Takes a pipeline's requests and keeps them."""

    requests: list[Any] = field(default_factory=list)

    def call(self, request: Any) -> Any:
        self.requests.append(request)
        return request


@pytest.mark.parametrize(("metric", "prefer"), [(metrics.log_loss, "least"), (metrics.auc_roc, "greatest")])
def test_the_best_is_chosen_by_the_metric_in_its_own_direction(metric, prefer):
    made = [Predictions([0, 1, 1], [0.2, 0.6, 0.9]), Predictions([0, 1, 1], [0.6, 0.5, 0.9])]
    models = [Handle(Made("train", name)) for name in ("model-1", "model-2")]
    predictions = [Handle(Made("evaluate", one)) for one in made]
    with run_by(asked := Asked()):
        best(models, predictions, metric)
    (choice,) = asked.requests
    assert choice.groups == {"model": models, "predictions": predictions}
    assert (choice.by, choice.prefer) == ("predictions", prefer)
    assert [choice.score(one) for one in made] == [metric(one.target, one.prediction) for one in made]
    with pytest.raises(InvalidInput, match=r"Let the evaluation step return ms\.Predictions"):
        choice.score(0.5)
