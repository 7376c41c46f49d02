"""What every blob store guarantees.

- A blob is named by the sha-256 of its bytes; putting the same bytes twice stores them once.
- `put` is atomic: a reader sees the whole blob or none, also under `kill -9`.
- Reading checks the bytes against the name; other bytes raise Corrupt and are never returned.
- Stores are safe to use from several threads and processes.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mainspring.kernel.errors import InvalidInput

CHUNK = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A stored blob: its sha-256 in hex and its size."""

    digest: str
    size_bytes: int


class Blobs(ABC):
    """A content-addressed blob store. See the module for what implementations guarantee."""

    @abstractmethod
    def put(self, data: bytes | Path | BinaryIO, *, expected: str | None = None) -> Blob:
        """Store bytes, a file's bytes, or a stream's.

        `expected` is the digest the caller says they have; other bytes raise Corrupt and nothing
        is stored. Raises EngineUnavailable when the store is full or gone.
        """

    @abstractmethod
    def read(self, digest: str) -> bytes:
        """The checked bytes. Raises NotFound or Corrupt."""

    @abstractmethod
    def chunks(self, digest: str) -> Iterator[bytes]:
        """The bytes in pieces of at most 1 MiB, checked before the first is given out."""

    @abstractmethod
    def path(self, digest: str) -> Path | None:
        """A local file with the bytes (not checked), or None where the store has no files."""

    @abstractmethod
    def has(self, digest: str) -> bool: ...

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Kind and location, for `doctor`."""


def checked_name(digest: str) -> str:
    """`digest` if it has the form of a sha-256 in hex: names are never used as paths otherwise."""
    if len(digest) == 64 and all(c in "0123456789abcdef" for c in digest):
        return digest
    raise InvalidInput("blob digest", wanted="64 lower-case hexadecimal digits", found=repr(digest[:80]))


def sha256_of(path: Path) -> str:
    """The sha-256 of a file's bytes in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
