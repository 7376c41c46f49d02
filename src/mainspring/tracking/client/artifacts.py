"""Storing and fetching an artifact's bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mainspring.engines.blobs.contract import sha256_of
from mainspring.kernel.errors import Corrupt
from mainspring.surfaces.client import Client


def put_artifact(client: Client, data: bytes | Path) -> str:
    """Store bytes or a file's bytes; their sha-256. What comes back is stored."""
    digest = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else sha256_of(data)
    client.put_bytes(f"/tracking/artifacts/{digest}", data)
    return digest


def get_artifact(client: Client, digest: str) -> bytes:
    """The bytes, checked against their digest once more on this side."""
    data = client.get_bytes(f"/tracking/artifacts/{digest}")
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise Corrupt(f"artifact {digest}", wanted="bytes of that digest", found=found)
    return data
