"""What every stage's pages stand on: templates, the frame around each page, its security headers.

A stage's `pages.py` is `def pages(<services it reads, by name>, site: Site) -> APIRouter`; its
templates lie in `templates/` beside it and are named `<stage>/<file>`. A stage adds what it knows to
pages of earlier ones as panels: pipelines draws its steps on the page of a run, which tracking owns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.exceptions import HTTPException

from mainspring.kernel.clocks import Clock
from mainspring.kernel.errors import MainspringError, NotFound, NotPermitted
from mainspring.kernel.principals import Principal, Role, Verb
from mainspring.surfaces import wording
from mainspring.surfaces.client import PREFIX
from mainspring.surfaces.http import Caller

HOME = "/ui"
READ_HOME = Verb("surfaces.home.read", Role.viewer)
_HERE = Path(__file__).parent
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with it browsers send `Origin: null` with forms, which are then refused.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every page bears. Nothing is loaded from, framed by or sent to another origin."""


@dataclass(frozen=True)
class Entry:
    """A line of the navigation. `life` entries are the stages of a model's life, `platform` ones what they stand on."""

    label: str
    path: str
    group: Literal["life", "platform"] = "life"


@dataclass(frozen=True)
class Panel:
    """A part of a page: its template sees it as `panel`, with what is to be shown in `shown`."""

    title: str
    template: str
    shown: Any
    more: tuple[str, str] | None = None
    """(words, path) of the page that says more."""
    look: str = ""
    """`good`, `warn`, `bad` or plain. What is bad stands before the page's own content."""


PanelSource = Callable[[Principal, Any], Panel | None]
"""(who looks, what the page is about) -> the panel, or None where there is nothing to say."""


@dataclass(frozen=True)
class Asset:
    """A static file; its address holds its content's digest, so that it may be cached for ever."""

    name: str
    body: bytes
    media_type: str

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:16]

    @property
    def url(self) -> str:
        return f"{HOME}/static/{self.digest}/{self.name}"


@dataclass
class Site:
    """The pages of one application: templates, navigation, and the panels stages add to each other's pages."""

    clock: Clock
    navigation: list[Entry] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    """What an event calls a thing (`run`, `version`) to where its page lies; the thing's id is put after it."""
    name_of: Callable[[Principal, str], str | None] = lambda principal, id: None
    """The name behind a principal's id, as far as who looks may know it."""
    _panels: dict[str, tuple[list[PanelSource], list[PanelSource]]] = field(default_factory=dict)
    _folders: dict[str, FileSystemLoader] = field(default_factory=dict)

    def add_templates(self, part: str, folder: Path) -> None:
        """Make the templates in `folder` known as `<part>/<file>`."""
        self._folders[part] = FileSystemLoader(folder)

    def add_panel(self, place: str, source: PanelSource, *, is_last: bool = False) -> None:
        """Show what `source` gives on every page that has the place: `home`, `run`, …

        Panels stand in the order of their stages; those of lower layers may ask to be last.
        """
        sources = self._panels.setdefault(place, ([], []))
        sources[is_last].append(source)

    def panels(self, place: str, principal: Principal, about: Any = None) -> list[Panel]:
        """The panels of a place; those the principal may not see are left out."""
        found = []
        for source in chain(*self._panels.get(place, ())):
            try:
                panel = source(principal, about)
            except NotPermitted:
                continue
            if panel is not None:
                found.append(panel)
        return found

    def address(self, kind: str, id: str) -> str:
        """The page of a thing, or, where its kind has none, the events that name it."""
        return self.addresses.get(kind, HOME + "/audit?about=") + quote(id, safe="")

    @cached_property
    def assets(self) -> dict[str, Asset]:
        files = (path for path in sorted((_HERE / "static").iterdir()) if path.suffix in _MEDIA_TYPES)
        return {path.name: Asset(path.name, path.read_bytes(), _MEDIA_TYPES[path.suffix]) for path in files}

    @cached_property
    def environment(self) -> Environment:
        own = FileSystemLoader(_HERE / "templates")
        made = Environment(
            loader=ChoiceLoader([own, PrefixLoader(self._folders)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters |= {name: getattr(wording, name) for name in ("moment", "span", "size", "number", "percent")}
        made.filters["words"] = wording.text
        made.globals["ago"] = lambda at: wording.ago(at, self.clock.now())
        made.globals["address"] = self.address
        made.globals["name_of"] = lambda principal, id: self.name_of(principal, id)
        made.globals["asset"] = lambda name: self.assets[name].url
        return made

    def page(self, request: Request, template: str, status: int, context: dict[str, Any]) -> HTMLResponse:
        principal: Principal | None = getattr(request.state, "principal", None)
        text = self.environment.get_template(template).render(
            **context,
            principal=principal,
            path=request.url.path,
            navigation=self.navigation,
        )
        return HTMLResponse(text, status, HEADERS)


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """The page that `template` makes of `context`, with the headers every page bears."""
    site: Site = request.app.state.site
    return site.page(request, template, status, context)


def see_other(path: str) -> RedirectResponse:
    """The answer to a form that did its work: go and look at `path`."""
    return RedirectResponse(path, 303)


def wants_page(request: Request) -> bool:
    """Whether the answer is for a person's browser and not for a program."""
    return not request.url.path.startswith(PREFIX) and "text/html" in request.headers.get("accept", "")


def install(app: FastAPI, site: Site, routers: Sequence[APIRouter]) -> None:
    """Mount the pages, and answer errors as pages where a browser asks for one."""
    app.state.site = site
    for router in (_own_pages(site), *routers):
        app.include_router(router, include_in_schema=False)
    for family in (MainspringError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(family, _as_page(app.exception_handlers[family]))


def _own_pages(site: Site) -> APIRouter:
    router = APIRouter()

    @router.get("/")
    def root(principal: Caller) -> Response:
        """To the home page, for whoever types the bare address."""
        principal.require(READ_HOME)
        return RedirectResponse(HOME, 302)

    @router.get(HOME)
    def home(principal: Caller, request: Request) -> Response:
        """What is here: a panel of each stage."""
        principal.require(READ_HOME)
        panels = site.panels("home", principal)
        # The second panel, of runs, is the tallest; two of the others balance one of its column.
        columns = [[p for i, p in enumerate(panels) if (i % 3 == 1) is second] for second in (False, True)]
        return render(request, "home.html", columns=columns)

    @router.get(HOME + "/static/{path:path}")
    def static(path: str) -> Response:
        """A file of the user interface, to anybody: the page that tells how to sign in needs its style.

        An old digest answers with the file as it is now, which is not to be kept.
        """
        digest, _, name = path.partition("/")
        asset = site.assets.get(name)
        if asset is None:
            raise NotFound(f"file {name or path}", wanted="one of " + ", ".join(site.assets), found="none of that name")
        kept = "public, max-age=31536000, immutable" if digest == asset.digest else "no-store"
        return Response(asset.body, media_type=asset.media_type, headers={**HEADERS, "Cache-Control": kept})

    return router


def _as_page(answer: Callable[[Request, Any], Any]) -> Callable[[Request, Any], Any]:
    """An error handler that words what `answer` says as a page where a browser asks for one."""

    async def handle(request: Request, error: Exception) -> Response:
        response: Response = await answer(request, error)
        if not wants_page(request):
            return response
        wire = json.loads(bytes(response.body))["error"]
        template = "signed_out.html" if response.status_code == 401 else "error.html"
        page = render(request, template, status=response.status_code, error=wire)
        if "www-authenticate" in response.headers:
            page.headers["www-authenticate"] = response.headers["www-authenticate"]
        return page

    return handle


def download(pieces: Iterator[bytes], name: str) -> StreamingResponse:
    """Bytes as a file called `name` for the browser to keep; it shows and runs none of them.

    The first piece is read here: stores check the bytes before they give it out, and what is wrong
    with them must be an error and not a file that ends early.
    """
    begun = chain([next(pieces, b"")], pieces)
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name) or "file"
    headers = {
        **HEADERS,
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
    }
    return StreamingResponse(begun, media_type="application/octet-stream", headers=headers)
