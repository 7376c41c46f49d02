"""`mainspring audit …`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.kernel.errors import InvalidInput
from mainspring.surfaces.cli import Group, Session, table

commands = Group("audit", "The tamper-evident record of everything that happened.")


@commands.command("verify")
def verify(
    session: Session,
    head: Annotated[Path | None, typer.Option(help="A head printed by `audit head` and kept elsewhere.")] = None,
) -> int:
    """Check every chain link by link; exit code 9 and the first bad event if one was tampered with."""
    kept = []
    if head is not None:
        try:
            kept = [json.loads(head.read_text())]
        except (OSError, ValueError) as error:
            raise InvalidInput(f"head {head}", wanted="a file made by `audit head`", found=str(error)) from error
    reports = session.client.post("/audit/verify", {"heads": kept})
    session.show(reports, lambda found: "\n".join(_sentence(report) for report in found))
    return 0 if all(report["fault"] is None for report in reports) else 9


@commands.command("head")
def show_head(session: Session) -> None:
    """Sign and print the chain's end, as one JSON line to keep elsewhere."""
    head = session.client.post("/audit/head")
    session.show(head, lambda value: json.dumps(value))


@commands.command("events")
def events(
    session: Session,
    about: Annotated[str | None, typer.Option(help="Only events that name this id.")] = None,
    after: Annotated[int, typer.Option(help="Only events after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """The project's events, oldest first."""
    found = session.client.get("/audit/events", after=after, about=about, limit=limit)
    session.show(found, lambda rows: table(rows, ["seq", "time", "kind", "principal_id", "subjects"]))


@commands.command("erase")
def erase(
    session: Session, event_id: str, reason: Annotated[str, typer.Option(help="Why; kept in the chain.")]
) -> None:
    """Erase one event's payload for good; its place in the chain stays."""
    session.show(session.client.post(f"/audit/events/{event_id}/erase", {"reason": reason}))


def _sentence(report: dict[str, Any]) -> str:
    sealed = (
        f"{report['sealed_seq']} sealed by {report['heads']} signed heads, {report['unsealed_events']} not yet sealed"
    )
    if fault := report["fault"]:
        return f"[bold red]{report['project']}: broken at event {fault['seq']}[/]: {fault['problem']} ({sealed})"
    erased = f", {report['erased_payloads']} payloads erased" if report["erased_payloads"] else ""
    return f"[green]{report['project']}: intact[/], {report['events']} events, {sealed}{erased}"
