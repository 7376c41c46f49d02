"""The import rules that import-linter has no type for. `pyproject.toml` says what they are given.

A stage's modules are named by their slot: `mainspring.data.service.ingest` is of the stage `data`
and in the slot `service`.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from grimp import ImportGraph, Layer
from importlinter import Contract, ContractCheck, fields, output

ROOT = "mainspring"
PLUGINS = "plug-ins"
"""Stands in a contract for every folder that holds plug-ins."""
MOUNTED = frozenset({"commands", "controller", "pages", "routes"})
"""Slots that only `app` imports, by rule 5."""
OUTER = MOUNTED | {"client"}
FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"})


@dataclass(frozen=True)
class Slotted:
    """A module of a stage: `stage` and `slot` are single names, `module` is the full one."""

    stage: str
    slot: str
    module: str


class RuleContract(Contract):
    """A contract whose violations are sentences."""

    type_name: ClassVar[str]

    def violations(self, graph: ImportGraph) -> Iterator[str]:
        raise NotImplementedError

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        found = sorted(set(self.violations(graph)))
        return ContractCheck(kept=not found, metadata={"violations": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for violation in check.metadata["violations"]:
            output.print_error(f"- {violation}", bold=False)
        output.new_line()

    def option(self, name: str) -> list[str]:
        """What the contract was given under `name`: import-linter puts it where the field was declared."""
        values: list[str] = getattr(self, name)
        return values

    @property
    def stages(self) -> frozenset[str]:
        return frozenset(self.session_options["stages"])

    def slotted(self, graph: ImportGraph) -> list[Slotted]:
        """Every module that lies inside a stage."""
        found = []
        for module in graph.modules:
            parts = module.split(".")
            if len(parts) > 2 and parts[0] == ROOT and parts[1] in self.stages:
                found.append(Slotted(parts[1], parts[2], module))
        return found

    def kinds(self, graph: ImportGraph) -> list[str]:
        """The folders of plug-ins: in a stage or an engine role, those that hold a `contract`."""
        holders = {f"{ROOT}.{stage}" for stage in self.stages} | {f"{ROOT}.engines"}
        contracts = (module.removesuffix(".contract") for module in graph.modules if module.endswith(".contract"))
        return sorted(kind for kind in contracts if kind.rpartition(".")[0] in holders)


class ShapeContract(RuleContract):
    """Rule 2: a stage has only the slots, and a slot imports only lower ones. Highest slot first."""

    type_name = "shape"
    slots = fields.ListField(subfield=fields.StringField())

    def violations(self, graph: ImportGraph) -> Iterator[str]:
        levels = [[name.strip() for name in level.split("|")] for level in self.option("slots")]
        known = {name for level in levels for name in level}
        kinds = set(self.kinds(graph))
        for stage in sorted({found.stage for found in self.slotted(graph)}):
            container = f"{ROOT}.{stage}"
            plugins = {kind.rpartition(".")[2] for kind in kinds if kind.startswith(container + ".")}
            yield from self._unknown(graph, container, known | plugins)
            layers = [
                Layer(*(plugins if level == [PLUGINS] else level), independent=False)
                for level in levels
                if level != [PLUGINS] or plugins
            ]
            for wrong in graph.find_illegal_dependencies_for_layers(layers, containers={container}):
                for route in wrong.routes:
                    chain = [sorted(route.heads)[0], *route.middle, sorted(route.tails)[0]]
                    yield f"{wrong.importer} may not import {wrong.imported}: {' -> '.join(chain)}"

    def _unknown(self, graph: ImportGraph, container: str, known: Iterable[str]) -> Iterator[str]:
        for child in graph.find_children(container):
            if child.rpartition(".")[2] not in known:
                yield f"{child} is none of the slots of a stage and no folder with a contract.py"
        for module in graph.find_descendants(container):
            if module.rpartition(".")[2] in FORBIDDEN_NAMES:
                yield f"{module} is named after no subject"


class PureContract(RuleContract):
    """Rule 3: pure modules reach no third-party library but those named, however indirectly.

    A pure module answers for itself, so a chain that passes another one is not followed further.
    """

    type_name = "pure"
    modules = fields.ListField(subfield=fields.StringField())

    def violations(self, graph: ImportGraph) -> Iterator[str]:
        libraries = third_party(graph)
        allowed: dict[str, set[str]] = {}
        for line in self.option("modules"):
            pattern, _, names = line.partition(":")
            for module in graph.modules:
                if lies_in(module, pattern.strip()):
                    allowed.setdefault(module, set()).update(names.split())
        for module in sorted(allowed):
            for chain in _chains(graph, module, stop=allowed.keys() | libraries):
                if chain[-1] in libraries - allowed[module]:
                    yield f"{module} may not reach {chain[-1]}: {' -> '.join(chain)}"


class VendorsContract(RuleContract):
    """Rule 4: every third-party library is listed, and imported only in its places."""

    type_name = "vendors"
    places = fields.ListField(subfield=fields.StringField())

    def violations(self, graph: ImportGraph) -> Iterator[str]:
        places: dict[str, list[str]] = {}
        for line in self.option("places"):
            libraries, _, patterns = line.partition(":")
            places.update(dict.fromkeys(libraries.split(), patterns.split()))
        kinds = [kind.removeprefix(ROOT + ".") for kind in self.kinds(graph)]
        for library in third_party(graph):
            if library not in places:
                yield f"{library} is listed nowhere in the contract"
                continue
            allowed = [name for name in places[library] if name != PLUGINS]
            if PLUGINS in places[library]:
                allowed += kinds
            for importer in graph.find_modules_that_directly_import(library):
                if not any(lies_in(importer, pattern) for pattern in allowed):
                    yield f"{importer} may not import {library}"


class PluginsContract(RuleContract):
    """Rule 6: plug-ins of one kind do not know each other, nor does their contract know one."""

    type_name = "plugins"

    def violations(self, graph: ImportGraph) -> Iterator[str]:
        for kind in self.kinds(graph):
            children = {child.rpartition(".")[2] for child in graph.find_children(kind)}
            # A name with an underscore is part of the plug-in, or plug-ins, that use it.
            plugins = {name for name in children if not name.startswith("_")} - {"contract"}
            layers = [Layer(*plugins, independent=True), Layer("contract")] if plugins else []
            for wrong in graph.find_illegal_dependencies_for_layers(layers, containers={kind}):
                yield f"{wrong.importer} may not know {wrong.imported}"


class NeighborsContract(RuleContract):
    """Rule 8: of another stage one may import what is open to all, and from high slots a little more."""

    type_name = "neighbors"
    open = fields.ListField(subfield=fields.StringField())
    from_service_upward = fields.ListField(subfield=fields.StringField())
    from_client_upward = fields.ListField(subfield=fields.StringField())

    def violations(self, graph: ImportGraph) -> Iterator[str]:
        by_module = {found.module: found for found in self.slotted(graph)}
        kinds = frozenset(kind.rpartition(".")[2] for kind in self.kinds(graph))
        for module in graph.modules:
            importer = by_module.get(module)
            allowed = self._allowed(module, importer, kinds)
            for imported in graph.find_modules_directly_imported_by(module):
                target = by_module.get(imported)
                if target is None or (importer and importer.stage == target.stage):
                    continue
                # Who may import what is mounted is rule 5's.
                if target.slot not in allowed | MOUNTED and not lies_in(module, "app"):
                    yield f"{module} may not import {imported}"

    def _allowed(self, module: str, importer: Slotted | None, kinds: frozenset[str]) -> set[str]:
        """The slots of another stage that `module` may import."""
        allowed = set(self.option("open"))
        # What has no slots stands above services (surfaces) or is itself a client (the SDK's front).
        slot = importer.slot if importer else "service" if lies_in(module, "surfaces") else "client"
        if slot in OUTER | {"service"}:
            allowed |= set(self.option("from_service_upward"))
        if slot in OUTER:
            allowed |= set(self.option("from_client_upward"))
        # The front names plug-ins for type checkers: `ms.not_null`.
        return allowed | kinds if module == ROOT else allowed


@cache
def lies_in(module: str, pattern: str) -> bool:
    """Whether a module is, or lies below, `pattern`, which is relative to the root; `*` is any one name.

    >>> lies_in("mainspring.data.model", "*.model"), lies_in("mainspring.app", "*.model")
    (True, False)
    """
    parts = module.split(".")
    wanted = [ROOT, *pattern.split(".")]
    return len(parts) >= len(wanted) and all(w in ("*", p) for w, p in zip(wanted, parts, strict=False))


def _chains(graph: ImportGraph, start: str, *, stop: Collection[str]) -> Iterator[list[str]]:
    """A shortest chain of imports from `start` to each module that can be reached without passing one of `stop`."""
    seen, queue = {start}, deque([[start]])
    while queue:
        chain = queue.popleft()
        for imported in sorted(graph.find_modules_directly_imported_by(chain[-1]) - seen):
            seen.add(imported)
            yield [*chain, imported]
            if imported not in stop:
                queue.append([*chain, imported])


def third_party(graph: ImportGraph) -> set[str]:
    """The libraries in the graph that are neither ours nor Python's."""
    top_level = {module for module in graph.modules if not module.startswith(ROOT)}
    return {module for module in top_level if module.partition(".")[0] not in sys.stdlib_module_names}
