"""A registry over real engines, with models of real bike hire to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

import mainspring
from mainspring.access.service import SYSTEM
from mainspring.engines.assembly import Engines
from mainspring.engines.compute.contract import Compute
from mainspring.evaluation.definitions import Predictions
from mainspring.evaluation.service import EvaluationService
from mainspring.jobs.service import JobService
from mainspring.kernel import plugins
from mainspring.kernel.principals import Principal
from mainspring.pipelines.events import StepFinished
from mainspring.registry.model import Candidate, GateVerdict, ModelVersion
from mainspring.registry.service import Registration, RegistryService
from mainspring.tracking.service import TrackingService
from mainspring.training.definitions import Model, Regressor

FEATURES = ("hr", "temp", "hum", "workingday")


@cache
def bike_rows() -> pa.Table:
    return pyarrow.csv.read_csv(Path(mainspring.__file__).parent / "demo/data/bike_sharing/hour.csv").slice(0, 4000)


def train_rows() -> pa.Table:
    return bike_rows().slice(0, 2500)


def holdout_rows() -> pa.Table:
    return bike_rows().slice(2500)


@cache
def trained(kind: str) -> Regressor:
    """`good` boosting, `other` boosting just as good, `plain` ridge, `constant`: from best to worst."""
    learners: dict[str, Any] = {
        "good": HistGradientBoostingRegressor(max_iter=60, random_state=0),
        "other": HistGradientBoostingRegressor(max_iter=60, l2_regularization=0.1, random_state=0),
        "plain": Ridge(),
        "constant": DummyRegressor(),
    }
    return Regressor.fit(learners[kind], train_rows(), FEATURES, "cnt")


def predicted(model: Model) -> Predictions:
    rows = holdout_rows()
    return Predictions(rows["cnt"], model.predict(rows), blocks=rows["dteday"].to_numpy())


@dataclass
class Workshop:
    """The services, and the short ways that tests take through them."""

    engines: Engines
    owner: Principal
    tracking: TrackingService
    jobs: JobService
    registry: RegistryService

    def put(self, data: bytes) -> str:
        return self.tracking.put_artifact(self.owner, data).digest

    def put_holdout(self) -> str:
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(holdout_rows(), sink)
        return self.put(sink.getvalue().to_pybytes())

    def candidate(self, kind: str) -> Candidate:
        model = trained(kind)
        return Candidate(self.put(model.to_bytes()), self.put(predicted(model).to_bytes()), self.put_holdout())

    def register(self, kind: str = "good", name: str = "bike", **given: Any) -> ModelVersion:
        filled = {"metrics": {"mae": 1.0}, "dataset_version_ids": ["data-1"], "environment_id": "env-1", **given}
        registration = Registration(artifact=self.put(trained(kind).to_bytes()), **filled)
        return self.registry.register(self.owner, name, registration).version

    def gate(self, kind: str, name: str = "bike", **asked: Any) -> GateVerdict:
        """The verdict, after its job has run where one is needed."""
        asked = {"margin": 0.05, **asked}
        found = self.registry.gates.judge(self.owner, name, self.candidate(kind), **asked)
        if isinstance(found, GateVerdict):
            return found
        self.run_jobs()
        result = self.jobs.job(self.owner, found).result
        assert result is not None, self.jobs.job(self.owner, found).error
        return self.registry.gates.gate(self.owner, result["gate_id"])

    def run_jobs(self) -> None:
        self.jobs.run_due(SYSTEM)

    def champion(self, kind: str = "good", name: str = "bike") -> ModelVersion:
        """A gated, registered and promoted version."""
        assert self.gate(kind, name).verdict
        return self.registry.promote(self.owner, self.register(kind, name).id)

    def step(self, name: str, outputs: dict[str, str], *, used: tuple[str, ...] = (), **more: Any) -> str:
        """Tell of a step, as pipelines would; its id."""
        fields: dict[str, Any] = {
            "step_id": f"step-{name}",
            "run_id": "run-1",
            "used_step_ids": tuple(f"step-{one}" for one in used),
            "dataset_version_ids": (),
            "artifact_ids": tuple(outputs.values()),
            "step": name,
            "step_kind": "step",
            "status": "succeeded",
            "attempts": 1,
            "key": None,
            "code_hash": None,
            "params": {},
            "outputs": outputs,
            **more,
        }
        with self.engines.sql.write(self.owner) as work:
            work.emit(StepFinished(**fields))
        return str(fields["step_id"])


def _workshop(engines: Engines, owner: Principal) -> Workshop:
    tracking, jobs = TrackingService(engines), JobService(engines)
    registry = RegistryService(engines, jobs, tracking, EvaluationService(engines))
    jobs.handlers.update(registry.job_handlers())
    return Workshop(engines, owner, tracking, jobs, registry)


class _Shared:
    """The one pool of all these tests, in place of one that each home starts and stops."""

    def __init__(self, pool: Compute) -> None:
        self._pool = pool

    def get(self) -> Compute:
        return self._pool

    def close(self) -> None:
        """It is closed after the last test."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compute]:
    opened: Compute = plugins.load("mainspring.engines.compute", "processes").open_engine(
        tmp_path_factory.mktemp("pool")
    )
    yield opened
    opened.close()


@pytest.fixture
def workshop(engines: Engines, owner: Principal, pool: Compute) -> Workshop:
    return _workshop(replace(engines, _compute=cast(Any, _Shared(pool))), owner)
