"""`mainspring up|status|doctor|logs`: running a home and looking at it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mainspring import __version__
from mainspring.app.parts import MIGRATIONS
from mainspring.engines.home import Home
from mainspring.kernel.errors import MainspringError, NotFound
from mainspring.surfaces.cli import Group, Session, facts, table
from mainspring.surfaces.client import default_home

bare = Group()
_LOW_DISK_BYTES = 1 << 30


@bare.command("up")
def up(
    session: Session,
    port: Annotated[int, typer.Option(help="Port of the control plane; 0 for any free one.")] = 8300,
    gateway_port: Annotated[int, typer.Option(help="Port of the serving gateway; 0 for any free one.")] = 8301,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Serve a home: control plane, worker and gateway, until Ctrl-C."""
    from mainspring.app.up import Supervisor, describe

    home = Home(session.home or default_home())
    supervisor = Supervisor(home, host, port, gateway_port, session.note)

    def ready(link: str) -> None:
        session.show({**describe(supervisor, home.root), "ui": link})
        session.note("Open the `ui` link once in a browser. Ctrl-C stops; a second one kills.")

    supervisor.run(ready)


@bare.command("status")
def status(session: Session) -> None:
    """Who owns the home, what runs, what failed last."""
    home = Home(session.home or default_home())
    server = home.server() if session.url is None else None
    if session.url is None and not home.exists:
        raise NotFound(
            f"home {home.root}",
            wanted="a home",
            found="none",
            fix="Make one with `mainspring init` or `mainspring up`.",
        )
    client = session.client
    runs = client.get("/tracking/runs", limit=5)
    shown = {
        "home": str(home.root) if session.url is None else None,
        "server": server.url
        if server
        else (session.url or "none: commands work in process; schedules and controllers do not run"),
        "project": client.get("/access/me")["project"],
        "datasets": [
            d["name"] + (f"@{d['latest_version']}" if d["latest_version"] else " (empty)")
            for d in client.get("/data/datasets")
        ],
        "models": [m["name"] for m in client.get("/registry/models")],
        "runs": runs,
    }
    session.show(shown, lambda value: facts({**value, "runs": [f"{r['name']} {r['status']}" for r in runs]}))


@bare.command("doctor")
def doctor(session: Session) -> int:
    """Check the installation and the home; exit code 1 where something needs mending."""
    home = Home(session.home or default_home())
    findings = [*_installation(), *_home(home)]
    if home.exists:
        findings += _chains(session)
    session.show(findings, lambda rows: table(rows, ["state", "check", "found"]))
    return 0 if all(finding["state"] != "bad" for finding in findings) else 1


@bare.command("logs")
def logs(
    session: Session,
    of: Annotated[str, typer.Argument(help="A run, a step, a job, or a service: control-plane, worker, gateway.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1)] = 200,
) -> None:
    """The last lines of a log."""
    home = Home(session.home or default_home())
    shown = {str(file): _tail(file, lines) for file in _log_files(home, of)} if session.url is None else {}
    if not shown and (home.exists or session.url):
        shown = {name: "\n".join(text.splitlines()[-lines:]) for name, text in _recorded(session, of).items()}
    if not shown:
        known = ", ".join(sorted({path.stem for path in home.logs.glob("*.log")})) or "none has run here"
        raise NotFound(f"log of {of}", wanted=f"a run, step, job or service ({known})", found="no log of that name")
    session.show(shown, lambda value: "\n".join(_titled(name, text, len(value)) for name, text in value.items()))


def _recorded(session: Session, of: str) -> dict[str, str]:
    """The logs that a run's steps, or a step, left in the record, by step; empty where `of` is neither."""
    found: list[dict[str, Any]] = []
    for path, steps in ((f"/pipelines/runs/{quote(of)}", "steps"), (f"/pipelines/steps/{quote(of)}", None)):
        with suppress(NotFound):
            answer = session.client.get(path)
            found = answer[steps] if steps else [answer]
            break
    return {step["label"]: _printed(session, step["log"]) for step in found}


def _printed(session: Session, log: dict[str, Any] | None) -> str:
    if not log:
        return "(it printed nothing)"
    return session.client.get_bytes(f"/tracking/artifacts/{log['digest']}").decode("utf-8", "replace")


def _titled(name: str, text: str, count: int) -> str:
    safe = text.replace("[", "\\[")
    return f"[dim]{name}[/]\n{safe}" if count > 1 else safe


def _log_files(home: Home, of: str) -> list[Path]:
    """Log files whose name is `of`, or that lie in a folder of that name, or a service's two."""
    if not of or any(c in of for c in "/\\*?[") or of.startswith("."):
        return []
    exact = [p for pattern in (f"{of}.log", f"{of}.jsonl") for p in home.logs.rglob(pattern)]
    inside = [p for folder in home.logs.rglob(of) if folder.is_dir() for p in sorted(folder.rglob("*.log"))]
    return sorted(p for p in (*exact, *inside) if p.stat().st_size or len(exact) + len(inside) == 1)


def _tail(file: Path, lines: int) -> str:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 400 * lines))
        return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])


def _finding(check: str, ok: bool | None, found: str) -> dict[str, Any]:
    return {"check": check, "state": {True: "ok", False: "bad", None: "note"}[ok], "found": found}


def _installation() -> list[dict[str, Any]]:
    findings = [_finding("mainspring", True, f"{__version__}, Python {sys.version.split()[0]}")]
    missing, wrong = [], []
    for requirement in importlib.metadata.requires("mainspring") or []:
        from packaging.requirements import Requirement

        needed = Requirement(requirement)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            found = importlib.metadata.version(needed.name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(needed.name)
            continue
        if not needed.specifier.contains(found, prereleases=True):
            wrong.append(f"{needed.name} {found} (wanted {needed.specifier})")
    findings.append(_finding("packages", not missing, "all there" if not missing else "missing: " + ", ".join(missing)))
    findings.append(_finding("versions", not wrong, "within bounds" if not wrong else "; ".join(wrong)))
    return findings


def _home(home: Home) -> list[dict[str, Any]]:
    if not home.exists:
        return [_finding("home", None, f"{home.root} does not exist yet")]
    from mainspring.engines.assembly import assemble
    from mainspring.engines.settings import read_settings

    server = home.server()
    findings = [
        _finding("home", os.access(home.root, os.W_OK), str(home.root)),
        _finding("server", None, f"{server.url}, process {server.pid}" if server else "none"),
    ]
    free = shutil.disk_usage(home.root).free
    findings.append(_finding("disk", free > _LOW_DISK_BYTES, f"{free / 1e9:.1f} GB free"))
    mode = home.owner_token.stat().st_mode & 0o077 if home.owner_token.exists() else 0
    findings.append(
        _finding("owner token", mode == 0, "readable by its user only" if mode == 0 else "readable by others")
    )
    try:
        engines = assemble(home, read_settings(home.root))
        try:
            current = engines.sql.is_current(MIGRATIONS)
            findings.append(_finding("database", True, json.dumps(engines.sql.describe())))
            findings.append(
                _finding("schema", None if not current else True, "up to date" if current else "will be migrated")
            )
        finally:
            engines.close()
    except MainspringError as error:
        findings.append(_finding("database", False, str(error)))
    return findings


def _chains(session: Session) -> list[dict[str, Any]]:
    try:
        reports = session.client.post("/audit/verify")
    except MainspringError as error:
        return [_finding("audit chains", False, str(error))]
    return [
        _finding(
            f"audit chain {report['project']}",
            report["fault"] is None,
            f"{report['events']} events, intact" if report["fault"] is None else report["fault"]["problem"],
        )
        for report in reports
    ]
