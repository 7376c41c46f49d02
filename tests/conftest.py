"""Real parts for every test: a home in a temporary folder, its engines, its owner, a client."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.access.service import AccessService
from mainspring.engines.assembly import Engines, assemble
from mainspring.engines.home import Home
from mainspring.engines.ledger.schema import metadata
from mainspring.engines.settings import EngineSettings
from mainspring.kernel.principals import Principal
from mainspring.surfaces.client import Client, connect

STAGES = ("access", "jobs", "data", "tracking", "pipelines", "training", "evaluation", "registry")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests reaches them."""
    for name in [name for name in os.environ if name.startswith("MAINSPRING_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "home")
    place.create()
    return place


@pytest.fixture
def engines(home: Home) -> Iterator[Engines]:
    """Engines with every table made at once; that the migrations make the same is a test of its own."""
    for stage in STAGES:
        if importlib.util.find_spec(f"mainspring.{stage}.store"):
            importlib.import_module(f"mainspring.{stage}.store")
    importlib.import_module("mainspring.engines.ledger.leases")
    opened = assemble(home, EngineSettings())
    with opened.sql.write(_NOBODY) as work:
        metadata.create_all(work.connection)
    yield opened
    opened.close()


@pytest.fixture
def access(engines: Engines) -> AccessService:
    return AccessService(engines)


@pytest.fixture
def owner(access: AccessService) -> Principal:
    """The owner of the project `default`."""
    tokens: list[str] = []
    access.bootstrap(tokens.append)
    return access.sign_in(tokens[0])


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of the whole application, in process, over a fresh home."""
    with connect(tmp_path / "client-home") as opened:
        yield opened


_NOBODY = Principal("nobody", "nobody", "default", None)  # type: ignore[arg-type]
