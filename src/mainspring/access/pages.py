"""Entering the user interface by a one-time link, and leaving it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from mainspring.access.model import split
from mainspring.access.service import SESSION_LIVES_S, AccessService
from mainspring.surfaces.http import Caller, session_cookie
from mainspring.surfaces.pages import HOME, Site, render


def pages(access: AccessService, site: Site) -> APIRouter:
    router = APIRouter()
    site.name_of = access.name_of

    @router.get("/ui/enter")
    def enter(request: Request, code: str = "", next: str = HOME) -> Response:
        """Spend a link's code and go on to `next`, a path of the user interface.

        Not a redirect: a browser that followed the link from elsewhere would send no strict cookie
        to where a redirect leads. A page of our own that moves on does.
        """
        issued = access.enter(code)
        page = render(request, "access/entered.html", next=_own_path(next))
        page.headers["Refresh"] = f"0; url={_own_path(next)}"
        page.headers["Referrer-Policy"] = "no-referrer"
        page.set_cookie(
            session_cookie(request),
            issued.text,
            max_age=int(SESSION_LIVES_S),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return page

    @router.post("/ui/leave")
    def leave(principal: Caller, request: Request) -> Response:
        """Revoke the session this browser holds, and forget it."""
        parts = split(request.cookies.get(session_cookie(request), ""))
        if parts is not None:
            access.revoke_token(principal, parts[0])
        answer = RedirectResponse(HOME, 303)
        answer.delete_cookie(session_cookie(request), httponly=True, samesite="strict")
        return answer

    return router


def _own_path(next: str) -> str:
    """`next` if it is a path below the user interface, else its home: a link must not lead elsewhere."""
    is_own = next == HOME or next.startswith(HOME + "/")
    return next if is_own and next.isascii() and next.isprintable() and "\\" not in next else HOME
