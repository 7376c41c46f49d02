"""The suite every blob store is held to."""

from __future__ import annotations

import hashlib
import io
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.engines.blobs.contract import Blobs
from mainspring.kernel import plugins
from mainspring.kernel.errors import Corrupt, EngineUnavailable, InvalidInput, NotFound

KINDS = plugins.names("mainspring.engines.blobs")


@pytest.fixture(params=KINDS)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    opened: Blobs = plugins.load("mainspring.engines.blobs", request.param).open_engine(tmp_path)
    return opened


@given(data=st.binary(max_size=5000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_bytes_a_file_and_a_stream_are_one_blob(blobs: Blobs, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    put = [blobs.put(data), blobs.put(tmp_path / "file"), blobs.put(io.BytesIO(data))]
    assert {blob.digest for blob in put} == {hashlib.sha256(data).hexdigest()}
    assert blobs.read(put[0].digest) == b"".join(blobs.chunks(put[0].digest)) == data
    assert put[0].size_bytes == len(data)


def test_bytes_that_are_not_what_was_promised_are_refused_and_not_kept(blobs: Blobs, tmp_path: Path) -> None:
    promised = hashlib.sha256(b"promised").hexdigest()
    for data in (b"other", io.BytesIO(b"other")):
        with pytest.raises(Corrupt):
            blobs.put(data, expected=promised)
    assert not blobs.has(promised)
    assert not blobs.has(hashlib.sha256(b"other").hexdigest())
    assert list((tmp_path / "blobs" / "incoming").iterdir()) == []


def test_a_changed_byte_is_found_and_never_given_out(blobs: Blobs) -> None:
    digest = blobs.put(b"x" * 3_000_000).digest
    place = blobs.path(digest)
    if place is None:
        pytest.skip("this store has no files to spoil")
    place.chmod(0o600)
    with place.open("r+b") as file:
        file.seek(2_500_000)
        file.write(b"y")
    with pytest.raises(Corrupt):
        blobs.read(digest)
    with pytest.raises(Corrupt):
        next(blobs.chunks(digest))


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "/"])
def test_a_name_that_is_no_digest_reaches_no_path(blobs: Blobs, name: str) -> None:
    for use in (blobs.read, blobs.path, blobs.has):
        with pytest.raises(InvalidInput):
            use(name)


def test_an_absent_blob_is_not_found(blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        blobs.read("0" * 64)
    with pytest.raises(NotFound):
        next(blobs.chunks("0" * 64))
    assert blobs.path("0" * 64) is None


def test_threads_may_put_the_same_blob_at_once(blobs: Blobs) -> None:
    data = b"z" * 500_000
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(blobs.put(data).digest)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert blobs.read(found[0]) == data


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blobs: Blobs = plugins.load("mainspring.engines.blobs", "folder").open_engine(tmp_path)
    (tmp_path / "blobs" / "incoming").rmdir()
    with pytest.raises(EngineUnavailable, match="no blob was changed"):
        blobs.put(b"data")
