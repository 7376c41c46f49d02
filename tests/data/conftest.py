"""The data stage on its own: a service over real engines, and a way to ingest text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mainspring.data import definitions as ms
from mainspring.data.definitions import Dataset
from mainspring.data.model import Ingested
from mainspring.data.service import DataService
from mainspring.engines.assembly import Engines
from mainspring.kernel.principals import Principal

BIKES = Path(ms.__file__).parents[1] / "demo" / "data" / "bike_sharing" / "hour.csv"


@pytest.fixture
def data(engines: Engines) -> DataService:
    return DataService(engines)


@pytest.fixture
def ingest(data: DataService, owner: Principal, tmp_path: Path) -> Callable[..., Ingested]:
    """Apply a definition and ingest bytes (or text) by it."""

    def do(made: Dataset | None, content: bytes | str, source_name: str | None = None, name: str = "t") -> Ingested:
        if made is not None:
            data.apply(owner, [made.to_json()])
            name = made.name
        raw = content.encode() if isinstance(content, str) else content
        digest = hashlib.sha256(raw).hexdigest()
        place = tmp_path / "upload"
        place.write_bytes(raw)
        data.upload(owner, place, expected=digest)
        return data.ingest(owner, name, fingerprint=digest, source_name=source_name or f"{name}.csv")

    return do


def simple(**options: Any) -> Dataset:
    """A dataset `t` that tolerates any share of bad rows, unless said otherwise."""
    return ms.dataset("t", **{"source": "t.csv", "max_quarantine": 1.0, **options})
