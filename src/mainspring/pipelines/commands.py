"""`mainspring run` and `mainspring pipeline …`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any, Self

import typer
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from mainspring.kernel.errors import InvalidInput
from mainspring.pipelines.client.driver import StepChange
from mainspring.pipelines.client.run import run_pipeline
from mainspring.pipelines.definitions import Pipeline
from mainspring.surfaces.cli import Group, Session, facts, table
from mainspring.surfaces.project import load_project

bare = Group()
commands = Group("pipeline", "Pipelines: definitions, runs, steps, and why a step ran.")
_COLORS = {
    "succeeded": "green",
    "cached": "cyan",
    "failed": "red",
    "cancelled": "yellow",
    "skipped": "dim",
    "running": "blue",
}
_RECENT_S = 8


@bare.command("run")
def run(
    session: Session,
    pipeline: Annotated[str, typer.Argument(help="A pipeline of the project file, by name.")],
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="name=value; the value as JSON or text.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on from this run: its parameters, data and finished steps.")
    ] = None,
    compute: Annotated[str | None, typer.Option(help='Engine for the steps: "processes" or "inline".')] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Execute every step twice and flag those that differ.")
    ] = False,
    project_file: Annotated[Path | None, typer.Option(help="Default: the nearest project.py.")] = None,
) -> int:
    """Run a pipeline here, with live progress, and wait for its end."""
    found = load_project(project_file).one(Pipeline, pipeline)
    params = _params(found, param or [])
    _end_on_sigterm()
    with Progress(session) as progress:
        result = run_pipeline(
            found, params, client=session.client, compute=compute, resume=resume, verify=verify, check=False,
            watch=progress.tell, on_start=progress.begin,
        )  # fmt: skip
    if result.error is not None and not session.json:
        raise result.error
    _finish_jobs(session)
    session.show(session.client.get(f"/pipelines/runs/{result.id}"), _run_page)
    return 0 if result.status == "succeeded" else 8


@commands.command("list")
def list_(session: Session) -> None:
    """Pipelines that are applied or have run."""
    rows = session.client.get("/pipelines/definitions")
    session.show(
        rows,
        lambda found: table(
            [_pipeline_row(row) for row in found], ["name", "version", "last_run", "status", "started_at"]
        ),
    )


@commands.command("show")
def show(session: Session, name: str) -> None:
    """One pipeline: its parameters, its code, its newest runs."""
    session.show(session.client.get(f"/pipelines/definitions/{name}"), _pipeline_page)


@commands.command("runs")
def runs(
    session: Session,
    pipeline: Annotated[str | None, typer.Argument(help="Only runs of this pipeline.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
) -> None:
    """The newest runs."""
    found = session.client.get("/pipelines/runs", pipeline=pipeline, limit=limit)
    session.show(found, lambda rows: table(rows, ["id", "pipeline", "status", "started_at", "ended_at", "params"]))


@commands.command("steps")
def steps(session: Session, run_id: str) -> None:
    """The steps of a run: how each ended and what it gave."""
    session.show(session.client.get(f"/pipelines/runs/{run_id}"), _run_page)


@commands.command("why")
def why(session: Session, run_id: str, step: str) -> None:
    """Why a step ran, or from which run its outputs were taken."""
    said = session.client.get(f"/pipelines/runs/{run_id}/why", step=step)
    session.show(said, lambda lines: Text("\n".join(f"{step} {line}" for line in lines)))


@commands.command("cancel")
def cancel(session: Session, run_id: str) -> None:
    """Ask a run's driver to stop it."""
    found = session.client.post(f"/pipelines/runs/{run_id}/cancel")
    session.show(found, lambda run: facts({name: run[name] for name in ("id", "pipeline", "status")}))


def _params(pipeline: Pipeline, given: list[str]) -> dict[str, Any]:
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in pipeline.parameters:
            known = ", ".join(pipeline.parameters) or "none"
            raise InvalidInput(
                f"--param {text}", wanted=f"name=value with a parameter of {pipeline.name} ({known})", found=repr(text)
            )
        values[name] = pipeline.parameters[name].parsed(value)
    return values


def _finish_jobs(session: Session) -> None:
    """Do what the run left to be done, such as compiling a model, where no server's worker does it."""
    if not session.client.in_process:
        return
    if waiting := [job["kind"] for job in session.client.get("/jobs") if job["state"] == "queued"]:
        session.note(f"no server is running: doing {', '.join(waiting)} here")
        session.client.run_jobs()


def _end_on_sigterm() -> None:
    """A polite kill ends a run as Ctrl-C does: steps are stopped and the run is recorded as cancelled."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


class Progress:
    """Steps as they go: a live table on a terminal, a line per change elsewhere, nothing for programs."""

    def __init__(self, session: Session) -> None:
        self._session, self._lock = session, threading.Lock()
        self._seen: dict[str, StepChange] = {}
        self._spinners: dict[str, Spinner] = {}
        self._live: Live | None = None
        self._run_id = ""

    def __enter__(self) -> Self:
        if not self._session.json and self._session.notes.is_terminal:
            self._live = Live(get_renderable=self._shown, console=self._session.notes, refresh_per_second=_RECENT_S)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, run_id: str) -> None:
        self._run_id = run_id
        if self._live is None:
            self._session.note(f"run {run_id}")

    def tell(self, change: StepChange) -> None:
        with self._lock:
            before = self._seen.get(change.id)
            self._seen[change.id] = change
        if self._live is None and (before is None or before.state != change.state):
            self._session.note(f"{change.state:9} {change.label}")

    def _shown(self) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        with self._lock:
            changes = list(self._seen.values())
        for change in changes:
            color = _COLORS.get(change.state, "white")
            grid.add_row(self._mark(change), Text(change.label, style=color), Text(_said(change), style="dim"))
        return Lines(Text(f"run {self._run_id}", style="bold"), grid) if self._run_id else grid

    def _mark(self, change: StepChange) -> RenderableType:
        if change.state == "running":
            return self._spinners.setdefault(change.id, Spinner("dots"))
        marks = {"succeeded": "✓", "cached": "=", "failed": "✗", "cancelled": "-", "skipped": "·"}
        return Text(marks.get(change.state, " "), style=_COLORS.get(change.state, "white"))


def _said(change: StepChange) -> str:
    if change.state != "running":
        return change.state
    share = f"{change.done:g} of {change.total:g} " if change.done is not None and change.total else ""
    return f"{share}{change.note}".strip()


def _pipeline_row(row: dict[str, Any]) -> dict[str, Any]:
    last, applied = row["last_run"] or {}, row["applied"] or {}
    return {
        "name": row["name"],
        "version": applied.get("version", "not applied"),
        "last_run": last.get("id"),
        "status": last.get("status"),
        "started_at": last.get("started_at"),
    }


def _pipeline_page(found: dict[str, Any]) -> RenderableType:
    written = (found["definition"] or {}).get("definition", {})
    parameters = [{"name": name, **entry} for name, entry in written.get("parameters", {}).items()]
    applied = found["applied"] or {}
    return Lines(
        facts(
            {"name": found["name"], "version": applied.get("version", "not applied"), "code": written.get("code_hash")}
        ),
        "\n[bold]parameters[/]",
        table(parameters, ["name", "type", "required", "default"]),
        "\n[bold]code[/]",
        table(
            [{"name": name, "digest": hash[:12]} for name, hash in written.get("code", {}).items()], ["name", "digest"]
        ),
        "\n[bold]runs[/]",
        table(found["runs"], ["id", "status", "started_at", "ended_at"]),
    )


def _run_page(found: dict[str, Any]) -> RenderableType:
    about, rows = found["run"], found["steps"]
    shown = {name: about[name] for name in ("id", "pipeline", "status", "params", "started_at", "ended_at")}
    shown["inputs"] = ", ".join(f"{name}={given['reference']}" for name, given in about["inputs"].items())
    parts: list[RenderableType] = [facts({name: value for name, value in shown.items() if value not in (None, "", {})})]
    parts += ["", table([_step_row(row) for row in rows], ["step", "status", "seconds", "outputs"])]
    if flagged := [row["label"] for row in rows if row["is_deterministic"] is False]:
        parts.append(f"\n[yellow]Not repeatable:[/] {', '.join(flagged)} gave other outputs when executed again.")
    if about["error"]:
        parts += ["", Text(about["error"]["message"], style="red")]
    return Lines(*parts)


def _step_row(row: dict[str, Any]) -> dict[str, Any]:
    given = [output["kind"] + " " + output["digest"][:8] for output in row["outputs"]]
    return {"step": row["label"], "status": row["status"], "seconds": _seconds(row), "outputs": ", ".join(given)}


def _seconds(row: dict[str, Any]) -> str:
    from datetime import datetime

    if not row["ended_at"] or row["status"] in ("cached", "skipped"):
        return ""
    return (
        f"{(datetime.fromisoformat(row['ended_at']) - datetime.fromisoformat(row['started_at'])).total_seconds():.2f}"
    )
