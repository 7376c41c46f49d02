"""The registry over HTTP, in the SDK and on the command line, with the whole application behind it."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from mainspring.kernel.errors import Corrupt, GateClosed, InvalidInput, NotFound
from mainspring.registry import commands
from mainspring.registry.client import load_model, register_model
from mainspring.surfaces.cli import Session
from mainspring.tracking.client.artifacts import put_artifact
from tests.registry.conftest import holdout_rows, predicted, trained


@pytest.fixture
def session(client):
    return Session(console=Console(file=io.StringIO(), width=200), _client=client)


def _registered(client, kind="good"):
    model = trained(kind)
    return register_model(client, model, "bike", predictions=predicted(model), dataset_version_ids=["data-1"])


def _gated(client, kind="good"):
    model = trained(kind)
    parts = {"model": model.to_bytes(), "predictions": predicted(model).to_bytes()}
    candidate = {name: {"artifact": put_artifact(client, data)} for name, data in parts.items()}
    answer = client.post("/registry/models/bike/gate", {"candidate": candidate, "margin": 0.05})
    return client.wait(answer["job_id"])["result"] if "job_id" in answer else answer


def _said(session):
    return session.console.file.getvalue()


def test_a_registered_model_is_loaded_in_one_line_and_predicts_the_same(client):
    version = _registered(client)
    assert (version["reference"], version["is_new"], version["aliases"]) == ("bike:1", True, ["challenger"])
    model = load_model("bike@challenger", client=client)
    np.testing.assert_array_equal(model.predict(holdout_rows()), trained("good").predict(holdout_rows()))
    (access,) = client.get("/registry/versions/bike:1/accesses")
    assert access["purpose"] == "load"


def test_registering_the_same_artifact_again_says_so(client):
    first, again = _registered(client), _registered(client)
    assert not again["is_new"]
    assert again["id"] == first["id"]


def test_a_model_whose_file_was_changed_is_not_loaded(client):
    digest = _registered(client)["artifact_digest"]
    assert client.home is not None
    (path,) = client.home.rglob(digest)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Corrupt):
        load_model("bike:1", client=client)


def test_a_verdict_over_http_has_its_numbers_and_comes_stored_the_second_time(client):
    first = _gated(client)
    assert first["outcome"] == "pass"
    assert first["evidence"]["low"] < first["evidence"]["difference"] < first["evidence"]["high"]
    assert _gated(client) == first
    assert [gate["id"] for gate in client.get("/registry/models/bike/gates")] == [first["gate_id"]]


def test_a_gate_needs_predictions(client):
    digest = put_artifact(client, trained("good").to_bytes())
    with pytest.raises(InvalidInput, match=r"candidate\.predictions"):
        client.post("/registry/models/bike/gate", {"candidate": {"model": {"artifact": digest}}})


def test_a_closed_gate_is_that_error_on_the_other_side_too(client):
    _registered(client)
    with pytest.raises(GateClosed, match="no gate"):
        client.post("/registry/versions/bike:1/promote")


def test_the_metrics_of_predictions_become_the_versions(client):
    metrics = _registered(client)["profile"]["metrics"]
    expected = abs(predicted(trained("good")).prediction - holdout_rows()["cnt"].to_numpy()).mean()
    assert metrics["mae"] == pytest.approx(expected)


def test_lineage_resolves_names_of_versions(client):
    version = _registered(client)
    graph = client.get("/lineage/why", name="bike@challenger")
    assert graph["root"] == version["id"]
    assert {"trained in", "trained on", "stored as"} <= {link["relation"] for link in graph["links"]}


def test_a_version_goes_through_its_life_on_the_command_line(client, session, tmp_path):
    _gated(client)
    _registered(client)
    commands.list_models(session)
    commands.show(session, "bike:1")
    commands.promote(session, "bike:1", reason="first")
    commands.alias(session, "bike", "blue", "1")
    commands.history(session, "bike")
    commands.gates(session, "bike")
    commands.search(session, "bik")
    commands.verify(session, "bike@champion")
    commands.diff(session, "bike:1", "bike@blue")
    said = _said(session)
    for expected in ("bike:1", "HistGradientBoostingRegressor", "@champion", "first: Mean absolute error", "is intact"):
        assert expected in said
    commands.download(session, "bike:1", to=tmp_path / "bike.model")
    assert (tmp_path / "bike.model").read_bytes() == trained("good").to_bytes()


def test_the_command_line_speaks_json(client, capsys):
    _registered(client)
    commands.show(Session(json=True, _client=client), "bike:1")
    assert json.loads(capsys.readouterr().out)["reference"] == "bike:1"


def test_a_whole_model_or_one_version_is_taken_out_of_use(client, session):
    _registered(client)
    commands.deprecate(session, "bike:1", reason="old")
    commands.deprecate(session, "bike", reason="old")
    assert client.get("/registry/versions/bike:1")["deprecated_because"] == "old"
    assert client.get("/registry/models/bike")["deprecated_at"] is not None


def test_the_onnx_model_is_downloaded_after_its_conversion(client, session, tmp_path):
    version = _registered(client)
    with pytest.raises(NotFound, match="pending"):
        commands.download(session, "bike:1", to=tmp_path / "bike.onnx", onnx=True)
    client.wait(version["conversion"]["job_id"])
    commands.download(session, "bike:1", to=tmp_path / "bike.onnx", onnx=True)
    assert (tmp_path / "bike.onnx").stat().st_size > 1000
    assert client.get("/registry/versions/bike:1")["conversion"]["state"] == "equal"
