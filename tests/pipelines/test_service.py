"""Use cases of pipelines over real engines, without a driver."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mainspring.data.service import DataService
from mainspring.engines.assembly import Engines, assemble
from mainspring.engines.home import Home
from mainspring.engines.ledger import events as ledger
from mainspring.engines.settings import EngineSettings
from mainspring.kernel.clocks import Clocks, ManualClock
from mainspring.kernel.errors import AlreadyExists, Conflict, Corrupt, InvalidInput, NotFound, NotPermitted
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal, Role
from mainspring.pipelines.model.keys import Input, KeyParts
from mainspring.pipelines.model.runs import SILENCE, Output
from mainspring.pipelines.service import PipelineService
from mainspring.pipelines.service.requests import Claim, Exchange, Finish, Reuse, Skip, Start
from mainspring.tracking.service import TrackingService

DEFINITION = {"name": "forecast", "parameters": {}, "code_hash": "c", "code": {"project.forecast": "c"}}
PARTS = KeyParts({"project.train": "c"}, {}, {"rows": Input("d", "rows 1")}, {"rate": 0.1}, "e")
CONTENT = b"[1.0]"


@pytest.fixture
def pipelines(engines: Engines) -> PipelineService:
    return PipelineService(engines, DataService(engines), TrackingService(engines))


def _start(pipelines: PipelineService, owner: Principal, **more: Any) -> str:
    start = Start(new_id(), DEFINITION, {}, {}, None, more.get("resumed_from"), {"host": "h", "pid": 1})
    return pipelines.start_run(owner, start).id


def _claim(ordinal: int = 0, parts: KeyParts = PARTS, **more: Any) -> Claim:
    return Claim(new_id(), "train", ordinal, "step", parts.key, parts.to_json(), **more)


def _output(content: bytes = CONTENT) -> Output:
    return Output("output", hashlib.sha256(content).hexdigest(), len(content), "json", "simple")


def _good(claim: Claim, **more: Any) -> Finish:
    output = _output()
    return Finish(claim.step_id, "succeeded", 1, [output], {output.digest: CONTENT}, **more)


def _executed(pipelines: PipelineService, owner: Principal, run: str, claim: Claim) -> None:
    pipelines.exchange(owner, run, Exchange(claims=[claim]))
    pipelines.exchange(owner, run, Exchange(finishes=[_good(claim)]))


def test_a_finished_step_stands_for_the_next_of_its_key(pipelines: PipelineService, owner: Principal):
    run = _start(pipelines, owner)
    first, second, other = _claim(), _claim(1), _claim(2, replace(PARTS, parameters={"rate": 0.2}))
    _executed(pipelines, owner, run, first)
    _, (cached, running) = pipelines.exchange(owner, run, Exchange(claims=[second, other]))
    assert (cached.status, running.status) == ("cached", "running")
    assert cached.reused == {"step_id": first.step_id, "run_id": run}
    assert cached.outputs[0]["digest"] == _output().digest


def test_claiming_and_finishing_twice_changes_nothing(engines: Engines, pipelines: PipelineService, owner: Principal):
    run, claim = _start(pipelines, owner), _claim()
    for _ in range(2):
        pipelines.exchange(owner, run, Exchange(claims=[claim]))
    for _ in range(2):
        pipelines.exchange(owner, run, Exchange(finishes=[_good(claim)]))
    with engines.sql.read() as connection:
        told = ledger.read(connection, owner.project, kinds=("pipelines.step.finished",))
    assert len(told) == 1
    with pytest.raises(AlreadyExists):
        pipelines.exchange(owner, run, Exchange(claims=[_claim()]))


def test_a_step_whose_outputs_are_gone_does_not_stand_for_another(
    engines: Engines, pipelines: PipelineService, owner: Principal
):
    run, claim = _start(pipelines, owner), _claim()
    _executed(pipelines, owner, run, claim)
    path = engines.blobs.path(_output().digest)
    assert path is not None
    path.unlink()
    _, (again,) = pipelines.exchange(owner, run, Exchange(claims=[_claim(1)]))
    assert again.status == "running"


def test_what_failed_or_was_not_repeatable_stands_for_nothing(pipelines: PipelineService, owner: Principal):
    run, failed, odd = _start(pipelines, owner), _claim(), _claim(1)
    pipelines.exchange(owner, run, Exchange(claims=[failed, odd]))
    bad = Finish(failed.step_id, "failed", 1, error={"code": "step_failed", "found": "x"})
    pipelines.exchange(owner, run, Exchange(finishes=[bad, _good(odd, is_deterministic=False)]))
    _, (again,) = pipelines.exchange(owner, run, Exchange(claims=[_claim(2)]))
    assert again.status == "running"


def test_outputs_of_a_failed_step_are_refused(pipelines: PipelineService, owner: Principal):
    run, claim = _start(pipelines, owner), _claim()
    pipelines.exchange(owner, run, Exchange(claims=[claim]))
    with pytest.raises(InvalidInput, match="a step that succeeded"):
        pipelines.exchange(owner, run, Exchange(finishes=[replace(_good(claim), status="failed")]))


def test_contents_must_have_the_digest_they_claim_and_large_ones_must_have_come_before(
    pipelines: PipelineService, owner: Principal
):
    run, claim = _start(pipelines, owner), _claim()
    pipelines.exchange(owner, run, Exchange(claims=[claim]))
    with pytest.raises(Corrupt):
        pipelines.exchange(
            owner, run, Exchange(finishes=[replace(_good(claim), contents={_output().digest: b"other"})])
        )
    with pytest.raises(NotFound, match="Upload it first"):
        pipelines.exchange(owner, run, Exchange(finishes=[replace(_good(claim), contents={})]))


def test_an_exchange_is_all_or_nothing(pipelines: PipelineService, owner: Principal):
    run, claim = _start(pipelines, owner), _claim()
    with pytest.raises(NotFound):
        pipelines.exchange(owner, run, Exchange(claims=[claim], finishes=[_good(_claim(1))]))
    assert pipelines.run(owner, run)[1] == []


def test_hints_tell_what_a_driver_may_take_without_asking(pipelines: PipelineService, owner: Principal):
    first, claim = _start(pipelines, owner), _claim()
    _executed(pipelines, owner, first, claim)
    pipelines.finish_run(owner, first, "succeeded", None, [])
    second = _start(pipelines, owner)
    hints = pipelines.hints(owner, pipelines.run(owner, second)[0])
    assert list(hints.known) == [PARTS.key]
    hint = hints.known[PARTS.key]
    pipelines.exchange(owner, second, Exchange(reuses=[Reuse(_claim(), hint.step_id)]))
    (step,) = pipelines.run(owner, second)[1]
    assert (step.status, step.reused) == ("cached", {"step_id": claim.step_id, "run_id": first})
    other = _claim(1, replace(PARTS, environment="other"))
    with pytest.raises(InvalidInput, match="with its key"):
        pipelines.exchange(owner, second, Exchange(reuses=[Reuse(other, hint.step_id)]))


def test_an_ended_run_takes_nothing_more(pipelines: PipelineService, owner: Principal):
    run, claim = _start(pipelines, owner), _claim()
    pipelines.exchange(owner, run, Exchange(claims=[claim]))
    skip = Skip(new_id(), "after", 0, "step", [claim.step_id])
    ended = pipelines.finish_run(owner, run, "failed", {"code": "step_failed"}, [skip])
    assert ended.status == "failed"
    assert {step.label: step.status for step in pipelines.run(owner, run)[1]} == {
        "train": "cancelled",
        "after": "skipped",
    }
    with pytest.raises(Conflict, match="--resume"):
        pipelines.exchange(owner, run, Exchange())
    assert pipelines.finish_run(owner, run, "succeeded", None, []).status == "failed", "the first end counts"


def test_going_on_from_a_run_ends_it_and_refuses_its_driver(pipelines: PipelineService, owner: Principal):
    first, claim = _start(pipelines, owner), _claim(uncached="the step is marked cache=False")
    _executed(pipelines, owner, first, claim)
    second = _start(pipelines, owner, resumed_from=first)
    assert pipelines.run(owner, first)[0].status == "interrupted"
    with pytest.raises(Conflict):
        pipelines.exchange(owner, first, Exchange())
    hints = pipelines.hints(owner, pipelines.run(owner, second)[0])
    assert list(hints.kept) == ["train"], "finished steps are kept, cacheable or not"
    assert hints.known == {}


def test_a_run_can_only_be_gone_on_from_by_its_own_pipeline(pipelines: PipelineService, owner: Principal):
    first = _start(pipelines, owner)
    start = Start(new_id(), {**DEFINITION, "name": "other"}, {}, {}, None, first, {})
    with pytest.raises(InvalidInput, match="pipeline other"):
        pipelines.start_run(owner, start)
    with pytest.raises(NotFound):
        _start(pipelines, owner, resumed_from=new_id())


def test_a_run_on_a_dataset_version_that_is_not_there_is_refused(pipelines: PipelineService, owner: Principal):
    given = {"rows": {"version_id": "f" * 64, "reference": "demand@1"}}
    with pytest.raises(NotFound):
        pipelines.start_run(owner, Start(new_id(), DEFINITION, {}, given, None, None, {}))


def test_a_silent_driver_loses_its_run_and_a_living_one_does_not(home: Home, engines: Engines, owner: Principal):
    clock = ManualClock()
    timed = assemble(home, EngineSettings(), Clocks(wall=clock, stream=clock))
    pipelines = PipelineService(timed, DataService(timed), TrackingService(timed))
    silent, living = _start(pipelines, owner), _start(pipelines, owner)
    clock.advance(SILENCE / 2)
    pipelines.exchange(owner, living, Exchange())
    clock.advance(SILENCE / 2 + timedelta(seconds=1))
    assert pipelines.interrupt_silent(owner) == 1
    assert pipelines.interrupt_silent(owner) == 0
    assert pipelines.run(owner, silent)[0].status == "interrupted"
    assert pipelines.run(owner, living)[0].status == "running"
    timed.close()


def test_cancelling_reaches_the_driver_with_its_next_word(pipelines: PipelineService, owner: Principal):
    run = _start(pipelines, owner)
    assert not pipelines.exchange(owner, run, Exchange())[0].cancel_requested
    pipelines.cancel_run(owner, run)
    assert pipelines.exchange(owner, run, Exchange())[0].cancel_requested
    pipelines.finish_run(owner, run, "cancelled", None, [])
    with pytest.raises(Conflict):
        pipelines.cancel_run(owner, run)


def test_applying_makes_versions_and_repeating_it_makes_none(pipelines: PipelineService, owner: Principal):
    changed = {**DEFINITION, "code": {"project.forecast": "d"}}
    assert [c.action for c in pipelines.plan(owner, [DEFINITION])] == ["create"]
    assert [(c.action, c.revision) for c in pipelines.apply(owner, [DEFINITION])] == [("create", 1)]
    assert [(c.action, c.revision) for c in pipelines.apply(owner, [DEFINITION])] == [("none", 1)]
    assert [c.fields for c in pipelines.plan(owner, [changed])] == [{"code of project.forecast": ("c", "d")}]
    assert [(c.action, c.revision) for c in pipelines.apply(owner, [changed])] == [("change", 2)]
    assert pipelines.apply(owner, []) == [], "nothing is retired without prune"
    assert [c.action for c in pipelines.apply(owner, [], prune=True)] == ["delete"]
    assert pipelines.pipelines(owner) == []
    assert [(c.action, c.revision) for c in pipelines.apply(owner, [changed])] == [("create", 3)]


def test_why_names_the_package_that_changed(engines: Engines, pipelines: PipelineService, owner: Principal):
    locks = [engines.blobs.put(f"numpy==2.4.{n}\nscipy==1.17\n".encode()).digest for n in (5, 6)]
    runs = []
    for lock in locks:
        run = _start(pipelines, owner)
        _executed(pipelines, owner, run, _claim(0, replace(PARTS, environment=lock)))
        pipelines.finish_run(owner, run, "succeeded", None, [])
        runs.append(run)
    (said,) = pipelines.why(owner, runs[1], "train")
    assert said == f"ran, because environment lock changed: numpy 2.4.5 → 2.4.6 (compared with run {runs[0]})"
    with pytest.raises(NotFound, match="one of train"):
        pipelines.why(owner, runs[0], "nothing")


def test_a_viewer_may_look_and_not_run(pipelines: PipelineService, owner: Principal):
    viewer = Principal(owner.id, "viewer", owner.project, Role.viewer)
    run = _start(pipelines, owner)
    assert pipelines.run(viewer, run)[0].id == run
    for refused in (
        lambda: _start(pipelines, viewer),
        lambda: pipelines.exchange(viewer, run, Exchange()),
        lambda: pipelines.cancel_run(viewer, run),
        lambda: pipelines.apply(viewer, [DEFINITION]),
    ):
        with pytest.raises(NotPermitted):
            refused()


def test_runs_of_another_project_are_not_seen(pipelines: PipelineService, owner: Principal):
    run = _start(pipelines, owner)
    stranger = replace(owner, project="other")
    assert pipelines.runs(stranger) == []
    with pytest.raises(NotFound):
        pipelines.run(stranger, run)


def test_the_chain_tells_the_whole_story(engines: Engines, pipelines: PipelineService, owner: Principal):
    run, claim = _start(pipelines, owner), _claim()
    _executed(pipelines, owner, run, claim)
    pipelines.exchange(owner, run, Exchange(claims=[_claim(1)]))
    pipelines.finish_run(owner, run, "succeeded", None, [])
    with engines.sql.read() as connection:
        told = [event for event in ledger.read(connection, owner.project) if event.kind.startswith("pipelines.")]
    assert [event.kind.removeprefix("pipelines.") for event in told] == [
        "run.started", "step.finished", "step.reused", "run.finished",
    ]  # fmt: skip
    finished = told[1]
    assert (claim.step_id, "part of", run) in finished.edges
    assert (_output().digest, "produced by", claim.step_id) in finished.edges
    assert (told[3].payload or {})["steps"] == {"succeeded": 1, "cached": 1}
