"""`mainspring job …`."""

from __future__ import annotations

from mainspring.surfaces.cli import Group, Session, table

commands = Group("job", "Work the platform does by itself: gates, conversions.")


@commands.command("list")
def list_jobs(session: Session) -> None:
    """The newest jobs."""
    columns = ["id", "kind", "state", "attempts", "asked_by", "requested_at"]
    session.show(session.client.get("/jobs"), lambda rows: table(rows, columns))


@commands.command("show")
def show(session: Session, id: str) -> None:
    """One job: state, result, error."""
    session.show(session.client.get(f"/jobs/{id}"))
