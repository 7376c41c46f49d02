"""`mainspring demo`: the main job on real data, with nothing but what a user has."""

from __future__ import annotations

import csv
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group as Lines
from rich.console import RenderableType

from mainspring.kernel.errors import AlreadyExists
from mainspring.surfaces.cli import Group, Session, facts
from mainspring.surfaces.project import load_project
from mainspring.surfaces.trees import tree

bare = Group()
HERE = Path(__file__).parent
DATA = HERE / "data" / "bike_sharing" / "hour.csv"
LAST_DAY = "2011-02-28"
"""The demo trains on the first two months; the rest of the file is the future."""


@bare.command("demo")
def demo(
    session: Session,
    folder: Annotated[Path, typer.Option(help="Where its project and home are made.")] = Path("mainspring-demo"),
) -> None:
    """Two months of real bike hire, from a file to a gated, registered, compiled model."""
    began = time.monotonic()
    folder = folder.resolve()
    _lay_out(folder)
    session.home = session.home or folder / ".mainspring"
    project = load_project(folder / "bike_demo.py")
    client = session.client
    pipeline: Any = vars(project.module)["forecast"]
    session.note(
        f"[bold]Bike hire[/], {LAST_DAY[:4]}-01-01 to {LAST_DAY}: ingest, three candidates, gate, registry, ONNX"
    )
    result = pipeline.run(client=client, watch=_teller(session))
    detail = client.get(f"/pipelines/runs/{result.id}")
    version = client.get("/registry/versions/bike-demand@challenger")
    if version["conversion"]["state"] == "pending":
        session.note("compiling to ONNX, in a process of its own ...")
        client.wait(version["conversion"]["job_id"])
        version = client.get("/registry/versions/bike-demand@challenger")
    gate = client.get(f"/registry/gates/{version['gate_id']}")
    told = {
        "seconds": round(time.monotonic() - began, 2),
        "run": result.id,
        "steps": len(detail["steps"]),
        "steps_cached": sum(step["status"] == "cached" for step in detail["steps"]),
        "steps_cacheable": sum(step["kind"] == "step" for step in detail["steps"]),
        "version": f"bike-demand:{version['number']}",
        "version_id": version["id"],
        "gate": gate,
        "conversion": version["conversion"],
        "audit_ok": all(report["fault"] is None for report in client.post("/audit/verify")),
        "home": str(client.home),
        "why": client.get("/lineage/why", name=version["id"]),
    }
    session.show(told, _story)


def _teller(session: Session) -> Callable[[Any], None]:
    """Says each step's end, once."""

    def tell(change: Any) -> None:
        if change.state not in ("waiting", "running"):
            session.note(f"  {change.state:9} {change.label}")

    return tell


def _lay_out(folder: Path) -> None:
    """The demo's project as a user would have it: a file of definitions beside a file of data."""
    known = folder / "bike_demo.py"
    if folder.exists() and any(folder.iterdir()) and not known.exists():
        raise AlreadyExists(
            f"folder {folder}", wanted="a new one, or the demo's own", found="other files", fix="Say --folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "hour.csv").exists():
        _cut(DATA, folder / "hour.csv")
        shutil.copy(DATA.with_name("README.md"), folder / "hour.README.md")
    if not known.exists():
        shutil.copy(HERE / "project.py", known)


def _cut(source: Path, target: Path) -> None:
    """The rows up to `LAST_DAY`, written whole or not at all."""
    beside = target.with_suffix(".new")
    with source.open(newline="") as read, beside.open("w", newline="") as write:
        rows, kept = csv.reader(read), csv.writer(write, lineterminator="\n")
        header = next(rows)
        day = header.index("dteday")
        kept.writerow(header)
        kept.writerows(row for row in rows if row[day] <= LAST_DAY)
    beside.replace(target)


def _story(told: dict[str, Any]) -> RenderableType:
    cached = f"{told['steps_cached']} of {told['steps_cacheable']} steps from the cache"
    gate, conversion = told["gate"]["verdict"], told["conversion"]
    summary = {
        "model": f"{told['version']} (@challenger)",
        "gate": f"{gate['outcome']}: {gate['reason']}",
        "onnx": _compiled(conversion),
        "steps": cached,
        "audit": "every event verified" if told["audit_ok"] else "BROKEN: see mainspring audit verify",
        "seconds": told["seconds"],
    }
    hint = f"\nLook at it: [bold]mainspring up --home {told['home']}[/]"
    return Lines(facts(summary), "\n[bold]Why this version[/]", tree(told["why"], upward=False), hint)


def _compiled(conversion: dict[str, Any]) -> str:
    facts = conversion["facts"]
    if "rows" not in facts:
        return str(conversion["state"])
    return f"{conversion['state']}: {facts['rows']} rows compared, largest difference {facts['max_difference']:.3g}"
