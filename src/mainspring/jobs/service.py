"""Use cases of jobs: ask for one inside another use case's transaction, run the due ones, look."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from mainspring.engines.assembly import Engines
from mainspring.engines.sql.contract import Work
from mainspring.jobs import permissions, store
from mainspring.jobs.events import JobFinished, JobRequested
from mainspring.jobs.model import LEASE, MOST_ATTEMPTS, Job, JobHandler
from mainspring.kernel.errors import EngineUnavailable, MainspringError, NotFound, StepFailed, from_wire
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal, use_case

T = TypeVar("T")
JOB_TIMEOUT_S = 1800.0
_log = logging.getLogger("mainspring.jobs")


class JobService:
    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._worker = new_id()
        self.handlers: dict[str, JobHandler] = {}
        """Kind to handler; filled by `app` from what each service offers."""

    def request(self, work: Work, kind: str, arguments: Mapping[str, Any]) -> str:
        """Queue a job in the caller's transaction, on behalf of its principal; the job's id."""
        id = new_id()
        store.add(work, id, kind, arguments)
        work.emit(JobRequested(job_id=id, job_kind=kind))
        return id

    @use_case(permissions.READ)
    def job(self, principal: Principal, id: str) -> Job:
        with self._engines.sql.read() as connection:
            job = store.job(connection, principal.project, id)
        if job is None:
            raise NotFound(f"job {id}", wanted="a job of this project", found="none of that id")
        return job

    @use_case(permissions.READ)
    def jobs(self, principal: Principal, *, limit: int = 50) -> list[Job]:
        """The project's newest jobs, newest first."""
        with self._engines.sql.read() as connection:
            return store.recent(connection, principal.project, min(limit, 1000))

    def run_due(self, worker: Principal) -> int:
        """Run jobs until none is due; how many. `worker` is who runs them, not who asked."""
        count = 0
        while (job := self._claim(worker)) is not None:
            self._run(worker, job)
            count += 1
        return count

    def _claim(self, worker: Principal) -> Job | None:
        with self._engines.sql.read() as connection:
            if not store.any_due(connection, self._engines.clocks.wall.now()):
                return None
        with self._engines.sql.write(worker) as work:
            return store.claim(work, self._worker)

    def _run(self, worker: Principal, job: Job) -> None:
        error: MainspringError | None = None
        result: dict[str, Any] | None = None
        if job.attempts > MOST_ATTEMPTS:
            wanted = f"a worker that outlives it, within {MOST_ATTEMPTS} attempts"
            error = StepFailed(f"job {job.id} ({job.kind})", wanted=wanted, found="none", fix="See the worker's log.")
        else:
            try:
                with self._renewing(worker, job):
                    result = self._handler(job)(job.asked_by, dict(job.arguments), self._isolated(job))
            except MainspringError as failure:
                error = failure
            except Exception as failure:  # noqa: BLE001 (a supervisor: no job may take the worker down)
                _log.exception("job failed", extra={"job_id": job.id, "kind": job.kind})
                found = f"{type(failure).__name__}: {failure}"
                error = StepFailed(f"job {job.id} ({job.kind})", wanted="a result", found=found)
        self._finish(job, result, error)

    def _finish(self, job: Job, result: dict[str, Any] | None, error: MainspringError | None) -> None:
        state, wire = ("failed", error.to_wire()) if error else ("succeeded", None)
        with self._engines.sql.write(job.asked_by) as work:
            if store.finish(work, job.id, self._worker, state, result, wire):
                work.emit(JobFinished(job_id=job.id, job_kind=job.kind, state=state, attempts=job.attempts, error=wire))

    def _handler(self, job: Job) -> JobHandler:
        handler = self.handlers.get(job.kind)
        if handler is None:
            wanted = "one of " + ", ".join(sorted(self.handlers))
            raise EngineUnavailable(f"job kind {job.kind}", wanted=wanted, found="a kind this worker does not know")
        return handler

    def _isolated(self, job: Job) -> Callable[[Callable[..., T], dict[str, Any]], T]:
        def isolate(function: Callable[..., T], arguments: dict[str, Any]) -> T:
            from mainspring.engines.compute.contract import Task

            log = self._engines.home.logs / "jobs" / f"{job.id}.log"
            log.parent.mkdir(exist_ok=True)
            task = Task(
                id=job.id,
                name=job.kind,
                function=function,
                arguments=arguments,
                timeout_s=JOB_TIMEOUT_S,
                log_path=log,
            )
            outcome = self._engines.compute().submit(task).result()
            if outcome.outcome != "succeeded":
                raise from_wire(
                    outcome.error or {"subject": f"job {job.id}", "wanted": "a result", "found": outcome.outcome}
                )
            value: T = outcome.value
            return value

        return isolate

    @contextmanager
    def _renewing(self, worker: Principal, job: Job) -> Iterator[None]:
        """Keep the lease while the handler works."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(LEASE.total_seconds() / 3):
                try:
                    with self._engines.sql.write(worker) as work:
                        store.renew(work, job.id, self._worker)
                except MainspringError as error:
                    _log.warning("lease not renewed", extra={"job_id": job.id, "error": error.to_wire()})

        thread = threading.Thread(target=renew, name=f"lease-{job.id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
