"""Data from a program: ingest a file, load a version, get at its files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mainspring.data.definitions import Dataset
from mainspring.engines.blobs.contract import sha256_of
from mainspring.kernel.errors import Corrupt, InvalidInput, NotFound
from mainspring.kernel.ids import new_id
from mainspring.surfaces.client import Client, connect

if TYPE_CHECKING:
    import pyarrow as pa


def apply(client: Client, datasets: Sequence[Dataset], *, folder: Path | None = None) -> list[dict[str, Any]]:
    """Make the definitions current; what changed. `folder` (default: the first one's own) is where sources lie."""
    where = str(folder.resolve()) if folder else next((made.folder for made in datasets if made.folder), None)
    changes: list[dict[str, Any]] = client.post(
        "/data/definitions/apply", {"definitions": [made.to_json() for made in datasets], "folder": where}
    )
    return changes


def ingest(client: Client, dataset: str | Dataset, source: Path | None = None) -> dict[str, Any]:
    """Read a file into a version of an applied dataset; the answer is `data.model.Ingested`.

    source  default: the definition's own, relative to the folder it was applied from.
    Raises  NotFound (no such dataset or file), InvalidInput.
    """
    name = dataset if isinstance(dataset, str) else dataset.name
    if source is None:
        source = dataset.path if isinstance(dataset, Dataset) else _applied_source(client, name)
    fingerprint = upload(client, source)
    body = {"fingerprint": fingerprint, "source_name": source.name}
    ingested: dict[str, Any] = client.post(f"/data/datasets/{quote(name)}/ingest", body)
    return ingested


def upload(client: Client, source: Path) -> str:
    """Send a file's bytes unless they are there already; their sha-256."""
    try:
        if source.is_dir():
            raise InvalidInput(f"source {source}", wanted="a file", found="a folder", fix="Name the file in it.")
        fingerprint = sha256_of(source)
    except FileNotFoundError as error:
        raise NotFound(
            f"source {source}",
            wanted="a file",
            found=f"nothing of that name in {source.parent.resolve()}",
            fix="Correct source= in the definition, or say --source.",
        ) from error
    except OSError as error:
        found = error.strerror or str(error)
        raise InvalidInput(f"source {source}", wanted="a file this user may read", found=found) from error
    if not client.get(f"/data/uploads/{fingerprint}")["stored"]:
        client.put_bytes(f"/data/uploads/{fingerprint}", source)
    return fingerprint


def _applied_source(client: Client, name: str) -> Path:
    record = client.get(f"/data/datasets/{quote(name)}")
    return Path(record["folder"] or ".") / Path(record["definition"]["source"]).expanduser()


def load(reference: str | Dataset, *, columns: Sequence[str] | None = None, client: Client | None = None) -> pa.Table:
    """The rows of a version (`"bike_demand@3"`, `"bike_demand"` for the newest, or an id), in order.

    columns  only these, which is faster.
    client   default: that of the home or server from here (see `ms.connect`).
    Raises   NotFound, Corrupt.

    >>> ms.load("bike_demand@3", columns=["event_time", "cnt"])  # doctest: +SKIP
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    named = reference if isinstance(reference, str) else reference.name
    with _session(client) as session:
        files = local_files(session, named)
        try:
            parts = [
                pq.ParquetFile(file).read(columns=list(columns) if columns is not None else None) for file in files
            ]
        except (pa.ArrowInvalid, OSError) as error:
            raise Corrupt(f"dataset version {named}", wanted="readable files", found=str(error)) from error
    table = pa.concat_tables(parts)
    missing = [name for name in columns or () if name not in table.column_names]
    if missing:
        raise NotFound(
            f"columns of {named}", wanted=", ".join(missing), found="the columns " + ", ".join(_names(files))
        )
    return table.select(list(columns)) if columns is not None else table


def _names(files: Sequence[Path]) -> list[str]:
    import pyarrow.parquet as pq

    return list(pq.read_schema(files[0]).names)


def local_files(client: Client, reference: str) -> list[Path]:
    """A version's Parquet files on this machine, in row order, each checked against its sha-256.

    Those of a local home are used where they lie; others are fetched once into the cache folder
    (MAINSPRING_CACHE, else `~/.cache/mainspring`).
    """
    base = f"/data/versions/{quote(reference)}/files"
    return [_local_file(client, f"{base}/{place}", file) for place, file in enumerate(client.get(base))]


def _local_file(client: Client, url: str, file: dict[str, Any]) -> Path:
    if file["local"] is not None and client.home is not None:
        local = Path(file["local"])
        if local.is_relative_to(client.home) and local.is_file():
            if (found := sha256_of(local)) != file["sha256"]:
                raise _other_bytes(str(local), file["sha256"], found)
            return local
    cached = _cache() / f"{file['sha256']}.parquet"
    if not (cached.is_file() and sha256_of(cached) == file["sha256"]):
        _fetch(client, url, cached, file["sha256"])
    return cached


def _fetch(client: Client, url: str, place: Path, sha256: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{new_id()}")
    try:
        with beside.open("wb") as sink:
            for piece in client.pieces(url):
                sink.write(piece)
        if (found := sha256_of(beside)) != sha256:
            raise _other_bytes(url, sha256, found)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


def _other_bytes(where: str, wanted: str, found: str) -> Corrupt:
    fix = "Restore it from a backup, or ingest the source again."
    return Corrupt(f"table file {where}", wanted=f"bytes with sha-256 {wanted}", found=f"sha-256 {found}", fix=fix)


def _cache() -> Path:
    return Path(os.environ.get("MAINSPRING_CACHE") or Path.home() / ".cache" / "mainspring") / "data"


@contextmanager
def _session(client: Client | None) -> Iterator[Client]:
    if client is not None:
        yield client
    else:
        with connect() as own:
            yield own
