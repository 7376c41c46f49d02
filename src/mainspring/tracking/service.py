"""Use cases of tracking: runs, their parameters, metrics, artifacts and environments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.engines.assembly import Engines
from mainspring.engines.blobs.contract import Blob
from mainspring.engines.sql.contract import Work
from mainspring.kernel.canonical import canonical, digest, plain
from mainspring.kernel.errors import InvalidInput, NotFound
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal, use_case
from mainspring.tracking import permissions, store
from mainspring.tracking.events import EnvironmentRecorded, RunEnded, RunStarted
from mainspring.tracking.model import (
    ENDED,
    Artifact,
    Environment,
    Point,
    Run,
    RunDetail,
    RunId,
    Status,
    changed_params,
    checked_key,
    require_open,
)


class TrackingService:
    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    @use_case(permissions.WRITE)
    def record_environment(
        self, principal: Principal, *, lock: str, code: Mapping[str, Any] | None, patch: str, machine: Mapping[str, Any]
    ) -> Environment:
        """Record what code runs on; equal environments are recorded once."""
        lock_blob = self._engines.blobs.put(lock.encode())
        facts = None if code is None else dict(code)
        blobs = [lock_blob]
        if facts is not None and patch:
            blobs.append(self._engines.blobs.put(patch.encode()))
            facts["patch_digest"] = blobs[-1].digest
        environment = Environment(digest([lock, facts, machine]), lock_blob.digest, facts, machine)
        with self._engines.sql.write(principal) as work:
            for blob in blobs:
                store.add_upload(work, blob.digest, blob.size_bytes)
            if store.add_environment(work, environment):
                python = str(machine.get("python", "unknown"))
                packages = len(lock.splitlines())
                work.emit(
                    EnvironmentRecorded(environment_id=environment.id, code=facts, python=python, packages=packages)
                )
        return environment

    @use_case(permissions.WRITE)
    def start_run(
        self,
        principal: Principal,
        *,
        name: str,
        parent_id: str | None = None,
        environment_id: str | None = None,
        seeds: Mapping[str, int] | None = None,
    ) -> Run:
        """A new run, open for records until it is ended."""
        with self._engines.sql.write(principal) as work:
            return self.open_run(
                work,
                run_id=new_id(),
                name=name,
                kind="run",
                parent_id=parent_id,
                environment_id=environment_id,
                seeds=seeds or {},
            )

    @use_case(permissions.WRITE)
    def log(
        self,
        principal: Principal,
        run_id: str,
        *,
        params: Mapping[str, Any],
        points: Sequence[Point],
        artifacts: Sequence[Artifact],
    ) -> None:
        """Add records to an open run, all or none."""
        for artifact in artifacts:
            self._require_blob(principal, artifact.digest)
        with self._engines.sql.write(principal) as work:
            self.record(work, run_id, params=params, points=points, artifacts=artifacts)

    @use_case(permissions.WRITE)
    def end_run(self, principal: Principal, run_id: str, status: Status) -> Run:
        """Close a run; its record does not change any more."""
        if status not in ENDED:
            raise InvalidInput("run status", wanted=", ".join(ENDED), found=repr(status))
        with self._engines.sql.write(principal) as work:
            self.close_run(work, run_id, status)
            return self._run(work, run_id)

    @use_case(permissions.READ)
    def runs(
        self, principal: Principal, *, kind: str | None = None, parent_id: str | None = None, limit: int = 100
    ) -> list[Run]:
        """The project's newest runs, newest first."""
        with self._engines.sql.read() as connection:
            return store.recent_runs(
                connection, principal.project, kind=kind, parent_id=parent_id, limit=min(limit, 1000)
            )

    @use_case(permissions.READ)
    def run(self, principal: Principal, run_id: str) -> RunDetail:
        with self._engines.sql.read() as connection:
            run = store.run(connection, principal.project, run_id)
            if run is None:
                raise _no_run(run_id)
            found = run.environment_id and store.environment_of(connection, run.project, run.environment_id)
            return RunDetail(
                run,
                store.params_of(connection, run_id),
                store.last_values(connection, run_id),
                tuple(store.artifacts_of(connection, run_id)),
                tuple(store.children(connection, run_id)),
                found or None,
            )

    @use_case(permissions.READ)
    def history(self, principal: Principal, run_id: str, key: str) -> list[Point]:
        """Every point of one metric, by step."""
        with self._engines.sql.read() as connection:
            if store.run(connection, principal.project, run_id) is None:
                raise _no_run(run_id)
            return store.history(connection, run_id, key)

    @use_case(permissions.WRITE_ARTIFACT)
    def put_artifact(self, principal: Principal, data: bytes | Path, *, expected: str | None = None) -> Blob:
        """Store bytes as an artifact's content. `expected` is the digest the sender computed."""
        blob = self._engines.blobs.put(data, expected=expected)
        with self._engines.sql.write(principal) as work:
            store.add_upload(work, blob.digest, blob.size_bytes)
        return blob

    @use_case(permissions.READ_ARTIFACT)
    def artifact(self, principal: Principal, digest: str) -> Iterator[bytes]:
        """The checked bytes in pieces. Raises NotFound for a blob this project never stored."""
        self._require_blob(principal, digest)
        return self._engines.blobs.chunks(digest)

    def keep(self, work: Work, blob: Blob) -> None:
        """Make a stored blob an artifact of the project, inside the caller's transaction."""
        store.add_upload(work, blob.digest, blob.size_bytes)

    def require_kept(self, work: Work, digest: str) -> None:
        """Raise NotFound for a blob this project never stored: knowing a digest opens nothing."""
        if not store.may_read(work.connection, work.principal.project, digest):
            raise _no_artifact(digest)

    def open_run(
        self,
        work: Work,
        *,
        run_id: str,
        name: str,
        kind: str,
        parent_id: str | None = None,
        params: Mapping[str, Any] | None = None,
        environment_id: str | None = None,
        seeds: Mapping[str, int] | None = None,
    ) -> Run:
        """Open a run inside the caller's transaction."""
        project = work.principal.project
        if parent_id is not None and store.run(work.connection, project, parent_id) is None:
            raise _no_run(parent_id)
        run = Run(
            id=RunId(run_id),
            project=project,
            name=checked_key("run", name),
            kind=kind,
            parent_id=parent_id,
            status="running",
            environment_id=environment_id,
            seeds=dict(seeds or {}),
            created_by=work.principal.id,
            started_at=work.now,
            ended_at=None,
        )
        store.add_run(work, run)
        store.add_params(work, run_id, params or {})
        started = RunStarted(
            run_id=run_id, parent_id=parent_id, environment_id=environment_id, name=name, run_kind=kind
        )
        work.emit(started)
        return run

    def record(
        self,
        work: Work,
        run_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        points: Sequence[Point] = (),
        artifacts: Sequence[Artifact] = (),
    ) -> None:
        """Add records to an open run inside the caller's transaction."""
        require_open(self._run(work, run_id))
        if params:
            for key in params:
                checked_key("parameter", key)
            store.add_params(
                work, run_id, changed_params(store.params_of(work.connection, run_id), plain(dict(params)))
            )
        for point in points:
            checked_key("metric", point.key)
        store.add_points(work, run_id, points)
        known = {a.name: a.digest for a in store.artifacts_of(work.connection, run_id)} if artifacts else {}
        new = {a.name: a for a in artifacts if known.get(checked_key("artifact", a.name)) != a.digest}
        for name in new:
            if name in known:
                raise InvalidInput(
                    f"artifact {name}", wanted="a new name", found="another artifact of that name in this run"
                )
        store.add_artifacts(work, run_id, list(new.values()))

    def close_run(self, work: Work, run_id: str, status: Status) -> None:
        """End a run inside the caller's transaction; ending it again the same way changes nothing."""
        run = self._run(work, run_id)
        if run.status == status:
            return
        require_open(run)
        params = store.params_of(work.connection, run_id)
        hasher, count = hashlib.sha256(canonical([params, store.artifacts_of(work.connection, run_id)])), 0
        for point in store.all_points(work.connection, run_id):
            hasher.update(canonical([point.key, point.step, point.time, point.value]))
            count += 1
        store.end_run(work, run_id, status)
        work.emit(
            RunEnded(
                run_id=run_id,
                status=status,
                records_digest=hasher.hexdigest(),
                points=count,
                metrics=store.last_values(work.connection, run_id) if count else {},
                params=params,
            )
        )

    def _run(self, work: Work, run_id: str) -> Run:
        run = store.run(work.connection, work.principal.project, run_id)
        if run is None:
            raise _no_run(run_id)
        return run

    def _require_blob(self, principal: Principal, digest: str) -> None:
        with self._engines.sql.read() as connection:
            if not store.may_read(connection, principal.project, digest):
                raise _no_artifact(digest)


def _no_artifact(digest: str) -> NotFound:
    return NotFound(f"artifact {digest}", wanted="one stored in this project", found="none", fix="Upload it first.")


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"run {run_id}", wanted="a run of this project", found="none of that id")
