"""Conversions: asked for at registration, done by a job, compared on rows, recorded with their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from mainspring.engines.ledger import events as ledger
from mainspring.engines.onnx.onnxruntime_cpu import open_engine
from mainspring.kernel.errors import NotFound
from mainspring.registry import work
from mainspring.registry.service import Registration
from mainspring.training.definitions import Regressor, feature_matrix
from tests.registry.conftest import FEATURES, holdout_rows, train_rows, trained

CATEGORICAL = HistGradientBoostingRegressor(categorical_features=[0])
COMPLETE: dict[str, Any] = {"metrics": {"mae": 1.0}, "dataset_version_ids": ["data-1"], "environment_id": "env-1"}


def _registered(workshop, model):
    given = Registration(artifact=workshop.put(model.to_bytes()), **COMPLETE)
    return workshop.registry.register(workshop.owner, "bike", given).version


def test_a_conversion_is_pending_until_its_job_ran_then_equal_on_a_thousand_rows(workshop, tmp_path):
    workshop.gate("good")
    candidate = workshop.candidate("good")
    workshop.step("split", {"test": candidate.holdout_digest})
    workshop.step("evaluate", {"output": candidate.predictions_digest}, used=("split",))
    given = Registration(artifact=candidate.model_digest, predictions=candidate.predictions_digest, **COMPLETE)
    version = workshop.registry.register(workshop.owner, "bike", given).version
    assert version.conversion.state == "pending"
    workshop.run_jobs()
    conversion = workshop.registry.version(workshop.owner, "bike:1").conversion
    assert conversion.state == "equal"
    assert conversion.facts["rows"] == holdout_rows().num_rows
    assert conversion.facts["max_difference"] < 1e-9
    assert conversion.facts["share_different"] == 0
    _, pieces = workshop.registry.download(workshop.owner, "bike:1", as_onnx=True)
    onnx = open_engine(tmp_path).open(b"".join(pieces))
    rows = holdout_rows()
    np.testing.assert_allclose(onnx.predict(feature_matrix(rows, FEATURES)), trained("good").predict(rows), rtol=1e-12)


def test_without_rows_the_sample_input_is_compared_and_the_count_says_so(workshop):
    _registered(workshop, trained("plain"))
    workshop.run_jobs()
    facts = workshop.registry.version(workshop.owner, "bike:1").conversion.facts
    assert (facts["rows"], facts["rows_wanted"]) == (3, 1000)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: Regressor(lambda matrix: matrix[:, 0], FEATURES, "cnt").described_by(train_rows()), "no converter"),
        (
            lambda: Regressor.fit(
                HistGradientBoostingRegressor(categorical_features=[0]), train_rows(), FEATURES, "cnt"
            ),
            "categorical splits",
        ),
    ],
)
def test_what_cannot_be_converted_is_recorded_with_the_reason(workshop, model, reason):
    version = _registered(workshop, model())
    workshop.run_jobs()
    conversion = workshop.registry.version(workshop.owner, "bike:1").conversion
    assert conversion.state == "not_convertible"
    assert reason in conversion.facts["reason"]
    with pytest.raises(NotFound, match="not_convertible"):
        workshop.registry.download(workshop.owner, version.id, as_onnx=True)


def test_the_result_of_a_conversion_stands_in_the_event_log(workshop):
    version = _registered(workshop, trained("plain"))
    workshop.run_jobs()
    with workshop.engines.sql.read() as connection:
        told = [e for e in ledger.about(connection, "default", version.id) if e.kind == "registry.version.converted"]
    assert [(event.payload or {})["state"] for event in told] == ["equal"]
    onnx = workshop.registry.version(workshop.owner, "bike:1").conversion.onnx_digest
    assert (onnx, "converted from", version.id) in told[0].edges


def test_a_conversion_can_be_asked_for_again(workshop):
    _registered(workshop, trained("plain"))
    workshop.run_jobs()
    workshop.registry.conversions.convert(workshop.owner, "bike:1")
    assert workshop.registry.version(workshop.owner, "bike:1").conversion.state == "pending"
    workshop.run_jobs()
    assert workshop.registry.version(workshop.owner, "bike:1").conversion.state == "equal"


def test_predictions_that_differ_are_counted():
    found = work._compared(np.array([1.0, 2.0, np.nan, 100.0]), np.array([1.0, 2.5, np.nan, 100.0001]))
    assert found["state"] == "differs"
    assert found["share_different"] == 0.25
    assert found["max_difference"] == 0.5
    assert work._compared(np.array([np.nan]), np.array([1.0]))["state"] == "differs"
