"""`mainspring up`: seconds to its first answer, and the memory of the control plane."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from benchmarks.report import Figure

BIN = str(Path(sys.executable).parent / "mainspring")


def measure() -> list[Figure]:
    seconds, memory = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(4):
            home = str(Path(folder) / "home")
            began = time.perf_counter()
            up = subprocess.Popen(
                [BIN, "up", "--home", home, "--port", "0", "--gateway-port", "0", "--json"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            try:
                assert up.stdout
                url = json.loads(up.stdout.readline())["url"]
                urllib.request.urlopen(f"{url}/health", timeout=5).read()
                seconds.append(time.perf_counter() - began)
                memory = max(memory, _control_plane_mb(up.pid, url, Path(home)))
            finally:
                up.send_signal(signal.SIGINT)
                up.wait(20)
    first, again = seconds[0], sorted(seconds[1:])[1]
    return [
        Figure(
            "up to first answer, new home", first, "s", 3.0, detail="home made and migrated, every process answering"
        ),
        Figure("up to first answer, known home", again, "s", 3.0, detail="median of 3"),
        Figure("control plane memory", memory, "MB", 200.0, detail="resident set after 200 requests"),
    ]


def _control_plane_mb(pid: int, url: str, home: Path) -> float:
    token = (home / "keys" / "owner.token").read_text().strip()
    for path in ("/api/v1/tracking/runs", "/api/v1/registry/models", "/api/v1/data/datasets", "/openapi.json"):
        for _ in range(50):
            request = urllib.request.Request(url + path, headers={"authorization": f"Bearer {token}"})
            urllib.request.urlopen(request, timeout=10).read()
    for child in psutil.Process(pid).children():
        if "mainspring.app.control_plane" in child.cmdline():
            return float(child.memory_info().rss) / 1e6
    raise RuntimeError("no control plane among the children of `up`")
