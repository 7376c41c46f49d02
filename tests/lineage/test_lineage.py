from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from mainspring.engines.assembly import Engines
from mainspring.kernel.errors import NotFound
from mainspring.kernel.events import Edge, Event, subject
from mainspring.kernel.principals import Principal
from mainspring.lineage.service import LineageService
from mainspring.surfaces.trees import tree


@dataclass(frozen=True, kw_only=True)
class Made(Event):
    kind = "test.made"
    edges = (Edge("thing_id", "made of", "part_ids"),)
    thing_id: str = subject()
    part_ids: tuple[str, ...] = subject()
    color: str


@pytest.fixture
def lineage(engines: Engines, owner: Principal) -> LineageService:
    """car -> engine, wheel; engine -> steel; wheel -> steel, rubber."""
    made = {"steel": (), "rubber": (), "engine": ("steel",), "wheel": ("steel", "rubber"), "car": ("engine", "wheel")}
    for thing, parts in made.items():
        with engines.sql.write(owner) as work:
            work.emit(Made(thing_id=thing, part_ids=tuple(parts), color=f"{thing}-gray"))
    return LineageService(engines)


def test_why_goes_all_the_way_down(lineage: LineageService, owner: Principal) -> None:
    graph = lineage.why(owner, "car")
    assert graph.nodes[0].id == graph.root == "car"
    assert {node.id for node in graph.nodes} == {"car", "engine", "wheel", "steel", "rubber"}
    assert {(link.source, link.target) for link in graph.links} == {
        ("car", "engine"),
        ("car", "wheel"),
        ("engine", "steel"),
        ("wheel", "steel"),
        ("wheel", "rubber"),
    }
    assert graph.nodes[0].facts == {"color": "car-gray"}
    assert graph.nodes[0].made_by == owner.id


def test_impact_goes_all_the_way_up(lineage: LineageService, owner: Principal) -> None:
    assert {node.id for node in lineage.impact(owner, "rubber").nodes} == {"rubber", "wheel", "car"}


def test_an_unknown_name_is_told_with_what_can_be_asked(lineage: LineageService, owner: Principal) -> None:
    with pytest.raises(NotFound, match="model@alias"):
        lineage.why(owner, "submarine")
    with pytest.raises(NotFound):
        lineage.why(replace(owner, project="other"), "car")


def test_a_name_people_use_is_resolved_by_whoever_knows_it(lineage: LineageService, owner: Principal) -> None:
    lineage.resolvers.append(lambda principal, name: "car" if name == "auto@latest" else None)
    assert lineage.why(owner, "auto@latest").root == "car"


def test_the_drawing_shows_each_thing_once_and_names_it_again(lineage: LineageService, owner: Principal) -> None:
    from rich.console import Console

    from mainspring.kernel.canonical import plain

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(tree(plain(lineage.why(owner, "car")), upward=False))
    text = console.export_text()
    assert text.count("steel-gray") == 1
    assert text.count("(above)") == 1
