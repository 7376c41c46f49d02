"""The web application: every stage's routes and pages, health, metrics and the API's own description."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, generate_latest

from mainspring import __version__
from mainspring.app.parts import stage_modules
from mainspring.app.services import Services
from mainspring.engines.assembly import Engines
from mainspring.kernel.principals import Role, Verb
from mainspring.surfaces.http import Caller, api
from mainspring.surfaces.pages import Site, install

READ_METRICS = Verb("app.metrics.read", Role.viewer)
READ_OPENAPI = Verb("app.openapi.read", Role.viewer)


def web(engines: Engines, services: Services, registry: CollectorRegistry) -> FastAPI:
    routers = []
    for module in stage_modules("routes"):
        part = module.__name__.split(".")[1]
        routers.append(module.routes(getattr(services, part)))
    app = api(
        access=services.access,
        routers=routers,
        version=__version__,
        spool=engines.home.work,
        registry=registry,
    )
    _own_routes(app, engines, registry)
    _mount_pages(app, engines, services)
    return app


def _mount_pages(app: FastAPI, engines: Engines, services: Services) -> None:
    """Every stage's pages: `pages` names the services it reads, and `site`, as its parameters."""
    given = {**vars(services), "site": (site := Site(engines.clocks.wall))}
    routers = []
    for module in stage_modules("pages"):
        site.add_templates(module.__name__.split(".")[1], Path(module.__file__).parent / "templates")
        routers.append(module.pages(**{name: given[name] for name in inspect.signature(module.pages).parameters}))
    install(app, site, routers)


def _own_routes(app: FastAPI, engines: Engines, registry: CollectorRegistry) -> None:
    @app.get("/health", include_in_schema=False)
    def health() -> dict[str, str]:
        """Whether the process answers and its database does; the one route open to anonymous callers."""
        with engines.sql.read() as connection:
            connection.exec_driver_sql("SELECT 1")
        return {"status": "ok", "version": __version__}

    @app.get("/metrics", include_in_schema=False)
    def metrics(principal: Caller) -> PlainTextResponse:
        principal.require(READ_METRICS)
        return PlainTextResponse(generate_latest(registry), media_type="text/plain; version=0.0.4")

    @app.get("/openapi.json", include_in_schema=False)
    def openapi(principal: Caller, request: Request) -> dict[str, Any]:
        principal.require(READ_OPENAPI)
        described: dict[str, Any] = request.app.openapi()
        return described
