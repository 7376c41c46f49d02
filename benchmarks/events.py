"""A state change with its event in the chain: rate in one process, rate and p99 with four."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert

from benchmarks.report import Figure
from mainspring.access.service import SYSTEM
from mainspring.app.build import opened
from mainspring.engines.home import Home
from mainspring.engines.ledger import events as ledger
from mainspring.engines.ledger import leases
from mainspring.kernel.events import Event, subject
from mainspring.kernel.ids import new_id

ONE, EACH_OF_FOUR = 4000, 1500


@dataclass(frozen=True, kw_only=True)
class Measured(Event):
    kind = "bench.measured"
    thing_id: str = subject()
    note: str


def write(home: Path, count: int) -> list[float]:
    """Seconds of each of `count` units of work: one inserted row, one chained event, one commit."""
    seconds = []
    with opened(Home(home), lock=False) as application:
        sql = application.engines.sql
        for _ in range(count):
            id = new_id()
            began = time.perf_counter()
            with sql.write(SYSTEM) as work:
                work.execute(insert(leases.leases).values(name=id, holder="bench", until=work.now))
                work.emit(Measured(thing_id=id, note="a state change"))
            seconds.append(time.perf_counter() - began)
    return seconds


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with opened(Home(home)) as application:
            durability = application.engines.sql.describe()["durability"]
        began = time.perf_counter()
        alone = write(home, ONE)
        rate = ONE / sum(alone)
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(4) as pool:
            pool.starmap(write, [(home, 10)] * 4)
            began = time.perf_counter()
            together = [s for part in pool.starmap(write, [(home, EACH_OF_FOUR)] * 4) for s in part]
            wall = time.perf_counter() - began
        with opened(Home(home)) as application, application.engines.sql.read() as connection:
            owner = application.services.access.sign_in(Home(home).owner_token.read_text().strip())
            total = ledger.head(connection, "platform")[0]
            intact = all(report.ok for report in application.services.audit.verify(owner))
    p50, p99 = (statistics.quantiles(together, n=100)[q] * 1000 for q in (49, 98))
    fork = f"no fork: {intact}, {total} events verified; durability {durability}"
    return [
        Figure("event with state change and chain, one process", rate, "/s", 1500, "higher", fork),
        Figure(
            "the same, four processes writing, total",
            len(together) / wall,
            "/s",
            None,
            "higher",
            f"a write waits at p50 {p50:.2f} ms, p99 {p99:.2f} ms",
        ),
        Figure("p99 of a write with four processes writing", p99, "ms"),
    ]
