"""Recording and reading evaluations: state, event, permissions, HTTP and CLI."""

import dataclasses

import pytest

from mainspring.engines.ledger import events as ledger
from mainspring.evaluation.model import Measurement
from mainspring.evaluation.service import EvaluationService
from mainspring.kernel.errors import InvalidInput, NotFound, NotPermitted
from mainspring.kernel.principals import Role

MAE = Measurement("mae", 41.5, 39.0, 44.0, 0.95, 960, 40, "block jackknife with Student t")
AUC = Measurement("auc_roc", 0.8, None, None, 0.95, 10, 1, "block jackknife with Student t")


@pytest.fixture
def service(engines):
    return EvaluationService(engines)


def test_an_evaluation_is_read_as_it_was_recorded(service, owner):
    made = service.record(
        owner, [MAE, AUC], run_id="run-1", model_id="model-1", dataset_version_id="data-1", predictions_digest="ab"
    )
    assert service.evaluation(owner, made.id) == made
    assert made.measurements == (MAE, AUC)
    assert made.recorded_by == owner.id


def test_the_list_is_newest_first_and_can_be_narrowed(service, owner):
    one = service.record(owner, [MAE], run_id="run-1", model_id="model-1")
    two = service.record(owner, [MAE], run_id="run-2", model_id="model-1", dataset_version_id="data-1")
    assert service.evaluations(owner) == [two, one]
    assert service.evaluations(owner, limit=1) == [two]
    assert service.evaluations(owner, run_id="run-1") == [one]
    assert service.evaluations(owner, model_id="model-1") == [two, one]
    assert service.evaluations(owner, dataset_version_id="data-1", run_id="run-1") == []


def test_recording_appends_an_event_that_draws_the_lineage(service, engines, owner):
    made = service.record(owner, [MAE, AUC], run_id="run-1", model_id="model-1", dataset_version_id="data-1")
    with engines.sql.read() as connection:
        event = list(ledger.read(connection, owner.project))[-1]
    assert event.kind == "evaluation.evaluation.recorded"
    assert event.subjects["evaluation_id"] == made.id
    assert {tuple(edge) for edge in event.edges} == {
        (made.id, "measures", "model-1"),
        (made.id, "measured on", "data-1"),
        (made.id, "made by", "run-1"),
    }
    assert event.payload is not None
    assert [one["metric"] for one in event.payload["measurements"]] == ["mae", "auc_roc"]
    assert event.payload["measurements"][1]["low"] is None


def test_recording_inside_a_transaction_that_fails_leaves_nothing(service, engines, owner):
    def fails_after_recording():
        with engines.sql.write(owner) as work:
            service.record_in(work, [MAE])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_after_recording()
    assert service.evaluations(owner) == []


def test_an_empty_evaluation_is_refused(service, owner):
    with pytest.raises(InvalidInput, match="at least one metric"):
        service.record(owner, [])


def test_another_project_sees_nothing(service, owner):
    made = service.record(owner, [MAE])
    stranger = dataclasses.replace(owner, project="elsewhere")
    assert service.evaluations(stranger) == []
    with pytest.raises(NotFound, match="one of project elsewhere"):
        service.evaluation(stranger, made.id)


def test_a_viewer_reads_and_does_not_record(service, owner):
    made = service.record(owner, [MAE])
    viewer = dataclasses.replace(owner, role=Role.viewer)
    assert service.evaluation(viewer, made.id) == made
    with pytest.raises(NotPermitted, match="evaluation.evaluation.record"):
        service.record(viewer, [MAE])
    with pytest.raises(NotPermitted):
        service.evaluations(dataclasses.replace(owner, role=None))
