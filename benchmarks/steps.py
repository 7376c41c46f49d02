"""A pipeline step with its artifact stored: in process, isolated, and from the cache; Dagster beside it."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import mainspring as ms
from benchmarks.report import Figure

PEER = Path(".venv-bench/bin/python")
STEPS = 20


@ms.step
def begin(seed: int) -> list[int]:
    return [seed]


@ms.step
def extend(numbers: list[int]) -> list[int]:
    return [*numbers, len(numbers)]


@ms.pipeline
def chain(seed: int = 0) -> None:
    numbers = begin(seed)
    for _ in range(STEPS - 1):
        numbers = extend(numbers)


def measure() -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as folder, ms.connect(Path(folder) / "home") as client:
        per_step = {}
        for compute, limit in (("inline", 5.0), ("processes", 15.0)):
            chain.run(seed=-1, client=client, compute=compute)
            seconds = []
            for seed in range(5):
                began = time.perf_counter()
                chain.run(seed=seed + (100 if compute == "processes" else 0), client=client, compute=compute)
                seconds.append(time.perf_counter() - began)
            per_step[compute] = sorted(seconds)[2] / STEPS * 1000
            name = "in process" if compute == "inline" else "isolated"
            detail = f"median of 5 runs of {STEPS} chained steps, artifacts stored, start and end of the run included"
            figures.append(Figure(f"a step {name}", per_step[compute], "ms", limit, detail=detail))
        seconds = []
        for _ in range(7):
            began = time.perf_counter()
            chain.run(seed=0, client=client, compute="inline")
            seconds.append(time.perf_counter() - began)
        figures.append(
            Figure(f"{STEPS} cached steps", sorted(seconds)[3] * 1000, "ms", 50.0, detail="median of 7 whole runs")
        )
    return figures + _peer(per_step)


def _peer(ours: dict[str, float]) -> list[Figure]:
    if not PEER.exists():
        print("Dagster: not measured, its environment is not there (make bench-deps)")
        return []
    done = subprocess.run(
        [str(PEER), "benchmarks/peers/dagster_steps.py", str(STEPS)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        print("Dagster: not measured, it failed:\n" + done.stderr[-2000:])
        return []
    theirs = json.loads(done.stdout.strip().splitlines()[-1])
    version = theirs["version"]
    pairs = (("inline", "in_process", "in process"), ("processes", "multiprocess", "isolated"))
    return [
        Figure(
            f"Dagster {version}: a step {words}, times ours",
            theirs[key] / ours[compute],
            "x",
            None,
            "higher",
            f"theirs {theirs[key]:.1f} ms, ours {ours[compute]:.1f} ms, same run, {theirs['how'][key]}",
        )
        for compute, key, words in pairs
    ]
