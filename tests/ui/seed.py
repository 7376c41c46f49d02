"""A small home with something of everything, put there by the services themselves."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from mainspring.access.service import SYSTEM
from mainspring.app.build import Application
from mainspring.data.checks import between, not_null
from mainspring.data.definitions import dataset, date, hours
from mainspring.engines.home import Home
from mainspring.evaluation.definitions import Predictions
from mainspring.kernel.canonical import digest
from mainspring.kernel.errors import StepFailed
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal
from mainspring.pipelines.model.runs import Output
from mainspring.pipelines.service.requests import Claim, Exchange, Finish, Skip, Start
from mainspring.registry.model import Candidate, GateVerdict, ModelVersion
from mainspring.registry.service import Registration
from mainspring.tracking.model import Artifact, Environment, Point
from mainspring.training.definitions import Regressor

EVIL = "<script>alert(1)</script>\" onmouseover='alert(2)' {{ 7*7 }}"
"""A name that must reach a page as text and nothing else."""
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass
class Seeded:
    """The application and the ids of what lies in it."""

    application: Application
    owner: Principal
    token: str
    run: str = ""
    evil_run: str = ""
    running: str = ""
    pipeline: str = ""
    failed: str = ""
    steps: dict[str, str] = field(default_factory=dict)
    versions: list[ModelVersion] = field(default_factory=list)

    @property
    def pages(self) -> dict[str, str]:
        """A name for each page that shows something, to its path."""
        return {
            "home": "/ui",
            "datasets": "/ui/data",
            "dataset": "/ui/data/bike_demand",
            "runs": "/ui/runs",
            "run": f"/ui/runs/{self.run}",
            "running": f"/ui/runs/{self.running}",
            "pipeline": f"/ui/runs/{self.pipeline}",
            "failed": f"/ui/runs/{self.failed}",
            "step": f"/ui/steps/{self.steps['judge']}",
            "models": "/ui/models",
            "model": "/ui/models/bike-demand",
            "champion": "/ui/models/bike-demand/@champion",
            "challenger": "/ui/models/bike-demand/@challenger",
            "jobs": "/ui/jobs",
            "why": f"/ui/why?name={self.versions[0].id}",
            "audit": "/ui/audit",
        }


def seed(application: Application, home: Home, folder: Path) -> Seeded:
    token = home.owner_token.read_text().strip()
    seeded = Seeded(application, application.services.access.sign_in(token), token)
    version_id = _dataset(seeded, folder)
    environment = _environment(seeded)
    _runs(seeded, environment)
    seeded.pipeline = _pipeline(seeded, environment, version_id, fails=False)
    seeded.failed = _pipeline(seeded, environment, version_id, fails=True)
    _models(seeded, environment, version_id)
    return seeded


def _dataset(seeded: Seeded, folder: Path) -> str:
    rng = random.Random(1)
    lines = ["dteday,hr,temp,season,cnt"]
    for hour in range(480):
        temp = 7.5 if hour in (100, 200) else round(0.5 + 0.3 * math.sin(hour / 24) + rng.gauss(0, 0.05), 3)
        count = "" if hour in (50, 51, 52) else str(rng.randrange(20, 400))
        lines.append(f"2011-01-{1 + hour // 24:02d},{hour % 24},{temp},{'winter' if hour < 300 else 'spring'},{count}")
    source = folder / "hour.csv"
    source.write_text("\n".join(lines) + "\n")
    made = dataset(
        "bike_demand",
        source=source,
        time=date("dteday") + hours("hr"),
        checks=[not_null.NotNull("cnt"), between.Between("temp", 0, 1)],
        description=f"Bikes hired by the hour. {EVIL}",
    )
    data = seeded.application.services.data
    data.apply(seeded.owner, [made.to_json()], folder=str(folder))
    fingerprint = hashlib.sha256(source.read_bytes()).hexdigest()
    data.upload(seeded.owner, source, expected=fingerprint)
    return data.ingest(seeded.owner, "bike_demand", fingerprint=fingerprint, source_name=source.name).version.id


def _environment(seeded: Seeded) -> Environment:
    return seeded.application.services.tracking.record_environment(
        seeded.owner,
        lock="numpy==2.4.1\npyarrow==26.0.0\n",
        code={
            "commit": "4f0c9a1be27d83c5a6b7e8f90123456789abcdef",
            "branch": "main",
            "remote": "https://example.org/team/bikes.git",
            "is_dirty": True,
            "untracked": ["notes.txt"],
        },
        patch="diff --git a/train.py b/train.py\n+learning_rate = 0.03\n",
        machine={"os": "Linux", "python": "3.11.9", "cpu": "Some CPU", "cpu_count": 8, "memory_bytes": 2**34},
    )


def _runs(seeded: Seeded, environment: Environment) -> None:
    tracking, owner = seeded.application.services.tracking, seeded.owner
    run = tracking.start_run(
        owner, name="gradient boosting", environment_id=environment.id, seeds={"python": 7, "numpy": 7}
    )
    blob = tracking.put_artifact(owner, b"weights" * 1000)
    tracking.log(
        owner,
        run.id,
        params={"learning_rate": 0.1, "features": ["temp", "hr"], EVIL[:200]: EVIL},
        points=_points(),
        artifacts=[Artifact(name, blob.digest, blob.size_bytes, "file") for name in ("model.bin", EVIL)],
    )
    tracking.end_run(owner, run.id, "succeeded")
    evil = tracking.start_run(owner, name=EVIL)
    tracking.end_run(owner, evil.id, "cancelled")
    running = tracking.start_run(owner, name="still going")
    losses = [Point("loss", 1 / (i + 1), i, AT) for i in range(20)]
    tracking.log(owner, running.id, params={}, points=losses, artifacts=[])
    seeded.run, seeded.evil_run, seeded.running = run.id, evil.id, running.id


def _points() -> list[Point]:
    """A curve with a gap, a smooth one, one that is a single number."""
    rng, points = random.Random(3), [Point("r2", 0.9312, 0, AT)]
    for step in range(300):
        value = 40 + 90 * math.exp(-step / 60) + rng.gauss(0, 1.5)
        points.append(Point("mae", math.nan if 120 <= step < 150 else value, step, AT))
        points.append(Point("learning rate", 0.1 * 0.99**step, step, AT))
    return points


@dataclass
class _Driver:
    """Says of a run what a driver would."""

    seeded: Seeded
    run_id: str
    salt: str
    ids: dict[str, str] = field(default_factory=dict)

    def step(self, label: str, *needs: str, kind: Any = "step", status: Any = "succeeded", **more: Any) -> None:
        name, _, ordinal = label.rstrip("]").partition("[")
        id, services = new_id(), self.seeded.application.services
        self.ids[label] = id
        parameters = {"learning_rate": 0.1} if name == "train" else {}
        code = {"code": {name: "c" * 64}, "types": {}, "inputs": {}, "parameters": parameters, "environment": "e" * 64}
        key = digest([label, self.salt if name != "split_by_time" else ""]) if kind == "step" else None
        claim = Claim(id, name, int(ordinal or 0), kind, key, code if key else None, [self.ids[n] for n in needs])
        _, (begun,) = services.pipelines.exchange(self.seeded.owner, self.run_id, Exchange([claim]))
        if begun.status == "cached":
            return
        body = f"{label} {self.salt}".encode()
        made = hashlib.sha256(body).hexdigest()
        outputs = [Output("result", made, len(body), "table", "pickle")] if status == "succeeded" and key else []
        contents = {made: body} if outputs else {}
        finish = Finish(id, status, 1, outputs, contents, **more)
        services.pipelines.exchange(self.seeded.owner, self.run_id, Exchange(finishes=[finish]))


def _pipeline(seeded: Seeded, environment: Environment, version_id: str, *, fails: bool) -> str:
    services, owner, run_id = seeded.application.services, seeded.owner, new_id()
    inputs = {"rows": {"version_id": version_id, "reference": "bike_demand@1"}}
    here = {"host": "here", "pid": 1}
    start = Start(run_id, {"name": "forecast", "steps": []}, {"rates": [0.03, 0.1]}, inputs, environment.id, None, here)
    services.pipelines.start_run(owner, start)
    driver = _Driver(seeded, run_id, "fails" if fails else "passes")
    driver.step("split_by_time")
    trains, tests = ["train", "train[1]", "train[2]"], ["evaluate", "evaluate[1]", "evaluate[2]"]
    for train in trains:
        driver.step(train, "split_by_time", points=[Point("loss", 1 / (i + 1), i, AT) for i in range(30)])
    for test, train in zip(tests, trains, strict=True):
        driver.step(test, train, "split_by_time")
    driver.step("best", *trains, *tests, kind="choice", facts={"scores": [41.2, 39.9, 44.0], "chosen": 1})
    if not fails:
        driver.step("gate", "best", kind="operation", facts={"outcome": "pass"})
        driver.step("register", "best", "gate", kind="operation", facts={"version": "bike-demand:1"})
        services.pipelines.finish_run(owner, run_id, "succeeded", None, [])
        return run_id
    text = "epoch 1\nTraceback (most recent call last):\nZeroDivisionError: division by zero\n"
    log = services.tracking.put_artifact(owner, text.encode())
    found = "ZeroDivisionError: division by zero"
    error = StepFailed("step judge", wanted="a value", found=found, fix="Mend the step and resume.").to_wire()
    kept = {"file": "judge.log", "digest": log.digest, "size_bytes": log.size_bytes}
    driver.step("judge", "best", status="failed", error=error, log=kept)
    skipped = Skip(new_id(), "register", 0, "operation", [driver.ids["judge"]])
    services.pipelines.finish_run(owner, run_id, "failed", error, [skipped])
    seeded.steps = driver.ids
    return run_id


def _models(seeded: Seeded, environment: Environment, version_id: str) -> None:
    """Three generations: the first champion, a better one that takes its place, and one that is no better."""
    rows = _rows()
    learners = [Ridge(), HistGradientBoostingRegressor(max_iter=40, random_state=0), DummyRegressor()]
    for learner, margin in zip(learners, (0.0, 0.0, 0.05), strict=True):
        model = Regressor.fit(learner, rows.slice(0, 1200), ("hr", "temp"), "cnt")
        artifact, gate = _judged(seeded, model, rows.slice(1200), margin)
        registration = Registration(
            artifact=artifact,
            predictions=gate.candidate.predictions_digest,
            params={"learner": type(learner).__name__},
            run_id=seeded.pipeline,
            dataset_version_ids=[version_id],
            environment_id=environment.id,
            owner="the demand team",
            description=f"Predicts bikes hired. {EVIL}",
            tags={"city": EVIL},
        )
        registry = seeded.application.services.registry
        version = registry.register(seeded.owner, "bike-demand", registration).version
        if gate.verdict:
            version = registry.promote(seeded.owner, version.reference, reason="better")
        seeded.application.services.jobs.run_due(SYSTEM)
        seeded.versions.append(registry.version(seeded.owner, version.reference))


def _judged(seeded: Seeded, model: Regressor, holdout: pa.Table, margin: float) -> tuple[str, GateVerdict]:
    services, owner = seeded.application.services, seeded.owner
    predictions = Predictions(holdout["cnt"], model.predict(holdout), blocks=holdout["day"].to_numpy())
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(holdout, sink)
    stored = [model.to_bytes(), predictions.to_bytes(), sink.getvalue().to_pybytes()]
    artifact, predicted, table = (services.tracking.put_artifact(owner, data).digest for data in stored)
    asked = services.registry.gates.judge(
        owner, "bike-demand", Candidate(artifact, predicted, table), margin=margin, threshold=200.0
    )
    if isinstance(asked, GateVerdict):
        return artifact, asked
    services.jobs.run_due(SYSTEM)
    job = services.jobs.job(owner, asked)
    assert job.result is not None, job.error
    return artifact, services.registry.gates.gate(owner, job.result["gate_id"])


def _rows() -> pa.Table:
    rng = np.random.default_rng(5)
    hour = np.arange(2400) % 24
    temp = 0.5 + 0.3 * np.sin(np.arange(2400) / 180) + rng.normal(0, 0.05, 2400)
    count = 40 + 160 * temp + 60 * np.sin(hour / 24 * 2 * np.pi) ** 2 + rng.normal(0, 15, 2400)
    return pa.table({"hr": hour, "temp": temp, "day": np.arange(2400) // 24, "cnt": count})
