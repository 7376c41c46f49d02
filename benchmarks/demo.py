"""`mainspring demo`: from nothing, and again with everything in the cache."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Figure

BIN = str(Path(sys.executable).parent / "mainspring")


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        seconds, answers = [], []
        for _ in range(3):
            began = time.perf_counter()
            done = subprocess.run(
                [BIN, "demo", "--folder", f"{folder}/demo", "--json"],
                capture_output=True,
                text=True,
                timeout=300,
                check=True,
            )
            seconds.append(time.perf_counter() - began)
            answers.append(json.loads(done.stdout.strip().splitlines()[-1]))
    cached = f"{answers[1]['steps_cached']} of {answers[1]['steps']} steps cached in the second run"
    return [
        Figure("demo after set-up", seconds[0], "s", 30.0, detail=f"registered {answers[0]['version']}"),
        Figure("demo, everything cached", min(seconds[1:]), "s", 5.0, detail=cached),
    ]
