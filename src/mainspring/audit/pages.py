"""The audit pages: what happened, newest first, and whether the record of it is intact."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from mainspring.audit import permissions
from mainspring.audit.model import ChainReport
from mainspring.audit.service import AuditService
from mainspring.kernel.events import LoggedEvent
from mainspring.kernel.principals import Principal
from mainspring.surfaces.http import Caller
from mainspring.surfaces.pages import Entry, Panel, Site, render

_PAGE = 50
_HOME_SHOWS = 8


def pages(audit: AuditService, site: Site) -> APIRouter:
    router = APIRouter()
    site.navigation.append(Entry("Audit", "/ui/audit", "platform"))
    site.add_panel("home", lambda principal, _: _newest(audit, principal), is_last=True)

    @router.get("/ui/audit")
    def events(
        principal: Caller,
        request: Request,
        before: Annotated[int | None, Query(ge=1)] = None,
        about: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        """A page of events that ends before the number `before`, or all that name the id `about`."""
        if about:
            found = list(reversed(audit.about(principal, about)))
        else:
            found = _before(audit, principal, before)
        return _shown(request, principal, found, about=about)

    @router.post("/ui/audit/verify")
    def verify(principal: Caller, request: Request) -> Response:
        reports = audit.verify(principal)
        return _shown(request, principal, audit.latest(principal, limit=_PAGE), reports=reports)

    return router


def _shown(
    request: Request,
    principal: Principal,
    found: list[LoggedEvent],
    *,
    about: str = "",
    reports: list[ChainReport] | None = None,
) -> Response:
    return render(
        request,
        "audit/events.html",
        events=found,
        about=about,
        older=found[-1].seq if found and found[-1].seq > 1 and not about else None,
        reports=[(report, _sentence(report)) for report in reports or ()],
        may_verify=principal.may(permissions.VERIFY),
    )


def _before(audit: AuditService, principal: Principal, before: int | None) -> list[LoggedEvent]:
    """The page of events below a number, newest first; numbers have no gaps."""
    if before is None:
        return audit.latest(principal, limit=_PAGE)
    after = max(0, before - 1 - _PAGE)
    found = audit.events(principal, after=after, limit=before - 1 - after) if before - 1 > after else []
    return list(reversed(found))


def _newest(audit: AuditService, principal: Principal) -> Panel | None:
    shown = audit.latest(principal, limit=_HOME_SHOWS)
    return Panel("Events", "audit/newest.html", shown, more=("All events", "/ui/audit"))


def _sentence(report: ChainReport) -> str:
    sealed = f"{report.sealed_seq} sealed by {report.heads} signed heads, {report.unsealed_events} not yet sealed"
    if report.fault:
        return f"Broken at event {report.fault.seq}: {report.fault.problem} ({sealed})."
    erased = f", {report.erased_payloads} payloads erased" if report.erased_payloads else ""
    return f"Intact: {report.events} events, {sealed}{erased}."
