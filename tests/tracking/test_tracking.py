from __future__ import annotations

import math
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.engines.assembly import Engines
from mainspring.engines.ledger import events as ledger
from mainspring.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound, NotPermitted
from mainspring.kernel.principals import Principal, Role
from mainspring.tracking.model import Artifact, Point
from mainspring.tracking.service import TrackingService

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def tracking(engines: Engines) -> TrackingService:
    return TrackingService(engines)


def log(tracking: TrackingService, owner: Principal, run: str, **records: Any) -> None:
    tracking.log(owner, run, **{"params": {}, "points": [], "artifacts": [], **records})


def test_a_run_keeps_what_was_logged(tracking: TrackingService, owner: Principal) -> None:
    run = tracking.start_run(owner, name="first")
    blob = tracking.put_artifact(owner, b"weights")
    points = [Point("mae", 3.0, 0, NOW), Point("mae", 2.0, 1, NOW), Point("rmse", 9.0, 0, NOW)]
    artifact = Artifact("model", blob.digest, blob.size_bytes, "file")
    log(tracking, owner, run.id, params={"rate": 0.1, "deep": {"layers": [1, 2]}}, points=points, artifacts=[artifact])
    tracking.end_run(owner, run.id, "succeeded")
    detail = tracking.run(owner, run.id)
    assert detail.run.status == "succeeded"
    assert detail.params == {"rate": 0.1, "deep": {"layers": [1, 2]}}
    assert detail.metrics == {"mae": 2.0, "rmse": 9.0}
    assert detail.artifacts == (artifact,)
    assert tracking.history(owner, run.id, "mae") == points[:2]
    assert b"".join(tracking.artifact(owner, blob.digest)) == b"weights"


@given(values=st.lists(st.floats(width=64), min_size=1, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_every_float_comes_back_as_it_was(tracking: TrackingService, owner: Principal, values: list[float]) -> None:
    run = tracking.start_run(owner, name="floats")
    log(tracking, owner, run.id, points=[Point("x", value, step, NOW) for step, value in enumerate(values)])
    found = [point.value for point in tracking.history(owner, run.id, "x")]
    assert all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found, values, strict=True))


def test_writers_side_by_side_lose_no_point(tracking: TrackingService, owner: Principal) -> None:
    run = tracking.start_run(owner, name="busy")

    def write(letter: str) -> None:
        for batch in range(10):
            log(tracking, owner, run.id, points=[Point(letter, float(i), batch * 20 + i, NOW) for i in range(20)])

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(tracking.history(owner, run.id, letter)) for letter in "abcdefgh"] == [200] * 8


def test_a_parameter_never_changes(tracking: TrackingService, owner: Principal) -> None:
    run = tracking.start_run(owner, name="fixed")
    log(tracking, owner, run.id, params={"rate": 0.1})
    log(tracking, owner, run.id, params={"rate": 0.1, "depth": 3})
    with pytest.raises(Conflict, match="parameters never change"):
        log(tracking, owner, run.id, params={"rate": 0.2, "more": 1})
    assert tracking.run(owner, run.id).params == {"rate": 0.1, "depth": 3}


def test_an_ended_run_is_closed(tracking: TrackingService, owner: Principal) -> None:
    run = tracking.start_run(owner, name="over")
    tracking.end_run(owner, run.id, "failed")
    tracking.end_run(owner, run.id, "failed")
    with pytest.raises(Conflict, match="found one that failed"):
        log(tracking, owner, run.id, params={"late": 1})
    with pytest.raises(Conflict):
        tracking.end_run(owner, run.id, "succeeded")


def test_the_end_of_a_run_seals_a_digest_of_its_records(
    engines: Engines, tracking: TrackingService, owner: Principal
) -> None:
    runs = [tracking.start_run(owner, name="same") for _ in range(3)]
    for run, value in zip(runs, (1.0, 1.0, 2.0), strict=True):
        log(tracking, owner, run.id, points=[Point("mae", value, 0, NOW)])
        tracking.end_run(owner, run.id, "succeeded")
    with engines.sql.read() as connection:
        ends = [e.payload for e in ledger.read(connection, "default", kinds=("tracking.run.ended",))]
    digests = [payload["records_digest"] for payload in ends if payload]
    assert digests[0] == digests[1] != digests[2]


def test_all_records_of_a_call_come_or_none(tracking: TrackingService, owner: Principal) -> None:
    run = tracking.start_run(owner, name="atomic")
    with pytest.raises(InvalidInput, match="metric name"):
        log(tracking, owner, run.id, params={"a": 1}, points=[Point("", 1.0, 0, NOW)])
    assert tracking.run(owner, run.id).params == {}


@pytest.mark.parametrize("key", ["", " a", "a ", "x" * 251, "line\nbreak"])
def test_a_bad_name_is_refused(tracking: TrackingService, owner: Principal, key: str) -> None:
    run = tracking.start_run(owner, name="names")
    for records in ({"params": {key: 1}}, {"points": [Point(key, 1.0, 0, NOW)]}):
        with pytest.raises(InvalidInput, match="1 to 250 printable"):
            log(tracking, owner, run.id, **records)


def test_knowing_a_digest_opens_nothing_in_another_project(tracking: TrackingService, owner: Principal) -> None:
    blob = tracking.put_artifact(owner, b"secret weights")
    stranger = replace(owner, project="other")
    with pytest.raises(NotFound):
        tracking.artifact(stranger, blob.digest)
    run = tracking.start_run(stranger, name="thief")
    with pytest.raises(NotFound):
        log(tracking, stranger, run.id, artifacts=[Artifact("m", blob.digest, blob.size_bytes, "file")])
    with pytest.raises(NotFound):
        tracking.run(stranger, tracking.start_run(owner, name="mine").id)


def test_an_artifact_that_differs_from_its_digest_is_refused(tracking: TrackingService, owner: Principal) -> None:
    with pytest.raises(Corrupt):
        tracking.put_artifact(owner, b"bytes", expected="0" * 64)


def test_a_changed_artifact_is_not_given_out(engines: Engines, tracking: TrackingService, owner: Principal) -> None:
    blob = tracking.put_artifact(owner, b"weights")
    place = engines.blobs.path(blob.digest)
    assert place
    place.chmod(0o600)
    place.write_bytes(b"Weights")
    with pytest.raises(Corrupt):
        next(tracking.artifact(owner, blob.digest))


def test_viewers_read_and_do_not_write(tracking: TrackingService, owner: Principal) -> None:
    run = tracking.start_run(owner, name="seen")
    viewer = replace(owner, role=Role.viewer)
    assert tracking.run(viewer, run.id).run.name == "seen"
    with pytest.raises(NotPermitted):
        tracking.start_run(viewer, name="mine")
    with pytest.raises(NotPermitted):
        tracking.put_artifact(viewer, b"x")


def test_equal_environments_are_recorded_once(engines: Engines, tracking: TrackingService, owner: Principal) -> None:
    facts: dict[str, Any] = {"lock": "a==1\n", "code": {"commit": "abc"}, "patch": "+x", "machine": {"python": "3.11"}}
    first, second = (tracking.record_environment(owner, **facts) for _ in range(2))
    assert first == second
    assert engines.blobs.read(first.lock_digest) == b"a==1\n"
    assert first.code
    assert engines.blobs.read(first.code["patch_digest"]) == b"+x"
    with engines.sql.read() as connection:
        assert len(ledger.read(connection, "default", kinds=("tracking.environment.recorded",))) == 1


def test_the_machine_and_the_git_state_are_read_for_real(tmp_path: Path) -> None:
    import subprocess

    from mainspring.engines.environment.git import git_state
    from mainspring.engines.environment.machine import machine
    from mainspring.engines.environment.packages import package_lock

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    assert git_state(tmp_path) is None
    git("init", "-b", "trunk")
    (tmp_path / "a.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    git("remote", "add", "origin", "https://user:secret@example.org/repo.git")
    clean = git_state(tmp_path)
    assert clean is not None
    assert (clean.branch, clean.is_dirty, clean.patch, clean.remote) == (
        "trunk",
        False,
        "",
        "https://example.org/repo.git",
    )
    (tmp_path / "a.py").write_text("x = 2\n")
    (tmp_path / "new.py").write_text("")
    dirty = git_state(tmp_path)
    assert dirty is not None
    assert dirty.is_dirty
    assert dirty.untracked == ("new.py",)
    git("stash")
    subprocess.run(["git", "-C", str(tmp_path), "apply"], input=dirty.patch.encode(), check=True)
    assert (tmp_path / "a.py").read_text() == "x = 2\n"
    assert machine()["cpu_count"] > 0
    assert "numpy==" in package_lock()
