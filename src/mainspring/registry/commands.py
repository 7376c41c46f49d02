"""`mainspring model …`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group as Lines
from rich.console import RenderableType

from mainspring.kernel.errors import AlreadyExists
from mainspring.surfaces.cli import Group, Session, facts, table

commands = Group("model", "Models: versions, aliases, gates, conversions.")
Reference = Annotated[str, typer.Argument(help="`name@alias`, `name:number` or an id.")]
Name = Annotated[str, typer.Argument(help="The model's name.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]

_VERSIONS = ["reference", "aliases", "metrics", "conversion", "registered_at"]


@commands.command("list")
def list_models(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="A model, for its versions only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """The newest versions, of one model or of all."""
    found = session.client.get("/registry/versions", model=name, limit=limit)
    session.show(found, lambda rows: table(rows, _VERSIONS))


@commands.command("search")
def search(session: Session, text: Annotated[str, typer.Argument(help="Part of a name or description.")]) -> None:
    """Models by part of their name."""
    found = session.client.get("/registry/models", text=text)
    session.show(found, lambda rows: table(rows, ["name", "description", "created_at", "deprecated_at"]))


@commands.command("show")
def show(session: Session, reference: Reference) -> None:
    """One version: what it is, how good it is, where it came from, whether it is data."""
    session.show(session.client.get(f"/registry/versions/{reference}"), _page)


@commands.command("history")
def history(session: Session, name: Name) -> None:
    """Every move of the model's aliases."""
    moves = session.client.get(f"/registry/models/{name}")["history"]
    session.show(moves, lambda rows: table(rows, ["at", "alias", "before", "after", "reason"]))


@commands.command("gates")
def gates(session: Session, name: Name) -> None:
    """The verdicts on candidates for the model, newest first."""
    found = session.client.get(f"/registry/models/{name}/gates")
    session.show(
        found,
        lambda rows: table([{**row, **row["verdict"]} for row in rows], ["judged_at", "check", "outcome", "reason"]),
    )


@commands.command("diff")
def diff(session: Session, before: Reference, after: Reference) -> None:
    """What differs between two versions."""
    session.show(session.client.get(f"/registry/versions/{before}/difference", to=after))


@commands.command("promote")
def promote(session: Session, reference: Reference, reason: Reason = "") -> None:
    """Make a version the champion; refused without a passed gate."""
    session.show(session.client.post(f"/registry/versions/{reference}/promote", {"reason": reason}), _line)


@commands.command("alias")
def alias(
    session: Session,
    name: Name,
    alias: Annotated[str, typer.Argument(help="The alias, without @.")],
    version: Annotated[str | None, typer.Argument(help="`3` or `@other`; leave out to take the alias away.")] = None,
    reason: Reason = "",
) -> None:
    """Point an alias at a version, or take it away."""
    body = {"version": version, "reason": reason}
    session.show(session.client.post(f"/registry/models/{name}/aliases/{alias}", body))


@commands.command("deprecate")
def deprecate(session: Session, reference: Reference, reason: Reason = "") -> None:
    """Take a version (`name:3`), or a whole model (`name`), out of use."""
    kind = "versions" if "@" in reference or ":" in reference else "models"
    session.show(session.client.post(f"/registry/{kind}/{reference}/deprecate", {"reason": reason}), _line)


@commands.command("download")
def download(
    session: Session,
    reference: Reference,
    to: Annotated[Path | None, typer.Option(help="The file to write.", show_default=False)] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="The converted model, which is data and no code.")] = False,
) -> None:
    """A version's file, checked."""
    version = session.client.get(f"/registry/versions/{reference}")
    path = to or Path(f"{version['model']}-{version['number']}.{'onnx' if onnx else 'model'}")
    if path.exists():
        raise AlreadyExists(
            f"file {path}", wanted="a new file", found="one of that name", fix="Name another with --to."
        )
    query = "?as_onnx=true" if onnx else ""
    data = session.client.get_bytes(f"/registry/versions/{version['id']}/artifact{query}")
    path.write_bytes(data)
    session.show({"version": version["reference"], "path": str(path), "size_bytes": len(data)})


@commands.command("verify")
def verify(session: Session, reference: Reference) -> None:
    """Read every stored byte of a version again and compare with its record."""
    session.show(session.client.post(f"/registry/versions/{reference}/verify"))


def _line(found: Mapping[str, Any]) -> str:
    return f"{found.get('reference', found.get('name'))} [dim]{', '.join('@' + a for a in found.get('aliases', []))}[/]"


def _page(version: Mapping[str, Any]) -> RenderableType:
    profile, conversion = version["profile"], version["conversion"]
    card = profile["card"]
    return Lines(
        facts(
            {
                "version": version["reference"],
                "aliases": ["@" + alias for alias in version["aliases"]],
                "registered": version["registered_at"],
                "deprecated": version["deprecated_at"],
                "estimator": card["estimator"].get("class_name"),
                "target": card["target"],
                "metrics": profile["metrics"],
                "params": profile["params"],
                "data": profile["dataset_version_ids"],
                "run": profile["run_id"],
                "gate": version["gate_id"],
                "owner": profile["owner"],
                "license": profile["license"],
                "artifact": version["artifact_digest"],
                "conversion": {"state": conversion["state"], **conversion["facts"]},
            }
        ),
        "\n[bold]inputs[/]",
        table((card["signature"] or {}).get("inputs", []), ["name", "type", "is_nullable"]),
    )
