from __future__ import annotations

import os
import threading
from datetime import timedelta
from typing import Any

import pytest

from mainspring.engines.assembly import Engines, assemble
from mainspring.engines.settings import EngineSettings
from mainspring.jobs.model import LEASE, MOST_ATTEMPTS, Isolate
from mainspring.jobs.service import JobService
from mainspring.kernel.clocks import Clocks, ManualClock
from mainspring.kernel.errors import GateClosed, NotFound
from mainspring.kernel.principals import Principal


def request(engines: Engines, jobs: JobService, owner: Principal, kind: str = "double", **arguments: Any) -> str:
    with engines.sql.write(owner) as work:
        return jobs.request(work, kind, arguments)


@pytest.fixture
def jobs(engines: Engines) -> JobService:
    service = JobService(engines)
    service.handlers["double"] = lambda principal, arguments, isolate: {"value": arguments["value"] * 2}
    return service


def process_id() -> int:
    return os.getpid()


def test_a_job_runs_as_who_asked_and_its_result_is_kept(engines: Engines, jobs: JobService, owner: Principal) -> None:
    seen: list[Principal] = []

    def handler(principal: Principal, arguments: dict[str, Any], isolate: Isolate) -> dict[str, Any]:
        seen.append(principal)
        return {"value": arguments["value"] * 2}

    jobs.handlers["double"] = handler
    id = request(engines, jobs, owner, value=21)
    assert jobs.job(owner, id).state == "queued"
    assert jobs.run_due(owner) == 1
    job = jobs.job(owner, id)
    assert (job.state, job.result, job.attempts) == ("succeeded", {"value": 42}, 1)
    assert seen == [owner]


def test_a_job_of_a_change_that_did_not_happen_does_not_exist(
    engines: Engines, jobs: JobService, owner: Principal
) -> None:
    with pytest.raises(ZeroDivisionError), engines.sql.write(owner) as work:
        jobs.request(work, "double", {"value": 1})
        1 / 0  # noqa: B018
    assert jobs.run_due(owner) == 0


def test_an_error_keeps_its_kind(engines: Engines, jobs: JobService, owner: Principal) -> None:
    def handler(principal: Principal, arguments: dict[str, Any], isolate: Isolate) -> dict[str, Any]:
        raise GateClosed("gate", wanted="at most 3", found="4")

    jobs.handlers["double"] = handler
    id = request(engines, jobs, owner)
    jobs.run_due(owner)
    job = jobs.job(owner, id)
    assert job.state == "failed"
    assert job.error
    assert job.error["code"] == "gate_closed"


def test_an_unknown_kind_fails_and_names_the_known(engines: Engines, jobs: JobService, owner: Principal) -> None:
    id = request(engines, jobs, owner, kind="levitate")
    jobs.run_due(owner)
    error = jobs.job(owner, id).error
    assert error
    assert "double" in error["wanted"]


def test_untrusted_work_runs_in_a_process_of_its_own(engines: Engines, jobs: JobService, owner: Principal) -> None:
    jobs.handlers["double"] = lambda principal, arguments, isolate: {"pid": isolate(process_id, {})}
    id = request(engines, jobs, owner)
    jobs.run_due(owner)
    result = jobs.job(owner, id).result
    assert result
    assert result["pid"] != os.getpid()


def test_many_workers_run_each_job_once(engines: Engines, jobs: JobService, owner: Principal) -> None:
    ran: list[int] = []
    ids = [request(engines, jobs, owner, value=number) for number in range(60)]

    def handler(principal: Principal, arguments: dict[str, Any], isolate: Isolate) -> dict[str, Any]:
        ran.append(arguments["value"])
        return {}

    def work() -> None:
        worker = JobService(engines)
        worker.handlers["double"] = handler
        worker.run_due(owner)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == list(range(60))
    assert {jobs.job(owner, id).state for id in ids} == {"succeeded"}


def test_a_job_whose_worker_died_is_taken_over_and_given_up_after_three(engines: Engines, owner: Principal) -> None:
    clock = ManualClock()
    timed = assemble(engines.home, EngineSettings(), Clocks(clock, clock))
    id = request(timed, JobService(timed), owner)
    for _ in range(MOST_ATTEMPTS):
        # Each of these workers claims the job and is never heard of again.
        assert JobService(timed)._claim(owner)
        assert JobService(timed)._claim(owner) is None
        clock.advance(LEASE + timedelta(seconds=1))
    last = JobService(timed)
    last.handlers["double"] = lambda principal, arguments, isolate: {}
    last.run_due(owner)
    job = last.job(owner, id)
    assert job.state == "failed"
    assert job.error
    assert "within 3 attempts" in job.error["wanted"]


def test_a_worker_that_lost_its_lease_does_not_overwrite_the_result(engines: Engines, owner: Principal) -> None:
    clock = ManualClock()
    timed = assemble(engines.home, EngineSettings(), Clocks(clock, clock))
    slow, quick = JobService(timed), JobService(timed)
    id = request(timed, slow, owner)
    job = slow._claim(owner)
    assert job
    clock.advance(LEASE + timedelta(seconds=1))
    quick.handlers["double"] = lambda principal, arguments, isolate: {"by": "quick"}
    quick.run_due(owner)
    slow._finish(job, {"by": "slow"}, None)
    assert quick.job(owner, id).result == {"by": "quick"}


def test_jobs_of_another_project_are_not_found(engines: Engines, jobs: JobService, owner: Principal) -> None:
    from dataclasses import replace

    id = request(engines, jobs, owner)
    with pytest.raises(NotFound):
        jobs.job(replace(owner, project="other"), id)
