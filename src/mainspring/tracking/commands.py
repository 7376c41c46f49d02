"""`mainspring tracking …`: runs, their metrics and artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group as Lines
from rich.console import RenderableType

from mainspring.kernel.errors import NotFound
from mainspring.surfaces.cli import Group, Session, facts, table
from mainspring.tracking.client.artifacts import get_artifact

commands = Group("tracking", "Runs: parameters, metrics, artifacts, code and environment.")


@commands.command("runs")
def runs(
    session: Session,
    kind: Annotated[str | None, typer.Option(help="run, pipeline or step.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
) -> None:
    """The newest runs."""
    found = session.client.get("/tracking/runs", kind=kind, limit=limit)
    session.show(found, lambda rows: table(rows, ["id", "name", "kind", "status", "started_at"]))


@commands.command("show")
def show(session: Session, run_id: str) -> None:
    """One run: parameters, metrics, artifacts, code, environment."""
    session.show(session.client.get(f"/tracking/runs/{run_id}"), _page)


@commands.command("metric")
def metric(session: Session, run_id: str, key: str) -> None:
    """Every value of one metric."""
    found = session.client.get(f"/tracking/runs/{run_id}/metrics", key=key)
    session.show(found, lambda rows: table(rows, ["step", "value", "time"]))


@commands.command("download")
def download(
    session: Session, run_id: str, name: str, to: Annotated[Path | None, typer.Option(help="Where to write it.")] = None
) -> None:
    """Fetch an artifact of a run, checked against its digest."""
    artifacts = session.client.get(f"/tracking/runs/{run_id}")["artifacts"]
    found = next((artifact for artifact in artifacts if artifact["name"] == name), None)
    if found is None:
        wanted = "one of " + ", ".join(artifact["name"] for artifact in artifacts)
        raise NotFound(f"artifact {name}", wanted=wanted, found="none of that name")
    target = to or Path(Path(name).name)
    target.write_bytes(get_artifact(session.client, found["digest"]))
    session.show({"name": name, "path": str(target), "digest": found["digest"], "size_bytes": found["size_bytes"]})


def _page(detail: dict[str, Any]) -> RenderableType:
    run, environment = detail["run"], detail["environment"]
    parts: list[RenderableType] = [facts({k: v for k, v in run.items() if v not in (None, {})})]
    for title, values in (("parameters", detail["params"]), ("metrics", detail["metrics"])):
        if values:
            parts += [f"\n[bold]{title}[/]", facts(values)]
    if detail["artifacts"]:
        parts += ["\n[bold]artifacts[/]", table(detail["artifacts"], ["name", "kind", "size_bytes", "digest"])]
    if environment:
        code = {k: v for k, v in (environment["code"] or {}).items() if v not in (None, [], "")}
        parts += ["\n[bold]code[/]", facts(code) if code else "[dim]not in a Git repository[/]"]
        parts += ["\n[bold]machine[/]", facts({k: v for k, v in environment["machine"].items() if v not in (None, [])})]
    return Lines(*parts)
