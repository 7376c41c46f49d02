"""The pages of models: which version serves, and what each version rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from mainspring.data.service import DataService
from mainspring.kernel.errors import InvalidInput, NotFound
from mainspring.kernel.principals import Principal
from mainspring.registry import permissions
from mainspring.registry.model import CHALLENGER, CHAMPION, GateVerdict, Model, ModelVersion
from mainspring.registry.service import RegistryService
from mainspring.surfaces.drawings import Interval, interval
from mainspring.surfaces.http import Caller
from mainspring.surfaces.pages import Entry, Panel, Site, download, render, see_other

_HOME_SHOWS = 8
_VERSIONS_SHOWN = 100
_ACTIONS = (permissions.PROMOTE, permissions.ALIAS, permissions.DEPRECATE)
Words = Annotated[str, Form(max_length=500)]
Alias = Annotated[str, Form(max_length=64)]


@dataclass(frozen=True)
class Serving:
    """A model as lists show it: who serves, who would, and how many versions there are."""

    model: Model
    champion: ModelVersion | None
    challenger: ModelVersion | None
    newest: ModelVersion | None


@dataclass(frozen=True)
class Judged:
    """A gate's verdict with its comparison drawn, and its threshold where it has one."""

    gate: GateVerdict
    comparison: Interval | None
    threshold: Interval | None


def pages(registry: RegistryService, data: DataService, site: Site) -> APIRouter:
    router = APIRouter()
    site.navigation.append(Entry("Models", "/ui/models"))
    site.addresses |= dict.fromkeys(("model_version", "champion", "before"), "/ui/model-versions/")
    site.add_panel("home", lambda principal, _: _home(registry, principal))
    _reading(router, registry, data, site)
    _acting(router, registry)
    return router


def _reading(router: APIRouter, registry: RegistryService, data: DataService, site: Site) -> None:
    @router.get("/ui/models")
    def models(principal: Caller, request: Request) -> Response:
        serving = [_serving(registry, principal, model) for model in registry.models(principal)]
        return render(request, "registry/models.html", models=serving)

    @router.get("/ui/models/{name}")
    def model(principal: Caller, request: Request, name: str) -> Response:
        return render(
            request,
            "registry/model.html",
            model=registry.model(principal, name),
            versions=registry.versions(principal, name=name, limit=_VERSIONS_SHOWN),
            history=list(reversed(registry.history(principal, name))),
        )

    @router.get("/ui/model-versions/{id}")
    def of_id(principal: Caller, id: str) -> Response:
        """To the page of the version with this id."""
        return RedirectResponse(_path(registry.version(principal, id)), 302)

    @router.get("/ui/models/{name}/{which}")
    def version(principal: Caller, request: Request, name: str, which: str) -> Response:
        """A version by its number, or by an alias such as `@champion`."""
        found = _found(registry, principal, name, which)
        gates = registry.gates.gates(principal, found.model)
        history = registry.history(principal, found.model)
        return render(
            request,
            "registry/version.html",
            version=found,
            profile=found.profile,
            card=found.profile.card,
            trained_on=_named(data, principal, found.profile.dataset_version_ids),
            judged=[judged(gate) for gate in gates if gate.candidate.model_digest == found.artifact_digest],
            moves=[move for move in reversed(history) if found.number in (move.before, move.after)],
            panels=site.panels("why", principal, found.id),
            is_champion=CHAMPION in found.aliases,
            may={verb.name.rpartition(".")[2]: principal.may(verb) for verb in _ACTIONS},
        )

    @router.get("/ui/models/{name}/{which}/artifact")
    def artifact(principal: Caller, name: str, which: str, as_onnx: bool = False) -> Response:
        """The version's checked bytes, as a file to keep; that it was loaded is recorded."""
        reference = _found(registry, principal, name, which).reference
        found, pieces = registry.download(principal, reference, as_onnx=as_onnx)
        return download(pieces, f"{found.model}-{found.number}.{'onnx' if as_onnx else 'model'}")


def _acting(router: APIRouter, registry: RegistryService) -> None:
    """What may be done to a version; each is a use case of the API and a command as well."""

    @router.post("/ui/models/{name}/{which}/promote")
    def promote(principal: Caller, name: str, which: str, reason: Words = "") -> Response:
        version = _found(registry, principal, name, which)
        return see_other(_path(registry.promote(principal, version.reference, reason=reason)))

    @router.post("/ui/models/{name}/{which}/alias")
    def set_alias(principal: Caller, name: str, which: str, alias: Alias, reason: Words = "") -> Response:
        version = _found(registry, principal, name, which)
        registry.set_alias(principal, name, alias.strip().removeprefix("@"), str(version.number), reason=reason)
        return see_other(_path(version))

    @router.post("/ui/models/{name}/{which}/deprecate")
    def deprecate(principal: Caller, name: str, which: str, reason: Words = "") -> Response:
        version = _found(registry, principal, name, which)
        return see_other(_path(registry.deprecate(principal, version.reference, reason=reason)))


def _named(data: DataService, principal: Principal, ids: Sequence[str]) -> list[tuple[str, str]]:
    """Ids of dataset versions with what people call them; an id that is of none here stays itself."""
    named = []
    for id in ids:
        try:
            named.append((id, data.version(principal, id).reference))
        except (NotFound, InvalidInput):
            named.append((id, id))
    return named


def _found(registry: RegistryService, principal: Principal, name: str, which: str) -> ModelVersion:
    return registry.version(principal, name + which if which.startswith("@") else f"{name}:{which}")


def _path(version: ModelVersion) -> str:
    return f"/ui/models/{quote(version.model)}/{version.number}"


def _home(registry: RegistryService, principal: Principal) -> Panel:
    shown = [_serving(registry, principal, model) for model in registry.models(principal, limit=_HOME_SHOWS)]
    return Panel("Models", "registry/known.html", shown, ("All models", "/ui/models"))


def _serving(registry: RegistryService, principal: Principal, model: Model) -> Serving:
    versions = registry.versions(principal, name=model.name, limit=_VERSIONS_SHOWN)

    def aliased(alias: str) -> ModelVersion | None:
        return next((version for version in versions if alias in version.aliases), None)

    return Serving(model, aliased(CHAMPION), aliased(CHALLENGER), next(iter(versions), None))


def judged(gate: GateVerdict) -> Judged:
    """The verdict with its numbers drawn, as far as they are there: evidence may lack bounds, or be erased."""
    evidence = gate.verdict.evidence
    comparison = _drawn(evidence, "difference", bound=evidence.get("margin"))
    limit = evidence.get("threshold")
    threshold = None
    if isinstance(limit, Mapping):
        threshold = _drawn(
            limit,
            "value",
            bound=limit.get("threshold"),
            bound_label=str(limit.get("bound", "threshold")).replace("_", " "),
            zero_label=None,
            is_better_below=limit.get("bound") != "at least",
        )
    return Judged(gate, comparison, threshold)


def _drawn(evidence: Mapping[str, Any], estimate: str, **options: Any) -> Interval | None:
    if not isinstance(evidence.get(estimate), (int, float)):
        return None
    low, high = evidence.get("low"), evidence.get("high")
    return interval(
        float(evidence[estimate]),
        -math.inf if low is None else float(low),
        math.inf if high is None else float(high),
        **options,
    )
