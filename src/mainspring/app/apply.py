"""`mainspring apply`: bring what the platform knows in line with the project file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.data.definitions import Dataset
from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.definitions import Pipeline
from mainspring.surfaces.cli import Group, Session, table
from mainspring.surfaces.project import load_project

bare = Group()


@bare.command("apply")
def apply(
    session: Session,
    project_file: Annotated[Path | None, typer.Option(help="Default: the nearest project.py.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would change.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Retire pipelines that the file no longer has.")] = False,
) -> None:
    """Show what differs from the project file, and apply it. Applying twice changes nothing."""
    project = load_project(project_file)
    datasets = [definition.to_json() for definition in project.all(Dataset).values()]
    pipelines = [definition.to_definition() for definition in project.all(Pipeline).values()]
    if not datasets and not pipelines:
        raise InvalidInput(f"project file {project.file}", wanted="at least one dataset or pipeline", found="none")
    verb = "plan" if plan else "apply"
    asked = {
        "data": {"definitions": datasets, "folder": str(project.folder)},
        "pipelines": {"definitions": pipelines, "prune": prune},
    }
    changes: list[dict[str, Any]] = []
    for stage, body in asked.items():
        changes += session.client.post(f"/{stage}/definitions/{verb}", body)
    session.show(changes, lambda rows: table(rows, ["action", "kind", "name", "fields"]))
    if plan:
        session.note("Nothing was changed. Run `mainspring apply` to apply it.")
