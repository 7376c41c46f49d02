"""`mainspring evaluation …`: how good models were, on which data."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Group as Lines
from rich.console import RenderableType

from mainspring.surfaces.cli import Group, Session, facts, table

commands = Group("evaluation", "Evaluations: metrics of a model on a dataset version, with intervals.")


@commands.command("list")
def list_evaluations(
    session: Session,
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    model: Annotated[str | None, typer.Option(help="Only those of this model.")] = None,
    dataset_version: Annotated[str | None, typer.Option(help="Only those on this dataset version.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
) -> None:
    """The newest evaluations."""
    found = session.client.get(
        "/evaluation/evaluations", run_id=run, model_id=model, dataset_version_id=dataset_version, limit=limit
    )
    session.show(found, _rows)


@commands.command("show")
def show(session: Session, evaluation_id: str) -> None:
    """One evaluation with the interval of every metric."""
    session.show(session.client.get(f"/evaluation/evaluations/{evaluation_id}"), _page)


def _rows(found: list[dict[str, Any]]) -> RenderableType:
    values = [{one["metric"]: one["value"] for one in evaluation["measurements"]} for evaluation in found]
    rows = [{**evaluation, "metrics": shown} for evaluation, shown in zip(found, values, strict=True)]
    return table(rows, ["id", "metrics", "model_id", "dataset_version_id", "recorded_at"])


def _page(found: dict[str, Any]) -> RenderableType:
    origin = {name: value for name, value in found.items() if name != "measurements" and value is not None}
    columns = ["metric", "value", "low", "high", "confidence", "rows", "blocks"]
    return Lines(facts(origin), "\n[bold]metrics[/]", table(found["measurements"], columns))
