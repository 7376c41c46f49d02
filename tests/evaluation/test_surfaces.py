"""Evaluations over HTTP and on the command line."""

import io
import json

import httpx
import pytest
from prometheus_client import CollectorRegistry
from rich.console import Console

from mainspring.evaluation.commands import list_evaluations, show
from mainspring.evaluation.routes import routes
from mainspring.evaluation.service import EvaluationService
from mainspring.kernel.errors import InvalidInput, NotAuthenticated, NotFound
from mainspring.surfaces.cli import Session
from mainspring.surfaces.client import Client, InProcess
from mainspring.surfaces.http import api

MAE = {
    "metric": "mae",
    "value": 41.5,
    "low": 39.0,
    "high": None,
    "confidence": 0.95,
    "rows": 960,
    "blocks": 40,
    "method": "block jackknife with Student t",
}


@pytest.fixture
def connected(engines, access, tmp_path):
    """Clients of an application that holds nothing but this stage, by their token's text."""
    routers = [routes(EvaluationService(engines))]
    app = api(access=access, routers=routers, version="test", spool=tmp_path, registry=CollectorRegistry())
    transport = InProcess(app)

    def connect(token):
        headers = {"authorization": f"Bearer {token}"}
        http = httpx.Client(base_url="http://test", headers=headers, transport=transport)
        return Client(http, home=None, project=None)

    yield connect
    transport.close()


@pytest.fixture
def api_client(connected, access):
    tokens: list[str] = []
    access.bootstrap(tokens.append)
    return connected(tokens[0])


@pytest.fixture
def session(api_client):
    return Session(console=Console(file=io.StringIO(), width=200), _client=api_client)


def record(client, **ids):
    return client.post("/evaluation/evaluations", {"measurements": [MAE], **ids})


def test_an_evaluation_posted_is_there_to_get(api_client):
    made = record(api_client, run_id="run-1", model_id="model-1", dataset_version_id="data-1")
    assert made["measurements"] == [MAE]
    assert api_client.get(f"/evaluation/evaluations/{made['id']}") == made
    assert api_client.get("/evaluation/evaluations", run_id="run-1") == [made]
    assert api_client.get("/evaluation/evaluations", run_id="run-2") == []


@pytest.mark.parametrize(
    "wrong", [{"value": "Infinity"}, {"value": "NaN"}, {"low": 99.0}, {"rows": 0}, {"metric": ""}, {"value": "much"}]
)
def test_a_measurement_that_cannot_be_is_refused(api_client, wrong):
    with pytest.raises(InvalidInput):
        api_client.post("/evaluation/evaluations", {"measurements": [{**MAE, **wrong}]})
    assert api_client.get("/evaluation/evaluations") == []


def test_an_evaluation_that_is_not_there_is_not_found(api_client):
    with pytest.raises(NotFound, match="evaluation nothing"):
        api_client.get("/evaluation/evaluations/nothing")


def test_without_a_token_nothing_is_answered(connected, access):
    access.bootstrap(lambda text: None)
    with pytest.raises(NotAuthenticated):
        connected("wrong").get("/evaluation/evaluations")


def test_the_list_on_the_command_line_shows_the_metrics(session, api_client):
    made = record(api_client, model_id="model-1")
    list_evaluations(session, limit=5)
    shown = session.console.file.getvalue()
    assert made["id"] in shown
    assert "mae=41.5" in shown


def test_one_evaluation_on_the_command_line_shows_its_intervals(session, api_client, capsys):
    made = record(api_client, dataset_version_id="data-1")
    show(session, made["id"])
    shown = session.console.file.getvalue()
    assert all(text in shown for text in ("data-1", "mae", "41.5", "39", "0.95", "960"))
    session.json = True
    show(session, made["id"])
    assert json.loads(capsys.readouterr().out) == made
