"""`ms.gate` and `ms.register` inside a real pipeline on real data."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

import mainspring
import mainspring as ms
from mainspring.kernel.errors import InvalidInput
from mainspring.registry.definitions import gate, register

DEMAND = ms.dataset("bike_demand", source=str(Path(mainspring.__file__).parent / "demo/data/bike_sharing/hour.csv"))
FEATURES = ("hr", "temp", "hum", "workingday")


class Split(NamedTuple):
    train: pa.Table
    test: pa.Table


@ms.step
def split(rows: pa.Table) -> Split:
    return Split(rows.slice(0, 1500), rows.slice(1500, 1200))


@ms.step
def train(rows: pa.Table, rounds: int) -> ms.Regressor:
    learner = HistGradientBoostingRegressor(max_iter=rounds, random_state=0) if rounds else Ridge()
    return ms.Regressor.fit(learner, rows, FEATURES, "cnt")


@ms.step
def evaluate(model: ms.Regressor, rows: pa.Table) -> ms.Predictions:
    return ms.Predictions(rows["cnt"], model.predict(rows), blocks=rows["dteday"])


@ms.pipeline
def forecast(rows: ms.Dataset = DEMAND, rounds: list[int] = [20, 40]):
    parts = split(rows)
    models = train.partial(rows=parts.train).map(rounds=rounds)
    best = ms.best(models, evaluate.partial(rows=parts.test).map(models), ms.metrics.mae)
    if ms.gate(best, "bike", margin=0.05):
        ms.register(best, "bike", license="CC-BY-4.0")


def test_outside_a_pipeline_they_say_where_they_belong():
    for call in (gate, register):
        with pytest.raises(InvalidInput, match=r"@ms\.pipeline"):
            call(ms.Candidate(1, 2), "bike")


def test_a_name_is_checked_before_anything_runs():
    with pytest.raises(InvalidInput, match="model name"):
        gate(None, "bike:1")


def test_a_pipeline_gates_and_registers_and_the_next_one_meets_its_champion(client, tmp_path):
    home = client.home
    client.close()
    forecast.run(home=home)
    with ms.connect(home) as again:
        version = again.get("/registry/versions/bike:1")
        again.post("/registry/versions/bike:1/promote")
        assert version["profile"]["params"] == {"rounds": 40}
        assert len(version["profile"]["dataset_version_ids"]) == 1
        assert version["profile"]["license"] == "CC-BY-4.0"
        told = again.get("/lineage/why", name="bike@champion")
        assert {"dataset_version", "environment", "gate", "step"} <= {node["kind"] for node in told["nodes"]}
    forecast.run(home=home, rounds=[0])
    with ms.connect(home) as again:
        worse, first = again.get("/registry/models/bike/gates")
        assert first["champion_id"] is None
        assert worse["champion_id"] == version["id"]
        assert worse["verdict"]["outcome"] == "fail"
        assert worse["candidate"]["holdout_digest"] is not None
        assert len(again.get("/registry/versions")) == 1
