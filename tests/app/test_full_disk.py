"""A disk that is full while a unit of work commits or a blob is written: told, and nothing half made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mainspring.app.build import Application, opened
from mainspring.engines.home import Home
from mainspring.kernel.errors import EngineUnavailable
from mainspring.kernel.principals import Principal


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Six megabytes of tmpfs."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs to be had here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def application(small_disk: Path) -> Iterator[Application]:
    with opened(Home(small_disk / "home")) as built:
        yield built


@pytest.fixture
def owner(application: Application) -> Principal:
    token = application.engines.home.owner_token.read_text().strip()
    return application.services.access.sign_in(token)


def fill(place: Path, leave: int = 0) -> Path:
    """Write until nothing but `leave` bytes are left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    if leave:
        os.truncate(filler, filler.stat().st_size - leave)
    return filler


@pytest.mark.parametrize("leave", [0, 4096, 16384, 65536])
def test_a_commit_on_a_full_disk_changes_nothing_and_later_ones_succeed(
    application: Application, owner: Principal, small_disk: Path, leave: int
) -> None:
    tracking, audit = application.services.tracking, application.services.audit
    kept = [tracking.start_run(owner, name=f"before {number}").id for number in range(3)]
    filler = fill(small_disk, leave)
    with pytest.raises(EngineUnavailable, match="full"):
        for number in range(400):
            kept.append(tracking.start_run(owner, name=f"full {number}").id)
    filler.unlink()
    assert {run.id for run in tracking.runs(owner, limit=1000)} == set(kept)
    assert tracking.start_run(owner, name="after").status == "running"
    assert all(report.ok for report in audit.verify(owner))


def test_a_blob_on_a_full_disk_is_refused_and_leaves_nothing(
    application: Application, owner: Principal, small_disk: Path
) -> None:
    filler = fill(small_disk, 100_000)
    blobs = small_disk / "home" / "blobs"
    before = sorted(path for path in blobs.rglob("*") if path.is_file())
    with pytest.raises(EngineUnavailable, match="No space left"):
        application.services.tracking.put_artifact(owner, os.urandom(1_000_000))
    assert sorted(path for path in blobs.rglob("*") if path.is_file()) == before
    filler.unlink()
    assert application.services.tracking.put_artifact(owner, os.urandom(1_000_000)).size_bytes == 1_000_000


def test_sealing_on_a_full_disk_does_not_break_the_heads(
    application: Application, owner: Principal, small_disk: Path
) -> None:
    audit, tracking = application.services.audit, application.services.tracking
    tracking.start_run(owner, name="one")
    audit.seal()
    tracking.start_run(owner, name="two")
    filler = fill(small_disk)
    with suppress(EngineUnavailable):  # a few bytes may still fit into the file's last block
        audit.seal()
    filler.unlink()
    audit.seal()
    assert all(report.ok and report.unsealed_events == 0 for report in audit.verify(owner))
