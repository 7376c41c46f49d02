"""Steps that go wrong in every way their process can, and drivers that are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import mainspring as ms
from mainspring.kernel.errors import MainspringError, StepFailed, TimedOut
from mainspring.pipelines.client.pools import close_pools
from mainspring.surfaces.client import Client, connect

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def _pools() -> Iterator[None]:
    yield
    close_pools()


@ms.step(timeout_s=0.5)
def hangs(value: int) -> int:
    sys.stdout.write("waiting for ever\n")
    while True:
        time.sleep(3600)


@ms.step
def killed(value: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return value


@ms.step
def exits(value: int) -> int:
    sys.exit(3)


@ms.step
def shouts(megabytes: int) -> int:
    line = "x" * 999_999
    for _ in range(megabytes):
        sys.stdout.write(line + "\n")
    return megabytes


@ms.step(resources=ms.Resources(memory="200Mi"))
def hungry(value: int) -> int:
    kept = []
    while True:
        kept.append(bytearray(50_000_000))


@ms.step
def fine(value: int) -> int:
    return value


@ms.pipeline
def faulty(name: str) -> None:
    steps = {step.name: step for step in (hangs, killed, exits, shouts, hungry)}
    steps[name](100 if name == "shouts" else 1)
    fine(1)


@pytest.mark.parametrize(
    ("name", "error", "found"),
    [
        ("hangs", TimedOut, "still running after"),
        ("killed", StepFailed, "SIGKILL"),
        ("exits", StepFailed, "SystemExit: 3"),
        ("hungry", StepFailed, "of memory"),
    ],
)
def test_a_step_that_goes_wrong_fails_alone_and_says_how(
    client: Client, name: str, error: type[MainspringError], found: str
):
    run = faulty.run(client=client, compute="processes", name=name, check=False)
    assert isinstance(run.error, error)
    assert found in str(run.error)
    assert f"mainspring logs {run.step(name).id}" in str(run.error)
    assert {step.label: step.status for step in run.steps} == {name: "failed", "fine": "succeeded"}
    (recorded,) = [s for s in client.get(f"/pipelines/runs/{run.id}")["steps"] if s["label"] == name]
    assert (recorded["outputs"], recorded["status"]) == ([], "failed")


def test_a_step_that_prints_100_mb_succeeds_with_a_log_that_is_cut(client: Client):
    run = faulty.run(client=client, compute="processes", name="shouts")
    assert run.load("shouts") == 100
    log = client.get(f"/pipelines/steps/{run.step('shouts').id}")["log"]
    assert 1_000_000 < log["size_bytes"] < 11_000_000


PROJECT = """
import os
import time
from pathlib import Path

import mainspring as ms


@ms.step
def first(folder: str) -> int:
    with (Path(folder) / "first").open("a") as file:
        file.write("x")
    return 1


@ms.step
def slow(folder: str, value: int) -> int:
    marker = Path(folder) / "slow"
    with marker.open("a") as file:
        file.write(f"{os.getpid()}\\n")
    while (Path(folder) / "wait").exists():
        time.sleep(0.01)
    return value + 1


@ms.step
def last(value: int) -> int:
    return value + 1


@ms.pipeline
def long(folder: str):
    last(slow(folder, first(folder)))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "project.py").write_text(textwrap.dedent(PROJECT))
    (folder / "wait").touch()
    return folder


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Starts `mainspring …` in the project; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from mainspring.app.cli import main; main()", *arguments],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MAINSPRING_HOME": str(project / ".mainspring")},
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _until(happened: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    give_up = time.monotonic() + WAIT_S
    while not (found := happened()):
        assert time.monotonic() < give_up, "it did not happen in time"
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return found


def _run_long(start: Start, project: Path, *more: str) -> subprocess.Popen[str]:
    return start("run", "long", "--param", f"folder={project}", *more)


def _slow_pid(project: Path) -> int:
    marker = project / "slow"
    lines = marker.read_text().splitlines() if marker.exists() else []
    return int(lines[-1]) if lines else 0


def _descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return not [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_records_the_run_as_cancelled_and_leaves_no_process(start: Start, project: Path, number: signal.Signals):
    process = _run_long(start, project)
    _until(lambda: _slow_pid(project), process)
    descendants = _descendants(process.pid)
    assert _slow_pid(project) in [child.pid for child in descendants]
    process.send_signal(number)
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130, said
    assert _gone(descendants)
    with connect(project / ".mainspring") as client:
        (run,) = client.get("/pipelines/runs")
        assert run["status"] == "cancelled"
        steps = {step["label"]: step["status"] for step in client.get(f"/pipelines/runs/{run['id']}")["steps"]}
    assert steps["first"] == "succeeded"
    assert steps["slow"] == "cancelled"


def test_after_kill_9_of_the_driver_no_process_is_left_and_the_run_is_gone_on_from(start: Start, project: Path):
    process = _run_long(start, project)
    _until(lambda: _slow_pid(project), process)
    descendants = _descendants(process.pid)
    with connect(project / ".mainspring") as client:
        (run,) = client.get("/pipelines/runs")
        assert run["status"] == "running"
        _until(
            lambda: [s for s in client.get(f"/pipelines/runs/{run['id']}")["steps"] if s["status"] == "succeeded"],
            process,
        )
    process.kill()
    process.communicate()
    assert _gone(descendants)
    (project / "wait").unlink()
    resumed = start("run", "long", "--resume", run["id"], "--json")
    _, said = resumed.communicate(timeout=WAIT_S)
    assert resumed.returncode == 0, said
    with connect(project / ".mainspring") as client:
        newest, killed_run = client.get("/pipelines/runs")
        assert (newest["status"], newest["resumed_from"]) == ("succeeded", run["id"])
        assert killed_run["status"] == "interrupted", "never lost"
        steps = {step["label"]: step["status"] for step in client.get(f"/pipelines/runs/{newest['id']}")["steps"]}
        assert steps == {"first": "cached", "slow": "succeeded", "last": "succeeded"}
        assert all(report["fault"] is None for report in client.post("/audit/verify"))
    assert (project / "first").read_text() == "x", "what was acknowledged is not executed twice"


def test_the_command_prints_lines_json_and_reasons(start: Start, project: Path):
    import json

    (project / "wait").unlink()
    process = _run_long(start, project)
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, said
    assert "succeeded last" in said.replace("  ", " ")
    again = _run_long(start, project, "--json")
    out, said = again.communicate(timeout=WAIT_S)
    found = json.loads(out)
    assert {step["status"] for step in found["steps"]} == {"cached"}
    why = start("pipeline", "why", found["run"]["id"], "slow")
    out, said = why.communicate(timeout=WAIT_S)
    assert "slow taken from run" in out, said
    missing = start("run", "nothing")
    _, said = missing.communicate(timeout=WAIT_S)
    assert missing.returncode == 3
    assert "long" in said, "the pipelines there are, are named"
