"""A log file that keeps the beginning and the end of whatever is written to it."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import BinaryIO

from mainspring.kernel.errors import EngineUnavailable


class CappedLog:
    """Takes any number of bytes and never holds more than about `limit_bytes` on disk.

    While it grows, everything up to the limit stands in the file, so that it can be followed. A log
    that went over is rewritten at `close`: its first half-limit, a line that says how much is
    missing, its last half-limit, and that line again as the end of the file.
    A full disk stops the writing, never the reading: whoever prints must not block for it.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._half = limit_bytes // 2
        self._limit = limit_bytes
        self._total = 0
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._broken: OSError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what a killed task printed last is what one wants to read.
            self._file: BinaryIO = path.open("wb", buffering=0)
        except OSError as error:
            raise EngineUnavailable(f"log {path}", wanted="a file to write to", found=str(error)) from error

    def write(self, data: bytes) -> None:
        room = self._limit - self._total
        if room > 0:
            self._put(data[:room])
        beyond_head = data[max(0, self._half - self._total) :]
        self._total += len(data)
        if beyond_head:
            self._remember(beyond_head)

    def close(self) -> None:
        try:
            if self._total > self._limit and not self._broken:
                self._rewrite()
        finally:
            self._file.close()

    def _remember(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._half:
            self._tail_size -= len(self._tail.popleft())

    def _rewrite(self) -> None:
        tail = b"".join(self._tail)[-self._half :]
        dropped = self._total - self._half - len(tail)
        note = f"[mainspring: {dropped:,} of {self._total:,} bytes dropped here: the log is limited to {self._limit:,}]"
        end = f"[mainspring: {dropped:,} of {self._total:,} bytes dropped from the middle of this log]"
        try:
            self._file.truncate(self._half)
            self._file.seek(self._half)
        except OSError as error:
            self._broken = error
        newline = b"" if tail.endswith(b"\n") else b"\n"
        self._put(b"\n" + note.encode() + b"\n" + tail + newline + end.encode() + b"\n")

    def _put(self, data: bytes) -> None:
        if self._broken:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self._broken = error
