"""`kill -9` at fifty random moments of ingest, pipeline and registration."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mainspring.surfaces.client import Client, connect

KILLS = 50
ROOT = Path(__file__).parents[3]


class Worker:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.app.kills.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def do(self, home: Path, folder: Path, number: int, *, kill_after_s: float | None) -> tuple[int, dict[str, str]]:
        """(exit code, what was acknowledged) of one child, killed after a while or let be."""
        assert self.process.stdin and self.process.stdout
        asked = {"home": str(home), "folder": str(folder), "number": number}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        acknowledged: dict[str, str] = {}
        began = time.monotonic()
        for line in self.process.stdout:
            told: dict[str, Any] = json.loads(line)
            if "child" in told and kill_after_s is not None:
                time.sleep(max(0.0, kill_after_s - (time.monotonic() - began)))
                with suppress(ProcessLookupError):  # it was done before its moment came
                    os.kill(told["child"], signal.SIGKILL)
            elif "acknowledged" in told:
                acknowledged[told["acknowledged"]] = told["id"]
            elif "ended" in told:
                return told["ended"], acknowledged
        raise AssertionError("the worker ended")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.process.kill()
    made.process.wait()


def test_what_was_acknowledged_is_there_and_a_rerun_finishes(worker: Worker, tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(20261120)
    for warm_up in (KILLS, KILLS + 1):
        began = time.monotonic()
        assert worker.do(home, tmp_path, warm_up, kill_after_s=None)[0] == 0
        whole_s = time.monotonic() - began
    killed_in = {"before the data": 0, "in the run": 0, "after the run": 0, "never": 0}
    for number in range(KILLS):
        moment = chance.uniform(0.0, whole_s)
        code, acknowledged = worker.do(home, tmp_path, number, kill_after_s=moment)
        with connect(home) as client:
            require_whole(client, acknowledged)
        killed_in[_phase(code, acknowledged)] += 1
        again, all_of_it = worker.do(home, tmp_path, number, kill_after_s=None)
        assert again == 0, f"the rerun after a kill at {moment:.3f} s did not finish"
        for kind in ("dataset", "version"):
            assert acknowledged.get(kind, all_of_it[kind]) == all_of_it[kind], "the rerun made something else"
    with connect(home) as client:
        require_whole(client, all_of_it)
        numbers = sorted(version["number"] for version in client.get("/data/datasets/killed/versions"))
        assert numbers == list(range(1, KILLS + 3)), "a version is missing or was made twice"
        models = sorted(version["number"] for version in client.get("/registry/versions", model="killed", limit=1000))
        assert models == list(range(1, len(models) + 1))
        assert len(
            {version["artifact_digest"] for version in client.get("/registry/versions", model="killed", limit=1000)}
        ) == len(models)
    assert killed_in["in the run"] >= 5, f"the moments must reach into the run: {killed_in}"


def _phase(code: int, acknowledged: dict[str, str]) -> str:
    if code == 0:
        return "never"
    return (
        "after the run" if "run" in acknowledged else "in the run" if "dataset" in acknowledged else "before the data"
    )


def require_whole(client: Client, acknowledged: dict[str, str]) -> None:
    """Every chain verifies, everything visible can be read whole, and what was acknowledged is visible."""
    for report in client.post("/audit/verify"):
        assert report["fault"] is None, report
    versions = (
        {version["id"]: version for version in client.get("/data/datasets/killed/versions")}
        if _has_data(client)
        else {}
    )
    newest = max(versions.values(), key=lambda version: version["number"], default=None)
    if newest is not None:
        assert len(client.get(f"/data/versions/{newest['id']}/rows", limit=1000)) == newest["rows"]
    models = client.get("/registry/versions", limit=1000)
    if models:
        last = max(models, key=lambda version: version["number"])
        assert client.post(f"/registry/versions/{last['id']}/verify")
    runs = {run["id"] for run in client.get("/pipelines/runs", limit=1000)}
    known = {"dataset": set(versions), "run": runs, "version": {version["id"] for version in models}}
    for kind, id in acknowledged.items():
        assert id in known[kind], f"the acknowledged {kind} {id} is gone"


def _has_data(client: Client) -> bool:
    return any(dataset["name"] == "killed" for dataset in client.get("/data/datasets"))
