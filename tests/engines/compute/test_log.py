"""The log that keeps both ends."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mainspring.engines.compute._log import CappedLog


@given(pieces=st.lists(st.integers(0, 700), max_size=20))
def test_a_log_is_whole_or_its_two_ends_and_the_count_between(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("log") / "log"
    log, everything = CappedLog(path, 1000), b""
    for number, size in enumerate(pieces):
        piece = bytes([65 + number]) * size
        everything += piece
        log.write(piece)
    log.close()

    kept = path.read_bytes()
    if len(everything) <= 1000:
        assert kept == everything
    else:
        assert kept.startswith(everything[:500] + b"\n[mainspring: ")
        assert b"]\n" + everything[-500:] + b"\n[mainspring: " in kept
        assert f"[mainspring: {len(everything) - 1000:,} of {len(everything):,} bytes".encode() in kept


def test_a_growing_log_can_be_read_up_to_its_limit(tmp_path):
    log = CappedLog(tmp_path / "log", 1000)
    log.write(b"a" * 900)
    assert (tmp_path / "log").stat().st_size == 900
    log.write(b"b" * 900)
    assert (tmp_path / "log").stat().st_size == 1000
    log.close()


def test_a_full_disk_does_not_stop_the_one_who_prints():
    log = CappedLog(Path("/dev/full"), 1000)
    for _ in range(5):
        log.write(b"a" * 900)
    log.close()
