"""Builds every service over a home's engines and mounts every stage: the one place that knows all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from mainspring.access.service import SYSTEM, AccessService
from mainspring.app.parts import MIGRATIONS
from mainspring.app.services import build_services
from mainspring.engines.assembly import Engines, assemble
from mainspring.engines.home import Home
from mainspring.engines.settings import read_settings
from mainspring.kernel.clocks import Clocks

if TYPE_CHECKING:
    from fastapi import FastAPI

    from mainspring.surfaces.controllers import Controller

PREPARE_WAIT_S = 30.0


class Application:
    """One home, opened: engines, services, and the web application when it is asked for."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.services = build_services(engines)
        self.registry = CollectorRegistry()

    @cached_property
    def asgi(self) -> FastAPI:
        from mainspring.app.web import web

        return web(self.engines, self.services, self.registry)

    def controllers(self) -> list[Controller]:
        """Everything that is kept true under `mainspring up`."""
        from mainspring.audit.controller import Sealer
        from mainspring.jobs.controller import JobRunner
        from mainspring.pipelines.controller import InterruptedRuns

        services = self.services
        return [Sealer(services.audit), InterruptedRuns(services.pipelines), JobRunner(services.jobs, SYSTEM)]

    def run_jobs(self) -> None:
        self.services.jobs.run_due(SYSTEM)


def prepare(home: Home) -> None:
    """Make the home, bring its schema up to date and make its owner, where that is not done yet.

    Works alone in the home; a second process that comes meanwhile waits, and finds it done.
    """
    home.create()
    with _engines(home) as engines:
        if home.owner_token.exists() and engines.sql.is_current(MIGRATIONS) and AccessService(engines).is_ready():
            return
    with home.locked(exclusive=True, wait_s=PREPARE_WAIT_S):
        make_ready(home)


def make_ready(home: Home) -> None:
    """What `prepare` does, for whoever holds the home's exclusive lock."""
    with _engines(home) as engines:
        engines.sql.upgrade(MIGRATIONS)
        access = AccessService(engines)
        if not (home.owner_token.exists() and access.is_ready()):
            access.bootstrap(lambda token: _write_secret(home.owner_token, token))


@contextmanager
def opened(home: Home, clocks: Clocks | None = None, *, lock: bool = True) -> Iterator[Application]:
    """The application over a prepared home, its lock shared until the end.

    lock  False in the children of `up`, which hold their parent's exclusive lock already.
    """
    if lock:
        prepare(home)
    with home.locked(exclusive=False) if lock else nullcontext(), _engines(home, clocks) as engines:
        application = Application(engines)
        try:
            yield application
        finally:
            application.services.audit.seal()


@contextmanager
def _engines(home: Home, clocks: Clocks | None = None) -> Iterator[Engines]:
    engines = assemble(home, read_settings(home.root), clocks)
    try:
        yield engines
    finally:
        engines.close()


def _write_secret(file: Path, text: str) -> None:
    """Write a file only this user can read, whole or not at all."""
    beside = file.with_suffix(".new")
    beside.touch(mode=0o600)
    beside.write_text(text + "\n")
    beside.replace(file)
