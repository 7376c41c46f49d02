"""The pages of datasets: what each holds, whether it was good, what was set apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from mainspring.data.model import DatasetRecord, Version
from mainspring.data.service import DataService
from mainspring.kernel.principals import Principal
from mainspring.surfaces import wording
from mainspring.surfaces.http import Caller
from mainspring.surfaces.pages import Entry, Panel, Site, render

_QUARANTINE_SHOWS = 20
_VERSIONS_SHOWN = 50
_TOP_SHOWN = 3


@dataclass(frozen=True)
class ColumnShown:
    """A column's profile as the page draws it.

    null_share  0 to 1. spread: where mean, mean − std and mean + std lie between min and max, 0 to 1.
    top         (value, share of all rows), most frequent first.
    """

    name: str
    type: str
    null_share: float
    facts: Mapping[str, Any]
    least: str
    greatest: str
    spread: tuple[float, float, float] | None
    top: tuple[tuple[Any, float], ...]


def pages(data: DataService, site: Site) -> APIRouter:
    router = APIRouter()
    site.navigation.append(Entry("Data", "/ui/data"))
    site.addresses["dataset_version"] = "/ui/data-versions/"
    site.add_panel(
        "home",
        lambda principal, _: Panel(
            "Datasets", "data/known.html", data.datasets(principal), more=("All data", "/ui/data")
        ),
    )

    @router.get("/ui/data")
    def datasets(principal: Caller, request: Request) -> Response:
        newest = [(record, _newest(data, principal, record)) for record in data.datasets(principal)]
        return render(request, "data/datasets.html", datasets=newest)

    @router.get("/ui/data/{name}")
    def dataset(
        principal: Caller, request: Request, name: str, version: Annotated[int | None, Query(ge=1)] = None
    ) -> Response:
        """A dataset by one of its versions, the newest where none is named."""
        record = data.dataset(principal, name)
        versions = data.versions(principal, name, limit=_VERSIONS_SHOWN)
        shown = data.version(principal, f"{name}@{version}") if version else next(iter(versions), None)
        manifest = data.manifest(principal, shown.reference) if shown else None
        attempts = data.attempts(principal, name, limit=10)
        of = manifest["attempt"] if manifest else attempts[0].id if attempts else None
        return render(
            request,
            "data/dataset.html",
            record=record,
            versions=versions,
            shown=shown,
            manifest=manifest,
            columns=[] if manifest is None else _columns(manifest),
            attempts=attempts,
            quarantine=data.quarantine(principal, of, limit=_QUARANTINE_SHOWS) if of else [],
            rules=[_rule(check) for check in record.definition.get("checks", ())],
        )

    @router.get("/ui/data-versions/{id}")
    def version(principal: Caller, id: str) -> Response:
        """To the page of the version with this id."""
        found = data.version(principal, id)
        return RedirectResponse(f"/ui/data/{quote(found.dataset)}?version={found.number}", 302)

    return router


def _newest(data: DataService, principal: Principal, record: DatasetRecord) -> Version | None:
    return next(iter(data.versions(principal, record.name, limit=1)), None)


def _columns(manifest: Mapping[str, Any]) -> list[ColumnShown]:
    profile: Mapping[str, Mapping[str, Any]] = manifest["profile"]
    return [_column(column, profile.get(column["name"], {}), manifest["rows"]) for column in manifest["columns"]]


def _column(column: Mapping[str, str], facts: Mapping[str, Any], rows: int) -> ColumnShown:
    total = max(rows, 1)
    top = tuple((value, count / total) for value, count in (facts.get("top") or [])[:_TOP_SHOWN])
    null_share = min(facts.get("nulls", 0) / total, 1.0)
    least, greatest = (_bound(column["type"], facts.get(end)) for end in ("min", "max"))
    return ColumnShown(column["name"], column["type"], null_share, facts, least, greatest, _spread(facts), top)


def _bound(type: str, value: Any) -> str:
    """A least or greatest value; a moment in UTC, to the minute."""
    return str(value)[:16].replace("T", " ") if type == "timestamp" and value else wording.text(value)


def _spread(facts: Mapping[str, Any]) -> tuple[float, float, float] | None:
    found = [facts.get(name) for name in ("mean", "std", "min", "max")]
    numbers = [float(value) for value in found if isinstance(value, (int, float))]
    if len(numbers) < len(found) or numbers[2] == numbers[3]:
        return None
    mean, std, low, high = numbers

    def share(value: float) -> float:
        return min(max((value - low) / (high - low), 0.0), 1.0)

    return share(mean), share(mean - std), share(mean + std)


def _rule(check: Mapping[str, Any]) -> str:
    """A check of a definition in a few words, for a dataset that no rows were checked for yet."""
    fields = ", ".join(f"{name}={wording.text(value)}" for name, value in check.items() if name != "check")
    return f"{check.get('check', '')}({fields})"
