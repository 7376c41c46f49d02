"""What every stage's routes stand on: who calls, how errors answer, how much may be sent.

A stage's `routes.py` is `def routes(service) -> APIRouter`; each endpoint takes `principal: Caller`
and hands it to a use case, which checks the verb. `api` mounts them under `/api/v1`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainspring.kernel import errors
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal
from mainspring.surfaces.client import PREFIX

SESSION_COOKIE = "mainspring_session"
BODY_LIMIT_BYTES = 8 << 20
UPLOAD_LIMIT_BYTES = 64 << 30
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_log = logging.getLogger("mainspring.http")

STATUS: dict[type[errors.MainspringError], int] = {
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.InvalidInput: 422,
    errors.NotAuthenticated: 401,
    errors.NotPermitted: 403,
    errors.StepFailed: 422,
    errors.EngineUnavailable: 503,
    errors.TimedOut: 504,
    errors.Corrupt: 500,
}
"""The one place where errors meet status numbers; a family without a row answers as its parent does."""


class SignsIn(Protocol):
    """What the request principal needs of `access`."""

    def sign_in(self, text: str | None, project: str | None = None) -> Principal: ...


def session_cookie(request: Request) -> str:
    """The cookie's name, with the port in it: cookies know none, and two homes on a host would sign each other out."""
    return f"{SESSION_COOKIE}_{request.url.port or request.url.scheme}"


def current_principal(request: Request) -> Principal:
    """Who sends this request, by bearer token or, in a browser, by the session cookie."""
    access: SignsIn = request.app.state.access
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    project = request.headers.get("x-mainspring-project")
    if scheme.lower() == "bearer":
        principal = access.sign_in(text.strip(), project)
    else:
        cookie = request.cookies.get(session_cookie(request))
        if cookie and request.method not in _SAFE_METHODS:
            _require_same_origin(request)
        principal = access.sign_in(cookie, project or request.query_params.get("project"))
    request.state.principal = principal
    return principal


Caller = Annotated[Principal, Depends(current_principal)]


def _require_same_origin(request: Request) -> None:
    # The cookie is SameSite=Strict; this also stops pages of another port on the same host.
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin != own:
        raise errors.NotPermitted("request", wanted=f"to come from a page of {own}", found=f"origin {origin}")


async def spooled(request: Request) -> AsyncIterator[Path]:
    """The request's body as a temporary file in the home; for uploads, which may be large."""
    handle, name = tempfile.mkstemp(dir=request.app.state.spool, prefix="upload-")
    try:
        with os.fdopen(handle, "wb") as file:
            async for piece in request.stream():
                if piece:
                    await asyncio.to_thread(file.write, piece)
        yield Path(name)
    except OSError as error:
        raise errors.EngineUnavailable(
            "upload", wanted="room for the body", found=error.strerror or str(error)
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


Upload = Annotated[Path, Depends(spooled)]


def api(
    *,
    access: SignsIn,
    routers: Iterable[APIRouter],
    version: str,
    spool: Path,
    registry: CollectorRegistry,
    lifespan: Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The HTTP application over the stages' routers."""
    app = FastAPI(
        title="mainspring", version=version, docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    app.state.access = access
    app.state.spool = spool
    app.add_middleware(SizeLimit)
    app.add_middleware(Observed, registry=registry)
    app.add_exception_handler(errors.MainspringError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_unexpected)
    for router in routers:
        app.include_router(router, prefix=PREFIX)
    return app


def status_of(error: errors.MainspringError) -> int:
    """The HTTP status of an error: that of its nearest family in `STATUS`."""
    return next((STATUS[family] for family in type(error).__mro__ if family in STATUS), 500)


def _body(request: Request, error: errors.MainspringError, status: int) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    wire = {**error.to_wire(), "request_id": request.scope.get("request_id", "")}
    return JSONResponse({"error": wire}, status, headers)


async def _answer_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.MainspringError)
    return _body(request, error, status_of(error))


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    # The value itself is left out: it may be a secret.
    problem = errors.InvalidInput(where, wanted=first["msg"], found=f"{type(first.get('input')).__name__}")
    return _body(request, problem, 422)


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        problem: errors.MainspringError = errors.NotFound(request.url.path, wanted="a known path", found="none")
    elif error.status_code == 413:
        problem = errors.InvalidInput("request body", wanted=f"at most {BODY_LIMIT_BYTES} bytes", found="more")
    else:
        problem = errors.InvalidInput(
            f"{request.method} {request.url.path}", wanted="an allowed method", found=str(error.detail)
        )
    return _body(request, problem, error.status_code)


async def _answer_unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.exception("unexpected error", exc_info=error, extra={"request_id": request.scope.get("request_id", "")})
    problem = errors.MainspringError(
        f"{request.method} {request.url.path}",
        wanted="an answer",
        found="an unexpected error",
        fix="The server's log has it under this request id.",
    )
    return _body(request, problem, 500)


class SizeLimit:
    """Refuse bodies over the limit, by their stated length at once and by their true length as they come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        limit = UPLOAD_LIMIT_BYTES if scope["method"] == "PUT" else BODY_LIMIT_BYTES
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > limit:
            return await _too_large(limit, scope)(scope, receive, send)
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > limit:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)


def _too_large(limit: int, scope: Scope) -> JSONResponse:
    problem = errors.InvalidInput("request body", wanted=f"at most {limit} bytes, stated as a number", found="more")
    return JSONResponse({"error": {**problem.to_wire(), "request_id": scope.get("request_id", "")}}, 413)


class Observed:
    """Give each request an id, measure it, count it, and log it as one JSON line."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        labels = ("method", "route", "status")
        self._count = Counter("mainspring_http_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram("mainspring_http_seconds", "Seconds to answer.", labels[:2], registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("ascii", "replace")
        scope["request_id"] = given if given.isprintable() and 0 < len(given) <= 64 else new_id()
        began, status = time.perf_counter(), 500

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", scope["request_id"].encode())]
            await send(message)

        try:
            await self._app(scope, receive, named)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's template, not the path: ids in labels would grow the metric without bound.
        route = getattr(scope.get("route"), "path", "unmatched")
        self._count.labels(scope["method"], route, status).inc()
        self._seconds.labels(scope["method"], route).observe(seconds)
        principal: Any = scope.get("state", {}).get("principal")
        _log.info(
            "request",
            extra={
                "request_id": scope["request_id"],
                "method": scope["method"],
                "route": route,
                "status": status,
                "duration_ms": round(seconds * 1000, 3),
                "principal_id": getattr(principal, "id", None),
            },
        )
