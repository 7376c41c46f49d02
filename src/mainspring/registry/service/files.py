"""Artifacts as files for isolated processes, checked against their digests first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mainspring.engines.assembly import Engines
from mainspring.kernel.errors import NotFound


@contextmanager
def as_files(engines: Engines, digests: Iterable[str]) -> Iterator[dict[str, Path]]:
    """Digest to a file with exactly those bytes, while the context lasts. Raises NotFound, Corrupt.

    Stores that keep files are read in place; from others the bytes are copied.
    """
    with ExitStack() as stack:
        found: dict[str, Path] = {}
        for digest in dict.fromkeys(digests):
            pieces, path = engines.blobs.chunks(digest), engines.blobs.path(digest)
            if path is None:
                folder = stack.enter_context(TemporaryDirectory(dir=engines.home.work))
                path = Path(folder, digest)
                with path.open("wb") as file:
                    file.writelines(pieces)
            else:
                next(pieces, None)  # the first piece comes only after all of them were checked
            found[digest] = path
        yield found


def present(engines: Engines, digests: Iterable[str]) -> list[str]:
    """Those of the digests whose blobs are there."""
    return [digest for digest in digests if _is_there(engines, digest)]


def _is_there(engines: Engines, digest: str) -> bool:
    try:
        return engines.blobs.has(digest)
    except NotFound:
        return False
