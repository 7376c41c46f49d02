"""Blobs as files in the home, two levels deep, written beside their place and renamed into it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mainspring.engines.blobs.contract import CHUNK, Blob, Blobs, checked_name, sha256_of
from mainspring.kernel.errors import Corrupt, EngineUnavailable, NotFound
from mainspring.kernel.ids import new_id


def open_engine(home: Path, *, durability: str = "process") -> Blobs:
    return FolderBlobs(home / "blobs", fsync=durability == "power")


class FolderBlobs(Blobs):
    def __init__(self, root: Path, *, fsync: bool = False) -> None:
        self._root, self._fsync = root, fsync
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes | Path | BinaryIO, *, expected: str | None = None) -> Blob:
        with self._explained():
            if isinstance(data, bytes):
                return self._put_bytes(data, expected)
            if isinstance(data, Path):
                with data.open("rb") as stream:
                    return self._put_stream(stream, expected)
            return self._put_stream(data, expected)

    def _put_bytes(self, data: bytes, expected: str | None) -> Blob:
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        _require(expected, blob.digest)
        if not self._place(blob.digest).exists():
            name = self._fresh()
            with _removed_on_error(name), _created(name) as file:
                file.write(data)
                self._settle(file)
            self._move(name, blob.digest)
        return blob

    def _put_stream(self, stream: BinaryIO, expected: str | None) -> Blob:
        name = self._fresh()
        hasher, size = hashlib.sha256(), 0
        with _removed_on_error(name):
            with _created(name) as file:
                while piece := stream.read(CHUNK):
                    hasher.update(piece)
                    size += len(piece)
                    file.write(piece)
                self._settle(file)
            blob = Blob(hasher.hexdigest(), size)
            _require(expected, blob.digest)
        self._move(name, blob.digest)
        return blob

    def _settle(self, file: BinaryIO) -> None:
        file.flush()
        if self._fsync:
            os.fsync(file.fileno())

    def _move(self, name: str, digest: str) -> None:
        place = self._place(digest)
        try:
            os.replace(name, place)
        except FileNotFoundError:
            place.parent.mkdir(exist_ok=True)
            os.replace(name, place)

    def _fresh(self) -> str:
        """A name nobody else writes to: ids are unique over processes and threads."""
        return str(self._incoming / new_id())

    def read(self, digest: str) -> bytes:
        with self._explained():
            try:
                data = self._place(digest).read_bytes()
            except FileNotFoundError as error:
                raise _absent(digest) from error
        _require(digest, hashlib.sha256(data).hexdigest())
        return data

    def chunks(self, digest: str) -> Iterator[bytes]:
        place = self._place(digest)
        if not place.exists():
            raise _absent(digest)
        _require(digest, sha256_of(place))
        with place.open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece

    def path(self, digest: str) -> Path | None:
        place = self._place(digest)
        return place if place.exists() else None

    def has(self, digest: str) -> bool:
        return self._place(digest).exists()

    def describe(self) -> dict[str, str]:
        return {"kind": "folder", "location": str(self._root)}

    def _place(self, digest: str) -> Path:
        return self._root / checked_name(digest)[:2] / digest

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngineUnavailable(
                f"blob store {self._root}",
                wanted="room and permission to write",
                found=error.strerror or str(error),
                fix="Free some space or mend the folder's permissions; no blob was changed.",
            ) from error


def _created(name: str) -> BinaryIO:
    # Read-only from the beginning: a blob never changes, and no later call has to say so.
    return os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440), "wb")


@contextlib.contextmanager
def _removed_on_error(name: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _require(expected: str | None, found: str) -> None:
    if expected is not None and expected != found:
        raise Corrupt(f"blob {expected}", wanted=f"bytes with sha-256 {expected}", found=f"sha-256 {found}")


def _absent(digest: str) -> NotFound:
    return NotFound(f"blob {digest}", wanted="a stored blob", found="none of that digest")
