"""One seeded home for all tests of pages, and ways to look at it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from mainspring.app.build import opened
from mainspring.engines.home import Home
from mainspring.surfaces.client import InProcess
from tests.ui.seed import Seeded, seed

ADDRESS = "http://mainspring.test"
HTML = {"accept": "text/html"}


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    folder = tmp_path_factory.mktemp("ui")
    home = Home(folder / "home")
    with opened(home) as application:
        yield seed(application, home, folder)


@pytest.fixture
def nobody(seeded: Seeded) -> Iterator[httpx.Client]:
    """A browser that is not signed in."""
    with httpx.Client(base_url=ADDRESS, transport=InProcess(seeded.application.asgi), headers=HTML) as browser:
        yield browser


@pytest.fixture
def browser(seeded: Seeded, nobody: httpx.Client) -> httpx.Client:
    """A browser that entered by a link; forms come from its own pages."""
    code = seeded.application.services.access.open_link(seeded.owner).text
    assert nobody.get("/ui/enter", params={"code": code}).status_code == 200
    nobody.headers["origin"] = ADDRESS
    return nobody


@pytest.fixture(scope="session")
def address(seeded: Seeded) -> Iterator[str]:
    """The same application on a real port of loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(seeded.application.asgi, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)
    listening.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = tmp_path / "screenshots"
    folder.mkdir()
    return folder
