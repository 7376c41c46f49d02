"""kill -9 at random moments of an ingest: nothing half visible, and a rerun finishes without duplicates."""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mainspring.data.service import DataService
from mainspring.engines.ledger import events as ledger
from tests.data.conftest import BIKES
from tests.data.test_ingest import BIKE_DEMAND

MOMENTS = 10
LONGEST_S = 0.6
SOURCE = BIKES.read_bytes()
FINGERPRINT = hashlib.sha256(SOURCE).hexdigest()

# Imports once, then forks one ingest per line it reads: a moment is then one of the ingest, not of the imports.
INGESTER = """
import os, sys
from pathlib import Path
from mainspring.access.service import AccessService
from mainspring.data.service import DataService
from mainspring.engines.assembly import assemble
from mainspring.engines.home import Home
from mainspring.engines.settings import EngineSettings
from mainspring.kernel.principals import Principal, Role
import mainspring.data.sources.csv, mainspring.engines.query.duckdb, mainspring.engines.tables.delta
home, name, fingerprint = sys.argv[1:]
owner = Principal("p", "owner", "default", Role.owner)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        data = DataService(assemble(Home(Path(home)), EngineSettings()))
        data.ingest(owner, name, fingerprint=fingerprint, source_name="hour.csv")
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture
def ingester(engines, data, owner, ingest) -> Iterator[subprocess.Popen[str]]:
    data.apply(owner, [BIKE_DEMAND.to_json()])
    place = engines.home.work / "hour.csv"
    place.write_bytes(SOURCE)
    data.upload(owner, place, expected=FINGERPRINT)
    command = [sys.executable, "-c", INGESTER, str(engines.home.root), "bike_demand", FINGERPRINT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def run_and_kill(process: subprocess.Popen[str], after_s: float) -> int:
    """The exit code of one ingest that is killed after so long, if it lasts so long."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    pid = int(process.stdout.readline())
    killer = subprocess.Popen(["sleep", f"{after_s:.4f}"])
    killer.wait()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return int(process.stdout.readline())


def test_an_ingest_killed_at_any_moment_leaves_nothing_half_and_a_rerun_finishes(engines, data, owner, ingester):
    rng = random.Random(20_261_121)
    finished = False
    for _ in range(MOMENTS):
        code = run_and_kill(ingester, rng.uniform(0.0, LONGEST_S))
        assert code in (0, -signal.SIGKILL)
        fresh = DataService(engines)
        versions = fresh.versions(owner, "bike_demand")
        assert len(versions) <= 1
        finished = finished or code == 0
        if finished:
            assert len(versions) == 1  # what was acknowledged is there
        for version in versions:
            manifest = fresh.manifest(owner, version.id)
            assert engines.tables.read(manifest["table"], fresh.files(owner, version.id)).num_rows == 17_379
    told = data.ingest(owner, "bike_demand", fingerprint=FINGERPRINT, source_name="hour.csv")
    assert told.version.number == 1
    assert len(data.versions(owner, "bike_demand")) == 1
    with engines.sql.read() as connection:
        events = [event.kind for event in ledger.read(connection, owner.project)]
    assert events.count("data.version.ingested") == 1
    table = f"{owner.project}/data/bike_demand"
    kept = engines.tables.files(table)
    folder = engines.tables.paths(table, kept)[0].parent
    assert [path.name for path in folder.glob("part-*")] == [kept[0].path]
