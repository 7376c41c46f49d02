"""The HTTP client that SDK and CLI share.

It speaks HTTP always: to the live server of its home, or to one at a URL, or, where there is none,
to the same application mounted in this process. What the server raises is raised here again.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from mainspring.engines.home import Home
from mainspring.kernel import plugins
from mainspring.kernel.errors import EngineUnavailable, NotAuthenticated, TimedOut, from_wire

PREFIX = "/api/v1"
"""Where the API lives; here, and not beside the routes, so that clients need no web framework."""
_POLL_S = 0.05


class Application(Protocol):
    """What the in-process client needs of `app`, found by plug-in lookup so that nothing imports it."""

    asgi: Any

    def run_jobs(self) -> None:
        """Run every job that waits, in this process's pool."""
        ...

    def close(self) -> None: ...


class Client:
    """A session with one mainspring, acting in one project. Paths are relative to `/api/v1`."""

    def __init__(
        self, http: httpx.Client, *, home: Path | None, project: str | None, application: Application | None = None
    ) -> None:
        self._http, self.home, self.project, self._application = http, home, project, application

    @property
    def in_process(self) -> bool:
        """Whether the application runs in this process: then no controller or schedule runs."""
        return self._application is not None

    @property
    def address(self) -> str:
        """The server's URL. Raises EngineUnavailable in process, where no browser can reach it."""
        if self.in_process:
            raise EngineUnavailable(
                "user interface", wanted="a running server", found="none", fix="Start `mainspring up`."
            )
        return str(self._http.base_url).rstrip("/")

    def get(self, path: str, **params: Any) -> Any:
        return self._ask("GET", path, params={k: v for k, v in params.items() if v is not None}).json()

    def post(self, path: str, body: Any = None) -> Any:
        return self._ask("POST", path, json={} if body is None else body).json()

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path).json()

    def put_bytes(self, path: str, data: bytes | Path) -> Any:
        """Send bytes, or a file's bytes in pieces."""
        if isinstance(data, bytes):
            return self._ask("PUT", path, content=data).json()
        headers = {"content-length": str(data.stat().st_size)}
        with data.open("rb") as file:
            return self._ask("PUT", path, content=iter(lambda: file.read(1 << 20), b""), headers=headers).json()

    def get_bytes(self, path: str) -> bytes:
        return self._ask("GET", path).content

    def pieces(self, path: str) -> Iterator[bytes]:
        """The answer's bytes in pieces, for what may not fit into memory."""
        with self._http.stream("GET", PREFIX + path) as answer:
            if answer.is_error:
                answer.read()
                _raise(answer)
            yield from answer.iter_bytes(1 << 20)

    def run_jobs(self) -> None:
        """In process, run every job that waits; with a server its worker does that, and this does nothing."""
        if self._application is not None:
            self._application.run_jobs()

    def wait(self, job_id: str, *, timeout_s: float = 3600.0) -> dict[str, Any]:
        """The finished job; in process, it is run here and now. Raises the job's own error."""
        give_up = time.monotonic() + timeout_s
        while True:
            self.run_jobs()
            job: dict[str, Any] = self.get(f"/jobs/{job_id}")
            if job["state"] == "succeeded":
                return job
            if job["state"] in ("failed", "cancelled"):
                raise from_wire(job["error"] or {"subject": f"job {job_id}", "found": job["state"]})
            if time.monotonic() > give_up:
                raise TimedOut(f"job {job_id}", wanted=f"an end within {timeout_s:g} s", found=job["state"])
            time.sleep(_POLL_S)

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, PREFIX + path, **options)
        except httpx.TransportError as error:
            raise _unreachable(self._http.base_url, error) from error
        if answer.is_error:
            _raise(answer)
        return answer

    def close(self) -> None:
        self._http.close()
        if self._application is not None:
            self._application.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(
    home: str | Path | None = None, url: str | None = None, token: str | None = None, project: str | None = None
) -> Client:
    """A client of the server at `url`, of the home's live server, or of the home in this process.

    home     default: MAINSPRING_HOME, else the nearest `.mainspring` folder from here upward.
    url      default: MAINSPRING_URL.
    token    default: MAINSPRING_TOKEN, else the home's owner token.
    project  default: MAINSPRING_PROJECT, else the token's own.
    Raises   NotAuthenticated, Conflict (another process owns the home), EngineUnavailable.
    """
    url = url or os.environ.get("MAINSPRING_URL")
    token = token or os.environ.get("MAINSPRING_TOKEN")
    project = project or os.environ.get("MAINSPRING_PROJECT")
    if url is not None:
        if not token:
            raise NotAuthenticated("token", wanted=f"one for {url}", found="none", fix="Set MAINSPRING_TOKEN.")
        return Client(_http(url, token, project), home=None, project=project)
    place = Home(Path(home) if home is not None else default_home())
    server = place.server()
    if server is not None:
        return Client(_http(server.url, token or _owner_token(place), project), home=place.root, project=project)
    application: Application = plugins.load("mainspring.app", "inprocess").open_application(place)
    http = _http("http://in-process", token or _owner_token(place), project, transport=InProcess(application.asgi))
    return Client(http, home=place.root, project=project, application=application)


def default_home() -> Path:
    """MAINSPRING_HOME, else the nearest `.mainspring` folder from here upward, else one here."""
    if named := os.environ.get("MAINSPRING_HOME"):
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".mainspring" / "lock").exists():
            return folder / ".mainspring"
    return here / ".mainspring"


def _owner_token(home: Home) -> str:
    try:
        return home.owner_token.read_text().strip()
    except FileNotFoundError as error:
        raise NotAuthenticated(
            f"home {home.root}", wanted=f"a token in {home.owner_token}", found="none", fix="Set MAINSPRING_TOKEN."
        ) from error
    except PermissionError as error:
        raise NotAuthenticated(
            f"home {home.root}", wanted="a readable owner token", found="another user's", fix="Set MAINSPRING_TOKEN."
        ) from error


def _http(url: str, token: str, project: str | None, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    headers = {"authorization": f"Bearer {token}"}
    if project:
        headers["x-mainspring-project"] = project
    # trust_env off: a proxy from the environment must never see a token meant for loopback.
    return httpx.Client(base_url=url, headers=headers, timeout=60.0, transport=transport, trust_env=False)


def _raise(answer: httpx.Response) -> None:
    try:
        wire = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        wire = {
            "subject": str(answer.url),
            "wanted": "an answer from mainspring",
            "found": f"status {answer.status_code}",
        }
    raise from_wire(wire)


def _unreachable(url: httpx.URL, error: httpx.TransportError) -> EngineUnavailable:
    found = str(error) or type(error).__name__
    return EngineUnavailable(f"server {url}", wanted="an answer", found=found, fix="See `mainspring status`.")


class InProcess(httpx.BaseTransport):
    """Carries requests to an ASGI application on an event loop of its own thread."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mainspring-in-process", daemon=True)
        self._thread.start()
        self._is_ready.wait()

    def _run(self) -> None:
        async def serve() -> None:
            # One long task is the root of all requests, so that their worker threads are kept and reused.
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            self._is_ready.set()
            await self._end.wait()

        asyncio.run(serve())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        return asyncio.run_coroutine_threadsafe(self._carry(request, body), self._loop).result()

    async def _carry(self, request: httpx.Request, body: bytes) -> httpx.Response:
        started: dict[str, Any] = {}
        pieces: list[bytes] = []
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                # Nobody disconnects: whoever waits for it is cancelled when the answer is finished.
                await asyncio.Event().wait()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            elif message["type"] == "http.response.body":
                pieces.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(k.lower(), v) for k, v in request.headers.raw],
            "scheme": "http",
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "server": ("in-process", 80),
            "client": ("in-process", 0),
            "state": {},
        }
        await self._app(scope, receive, send)
        return httpx.Response(started["status"], headers=started.get("headers", []), content=b"".join(pieces))

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(timeout=5)
