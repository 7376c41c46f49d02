"""Running a pipeline from its definition to its end."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mainspring.data.definitions import Dataset
from mainspring.engines.home import Home
from mainspring.kernel.errors import Conflict, MainspringError, StepFailed
from mainspring.kernel.ids import new_id
from mainspring.pipelines.client import datasets
from mainspring.pipelines.client.attempts import as_failure
from mainspring.pipelines.client.driver import Driver, RunCancelled, Watch
from mainspring.pipelines.client.executing import Execution
from mainspring.pipelines.client.nodes import Piece
from mainspring.pipelines.client.platform import Platform, this_driver
from mainspring.pipelines.client.pools import pool
from mainspring.pipelines.client.results import FinishedRun, FinishedStep
from mainspring.pipelines.definitions.pipelines import Pipeline
from mainspring.pipelines.definitions.running import run_by
from mainspring.pipelines.model.types import flattened, rebuilt
from mainspring.surfaces.client import Client, connect
from mainspring.tracking.client.environments import environment


def run_pipeline(
    pipeline: Pipeline,
    params: Mapping[str, Any],
    *,
    home: str | Path | None = None,
    url: str | None = None,
    token: str | None = None,
    project: str | None = None,
    client: Client | None = None,
    compute: str | None = None,
    resume: str | None = None,
    verify: bool = False,
    check: bool = True,
    watch: Watch | None = None,
    on_start: Any = None,
) -> FinishedRun:
    """Run a pipeline here and wait for its end; see `Pipeline.run`.

    watch     told of every step's states and progress, from any thread.
    on_start  called with the run's id once it has begun.
    """
    opened = partial(connect, home, url, token, project)
    connected = (lambda: nullcontext(client)) if client is not None else opened
    with connected() as session:
        started = _start(session, pipeline, params, resume)
        if on_start is not None:
            on_start(started.id)
        with _driver(session, started, compute, verify, watch) as driver:
            status, error = _drive(driver, pipeline, started)
        steps = tuple(FinishedStep.of(node) for node in driver.nodes)
    if isinstance(error, KeyboardInterrupt):
        raise error
    finished = FinishedRun(started.id, pipeline.name, status, error, steps, connected)  # type: ignore[arg-type]
    if check and error is not None:
        raise error
    return finished


@dataclass(frozen=True)
class _Started:
    """A run the platform knows, and what its pipeline function is to be called with."""

    id: str
    arguments: dict[str, Any]
    inputs: dict[str, dict[str, Any]]
    lock_digest: str
    hints: Mapping[str, Any]


def _start(client: Client, pipeline: Pipeline, params: Mapping[str, Any], resume: str | None) -> _Started:
    if resume is not None:
        params = {**_resumed(client, pipeline, resume), **params}
    arguments = pipeline.arguments(params)
    inputs = {
        name: datasets.resolve(client, arguments[name])
        for name, parameter in pipeline.parameters.items()
        if parameter.kind == "dataset"
    }
    recorded = environment(client, _folder(pipeline))
    platform = Platform(client, new_id())
    started = platform.start(
        definition=pipeline.to_definition(),
        params={name: flattened(value) for name, value in arguments.items() if name not in inputs},
        inputs=inputs,
        environment_id=recorded["id"],
        resumed_from=resume,
        driver=this_driver(),
    )
    return _Started(platform.run_id, arguments, inputs, recorded["lock_digest"], started["hints"])


def _resumed(client: Client, pipeline: Pipeline, id: str) -> dict[str, Any]:
    """Parameters and dataset versions of the run to go on from. Raises Conflict while it is alive."""
    run = client.get(f"/pipelines/runs/{id}")["run"]
    if run["status"] == "running" and not _is_dead(run["driver"]):
        driver = run["driver"]
        raise Conflict(
            f"run {id}",
            wanted="one that has ended",
            found=f"one driven by process {driver.get('pid')} on {driver.get('host')}",
            fix="Wait for it, or cancel it with `mainspring pipeline cancel`.",
        )
    known = {name: value for name, value in run["params"].items() if name in pipeline.parameters}
    values = {name: rebuilt(value, pipeline.parameters[name].annotation) for name, value in known.items()}
    versions = {name: given["reference"] for name, given in run["inputs"].items() if name in pipeline.parameters}
    return values | versions


def _is_dead(driver: Mapping[str, Any]) -> bool:
    """Whether a driver of this machine is gone; of another nobody here can tell."""
    if driver.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(driver["pid"]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, KeyError, ValueError):
        return False
    return False


def _folder(pipeline: Pipeline) -> Path | None:
    """Where the pipeline's code lies: there its Git commit is read."""
    file = getattr(sys.modules.get(pipeline.fn.__module__), "__file__", None)
    return Path(file).parent if file else None


@contextmanager
def _driver(
    client: Client, started: _Started, compute: str | None, verify: bool, watch: Watch | None
) -> Iterator[Driver]:
    """A driver with a work folder of its own, which is gone afterwards; logs stay in the home."""
    temporary = None if client.home else tempfile.mkdtemp(prefix="mainspring-")
    place = Home(client.home or Path(str(temporary)))
    folder, logs = place.work / started.id, place.logs / started.id
    folder.mkdir(parents=True)
    logs.mkdir(parents=True, exist_ok=True)
    driver = Driver(
        Platform(client, started.id),
        pool(client.home, compute),
        Execution(),
        folder=folder,
        logs=logs,
        lock_digest=started.lock_digest,
        hints=started.hints,
        is_verifying=verify,
        watch=watch,
    )
    try:
        yield driver
    finally:
        driver.close()
        shutil.rmtree(folder, ignore_errors=True)
        if not any(logs.iterdir()):
            logs.rmdir()


def _drive(driver: Driver, pipeline: Pipeline, started: _Started) -> tuple[str, BaseException | None]:
    """Call the pipeline function and see everything it called to an end: how the run ended, and with what."""
    error: BaseException | None = None
    try:
        try:
            arguments = {**started.arguments, **_handles(driver, started)}
            with run_by(driver):
                pipeline.fn(**arguments)
        except Exception as raised:  # noqa: BLE001 - the user's function; steps it has begun go on to their end
            error = as_failure(f"pipeline {pipeline.name}", raised)
        except RunCancelled:
            error = None
        driver.drain()
    except KeyboardInterrupt as interrupt:
        error = interrupt
        _stop(driver)
    if driver.exchanges.lost is None:
        driver.flush()
    failed = (node.error for node in driver.nodes if node.state == "failed")
    first = next(failed, driver.exchanges.refusal)
    if isinstance(error, KeyboardInterrupt):
        status = "cancelled"
    elif driver.exchanges.lost is not None:
        # Somebody else ended the run: there is nothing left to end.
        return "interrupted", driver.exchanges.lost
    elif driver.cancelled.is_set():
        status = "cancelled"
        error = StepFailed(f"run {started.id}", wanted="to run to its end", found="it was cancelled")
    else:
        error = first or error
        status = "failed" if error is not None else "succeeded"
    wire = error.to_wire() if isinstance(error, MainspringError) else None
    driver.platform.end(status, wire, [node for node in driver.nodes if node.state == "skipped"])
    return status, error


def _stop(driver: Driver) -> None:
    """End what runs, with grace; at once if the user insists."""
    try:
        driver.cancel()
        driver.drain()
    except KeyboardInterrupt:
        driver.kill()
        driver.drain()


def _handles(driver: Driver, started: _Started) -> dict[str, Any]:
    """Handles of the dataset versions this run uses."""
    handles = {}
    for name, version in started.inputs.items():
        path = datasets.list_files(driver.platform.client, version["version_id"], driver.folder)
        piece = Piece(
            digest=version["version_id"],
            kind="dataset",
            materializer="dataset",
            meta=version,
            step_id="",
            run_id=started.id,
            promised=Dataset,
            label=f"dataset {version['dataset']} version {version['number']}",
            path=path,
        )
        handles[name] = driver.give(name, piece)
    return handles
