"""`mainspring data …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Group as Stack
from rich.console import RenderableType

from mainspring.data.client import ingest as ingest_file
from mainspring.surfaces.cli import Group, Session, facts, table

commands = Group("data", "Datasets, their versions, and the rows that were set apart.")
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many rows at most.")]
Reference = Annotated[str, typer.Argument(help="name, name@number, name@id or an id.", show_default=False)]


@commands.command("list")
def list_datasets(session: Session) -> None:
    """The project's datasets."""
    columns = ["name", "latest_version", "revision", "applied_at"]
    session.show(session.client.get("/data/datasets"), lambda rows: table(rows, columns))


@commands.command("show")
def show(session: Session, reference: Reference) -> None:
    """One version: where it came from, what its columns hold, which checks it passed."""
    manifest = session.client.get(f"/data/versions/{quote(reference)}/manifest")
    session.show(manifest, _described)


@commands.command("ingest")
def ingest(
    session: Session,
    name: str,
    source: Annotated[Path | None, typer.Option(help="A file instead of the definition's own.")] = None,
) -> None:
    """Read the dataset's source into a new version; nothing is added if it was read before."""
    session.show(ingest_file(session.client, name, source), _told)


@commands.command("versions")
def versions(session: Session, name: str) -> None:
    """A dataset's versions, newest first."""
    columns = ["number", "id", "rows", "quarantined", "source_name", "created_at"]
    session.show(session.client.get(f"/data/datasets/{quote(name)}/versions"), lambda rows: table(rows, columns))


@commands.command("attempts")
def attempts(session: Session, name: str) -> None:
    """What ingesting the dataset came to, newest first."""
    columns = ["at", "id", "outcome", "source_name", "error"]
    session.show(session.client.get(f"/data/datasets/{quote(name)}/attempts"), lambda rows: table(rows, columns))


@commands.command("quarantine")
def quarantine(
    session: Session,
    of: Annotated[str, typer.Argument(help="An attempt, a version, or a dataset (its newest attempt).")],
    limit: Limit = 20,
) -> None:
    """Rows that were set apart: line, reasons and what stood there."""
    rows = session.client.get(f"/data/quarantine/{quote(of)}", limit=limit)
    session.show(rows, lambda found: table([_plain(row) for row in found], ["line", "reasons", "values"]))


@commands.command("head")
def head(session: Session, reference: Reference, limit: Limit = 10) -> None:
    """The first rows of a version."""
    rows = session.client.get(f"/data/versions/{quote(reference)}/rows", limit=limit)
    session.show(rows, lambda found: table(found, list(found[0]) if found else []))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    values = row["text"] if row["values"] is None else ", ".join(f"{k}={v}" for k, v in row["values"].items())
    return {"line": row["line"], "reasons": "; ".join(row["reasons"]), "values": values}


def _told(ingested: dict[str, Any]) -> str:
    version, counts = ingested["version"], ingested["counts"]
    name = f"{version['dataset']}@{version['number']}"
    if not ingested["added"]:
        return f"{name} holds these rows already; nothing was added."
    return f"{name}: {counts['read']:,} rows read, {counts['good']:,} good, {counts['quarantined']:,} quarantined."


def _described(manifest: dict[str, Any]) -> RenderableType:
    profile = manifest["profile"]
    columns = [{**column, **profile.get(column["name"], {})} for column in manifest["columns"]]
    top = {
        "id": manifest["id"],
        "dataset": manifest["dataset"],
        "rows": manifest["rows"],
        "quarantined": manifest["counts"]["quarantined"],
        "source": manifest["source"]["name"],
        "source sha-256": manifest["source"]["fingerprint"],
        "definition": manifest["definition_digest"],
    }
    return Stack(
        facts(top),
        table(columns, ["name", "type", "nulls", "distinct", "min", "max", "mean"]),
        table(manifest["checks"], ["rule", "outcome", "failing"]),
    )
