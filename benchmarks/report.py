"""A figure, its limit, and how they are printed."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """A measured number.

    limit   what it is held to, or None for a figure that is only stated.
    better  "lower" or "higher".
    detail  how it was measured, and what else was seen in the same run.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    better: str = "lower"
    detail: str = ""

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return "stated"
        met = self.value <= self.limit if self.better == "lower" else self.value >= self.limit
        return "met" if met else "MISSED"


def show(figures: Sequence[Figure]) -> None:
    """Print the figures as a table and keep them as JSON."""
    print(f"\n{'figure':58} {'measured':>12} {'limit':>12}  verdict")
    for figure in figures:
        sign = "<=" if figure.better == "lower" else ">="
        limit = "" if figure.limit is None else f"{sign} {figure.limit:g}"
        print(f"{figure.name:58} {figure.value:>9.4g} {figure.unit:3} {limit:>11}  {figure.verdict}")
        if figure.detail:
            print(f"    {figure.detail}")
    RESULTS.mkdir(exist_ok=True)
    machine = {"platform": platform.platform(), "python": platform.python_version(), "cpus": os.cpu_count()}
    kept = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine}
    (RESULTS / "latest.json").write_text(json.dumps({**kept, "figures": [asdict(f) for f in figures]}, indent=1))


def timed(action: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each of `repeats` calls, after one that is not counted."""
    action()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return seconds


def median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000
