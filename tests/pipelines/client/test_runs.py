"""Whole runs over the real application, in this process and in step processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

import mainspring as ms
from mainspring.kernel.errors import Conflict, InvalidInput, StepFailed
from mainspring.pipelines.client.pools import close_pools
from mainspring.pipelines.definitions import choose
from mainspring.surfaces.client import Client

COMPUTES = ("inline", "processes")


@pytest.fixture(autouse=True)
def _pools() -> Iterator[None]:
    yield
    close_pools()


@pytest.fixture(params=COMPUTES)
def compute(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Split(NamedTuple):
    train: pa.Table
    test: pa.Table


@ms.step
def make_rows(count: int) -> pa.Table:
    return pa.table({"x": list(range(count)), "y": [2.0 * n for n in range(count)]})


@ms.step
def split(rows: pa.Table, share: float = 0.5) -> Split:
    at = int(rows.num_rows * share)
    return Split(rows.slice(0, at), rows.slice(at))


@ms.step
def train(rows: pa.Table, rate: float) -> dict[str, float]:
    ms.log_param("rate", rate)
    for epoch in range(3):
        ms.log_metric("loss", rate / (epoch + 1), step=epoch)
    sys.stdout.write(f"training with {rate}\n")
    return {"rate": rate, "rows": float(rows.num_rows)}


@ms.step
def evaluate(model: dict[str, float], rows: pa.Table) -> float:
    return abs(model["rate"] - 0.2) + len(rows["x"].to_pylist())


@ms.step
def best_of(scores: list[float]) -> float:
    return min(scores)


@ms.pipeline
def forecast(count: int = 10, rates: list[float] = [0.1, 0.2, 0.3]) -> None:
    parts = split(make_rows(count))
    models = train.partial(rows=parts.train).map(rate=rates)
    best_of(evaluate.partial(rows=parts.test).map(models))


def _statuses(run: Any) -> dict[str, str]:
    return {step.label: step.status for step in run.steps}


def test_a_pipeline_of_named_outputs_and_a_map_runs_to_its_end(client: Client, compute: str):
    run = forecast.run(client=client, compute=compute)
    assert run.status == "succeeded"
    assert list(_statuses(run)) == [
        "make_rows", "split", "train", "train[1]", "train[2]", "evaluate", "evaluate[1]", "evaluate[2]", "best_of",
    ]  # fmt: skip
    assert run.load("best_of") == 5.0
    assert run.load("split", "train").num_rows == 5
    assert run.load("train[2]") == {"rate": 0.3, "rows": 5.0}
    told = client.get(f"/pipelines/runs/{run.id}")
    assert told["run"]["status"] == "succeeded"
    by_label = {step["label"]: step for step in told["steps"]}
    assert by_label["best_of"]["needs"] == [by_label[f"evaluate{n}"]["id"] for n in ("", "[1]", "[2]")]
    assert by_label["split"]["outputs"][0]["meta"]["rows"] == 5


def test_the_second_run_takes_everything_from_the_first_whatever_the_engine(client: Client):
    first = forecast.run(client=client, compute="inline")
    second = forecast.run(client=client, compute="processes")
    assert set(_statuses(second).values()) == {"cached"}
    assert [step.outputs for step in first.steps] == [step.outputs for step in second.steps]
    assert second.load("best_of") == 5.0
    (said,) = second.why("train[1]")
    assert said.startswith(f"taken from run {first.id}")


def test_only_what_depends_on_a_changed_parameter_runs_again(client: Client):
    first = forecast.run(client=client, compute="inline")
    second = forecast.run(client=client, compute="inline", rates=[0.1, 0.2, 0.4])
    assert [label for label, status in _statuses(second).items() if status == "succeeded"] == [
        "train[2]", "evaluate[2]", "best_of",
    ]  # fmt: skip
    assert second.why("train[2]") == [f"ran, because parameter rate 0.3 → 0.4 (compared with run {first.id})"]


def test_the_first_run_says_that_there_was_none_before(client: Client):
    run = forecast.run(client=client, compute="inline")
    assert run.why("split") == ["ran, because no earlier run of this pipeline executed split"]


def test_what_a_step_logs_is_a_run_under_the_pipelines(client: Client, compute: str):
    run = forecast.run(client=client, compute=compute, rates=[0.5])
    detail = client.get(f"/tracking/runs/{run.step('train').id}")
    assert detail["run"]["kind"] == "step"
    assert detail["run"]["parent_id"] == run.id
    assert detail["params"] == {"rate": 0.5}
    points = client.get(f"/tracking/runs/{run.step('train').id}/metrics", key="loss")
    assert [point["step"] for point in points] == [0, 1, 2]
    parent = client.get(f"/tracking/runs/{run.id}")
    assert (parent["run"]["kind"], parent["run"]["status"]) == ("pipeline", "succeeded")


def test_what_a_step_prints_is_in_its_log_and_its_digest_is_recorded(client: Client, compute: str):
    import hashlib

    run = forecast.run(client=client, compute=compute, rates=[0.7])
    assert client.home is not None
    log = client.home / "logs" / run.id / f"{run.step('train').id}.log"
    assert log.read_text() == "training with 0.7\n"
    recorded = client.get(f"/pipelines/steps/{run.step('train').id}")["log"]
    assert recorded["digest"] == hashlib.sha256(log.read_bytes()).hexdigest()
    assert client.get_bytes(f"/tracking/artifacts/{recorded['digest']}") == log.read_bytes()
    assert client.get(f"/pipelines/steps/{run.step('split').id}")["log"] is None
    assert not any((client.home / "work").glob(f"{run.id}*")), "work folders are gone when the run has ended"


@ms.step
def counted(folder: str, name: str) -> int:
    """Leaves a trace of every execution."""
    path = Path(folder) / name
    path.write_text((path.read_text() if path.exists() else "") + "x")
    return len(path.read_text())


@ms.step
def too_large(value: int) -> bool:
    return value > 2


@ms.pipeline
def branching(folder: str, limit: int = 1) -> None:
    count = 0
    while count < limit and not too_large(count):
        counted(folder, f"loop-{count}")
        count += 1
    if counted(folder, "branch") > 5:
        counted(folder, "never")


def test_branches_and_loops_are_plain_python(client: Client, tmp_path: Path):
    run = branching.run(client=client, compute="inline", folder=str(tmp_path), limit=5)
    assert [label for label in _statuses(run) if label.startswith("counted")] == [
        "counted", "counted[1]", "counted[2]", "counted[3]",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.glob("*") if path.is_file()) == [
        "branch",
        "loop-0",
        "loop-1",
        "loop-2",
    ]


@ms.step(cache=False)
def always(folder: str) -> int:
    return counted.fn(folder, "always")


@ms.pipeline
def uncached(folder: str) -> None:
    always(folder)


def test_a_step_without_cache_runs_every_time_and_says_so(client: Client, tmp_path: Path):
    uncached.run(client=client, compute="inline", folder=str(tmp_path))
    second = uncached.run(client=client, compute="inline", folder=str(tmp_path))
    assert second.load("always") == 2
    assert second.why("always")[0] == "ran, because the step is marked cache=False"


@ms.step(retries=2, retry_wait_s=0.0)
def flaky(folder: str, failures: int) -> int:
    ms.log_metric("tries", 1.0)
    tries = counted.fn(folder, "tries")
    if tries <= failures:
        raise ValueError(f"try {tries} went wrong")
    return tries


@ms.pipeline
def retried(folder: str, failures: int) -> None:
    flaky(folder, failures)


def test_retries_are_counted_and_a_later_attempt_may_succeed(client: Client, compute: str, tmp_path: Path):
    run = retried.run(client=client, compute=compute, folder=str(tmp_path), failures=2)
    assert (run.status, run.load("flaky"), run.step("flaky").attempts) == ("succeeded", 3, 3)
    points = client.get(f"/tracking/runs/{run.step('flaky').id}/metrics", key="tries")
    assert len(points) == 1, "what failed attempts logged is not taken for the result's"


def test_after_the_last_retry_the_run_fails_with_the_steps_error(client: Client, compute: str, tmp_path: Path):
    with pytest.raises(StepFailed, match=r"attempt 3 of 3.*ValueError: try 3 went wrong") as caught:
        retried.run(client=client, compute=compute, folder=str(tmp_path), failures=9)
    assert "mainspring logs" in caught.value.fix
    assert "| ValueError: try 3 went wrong" in caught.value.fix, "the end of the log is shown"
    assert (tmp_path / "tries").read_text() == "xxx"
    (run,) = client.get("/pipelines/runs", pipeline="retried")
    assert run["status"] == "failed"
    assert "try 3 went wrong" in run["error"]["found"]


@ms.step
def fails(value: int) -> int:
    sys.stdout.write("about to fail\n")
    raise RuntimeError("broken on purpose")


@ms.step
def after(value: int) -> int:
    return value


@ms.pipeline
def partly(count: int = 3) -> None:
    after(fails(count))
    make_rows(count)


def test_dependents_are_skipped_independents_finish_and_nothing_of_the_failed_step_is_kept(
    client: Client, compute: str
):
    run = partly.run(client=client, compute=compute, check=False)
    assert run.status == "failed"
    assert _statuses(run) == {"fails": "failed", "after": "skipped", "make_rows": "succeeded"}
    told = {step["label"]: step for step in client.get(f"/pipelines/runs/{run.id}")["steps"]}
    assert told["fails"]["outputs"] == []
    assert told["after"]["status"] == "skipped"
    assert run.why("after") == ["skipped, because fails did not succeed"]
    again = partly.run(client=client, compute=compute, check=False)
    assert _statuses(again) == {"fails": "failed", "after": "skipped", "make_rows": "cached"}, "a failure is not cached"


@ms.step
def wrong_type(value: int) -> float:
    return "not a number"  # type: ignore[return-value]


@ms.pipeline
def wrongly(value: int = 1) -> None:
    wrong_type(value)


def test_a_step_that_returns_another_type_fails_naming_both(client: Client, compute: str):
    with pytest.raises(StepFailed, match=r"wanted float, found str 'not a number'"):
        wrongly.run(client=client, compute=compute)


@ms.pipeline
def mistyped(count: int = 3) -> None:
    evaluate(make_rows(count), make_rows(count))


def test_an_output_given_to_a_parameter_of_another_type_is_refused_at_the_call(client: Client):
    run = mistyped.run(client=client, compute="inline", check=False)
    assert isinstance(run.error, InvalidInput)
    assert "argument model: wanted dict[str, float], found pyarrow.Table from make_rows" in str(run.error)
    assert run.status == "failed"


@ms.pipeline
def itself_broken(count: int = 3) -> None:
    make_rows(count)
    raise KeyError("in the pipeline function")


def test_an_error_of_the_pipeline_function_fails_the_run_and_keeps_finished_steps(client: Client, compute: str):
    run = itself_broken.run(client=client, compute=compute, check=False)
    assert run.status == "failed"
    assert "KeyError: 'in the pipeline function'" in str(run.error)
    assert _statuses(run) == {"make_rows": "succeeded"}


@ms.step
def noisy(count: int) -> float:
    return float(np.random.default_rng().normal(size=count).sum())


@ms.pipeline
def verified(count: int = 3) -> None:
    make_rows(count)
    noisy(count)


def test_a_double_run_flags_the_step_that_is_not_repeatable(client: Client, compute: str):
    run = verified.run(client=client, compute=compute, verify=True)
    told = {step["label"]: step["is_deterministic"] for step in client.get(f"/pipelines/runs/{run.id}")["steps"]}
    assert told == {"make_rows": True, "noisy": False}
    second = verified.run(client=client, compute=compute)
    assert _statuses(second) == {"make_rows": "cached", "noisy": "succeeded"}, "what is not repeatable is not cached"


@ms.step
def after_best(model: dict[str, float]) -> float:
    return model["rate"]


def test_a_choice_stands_for_the_best_candidate_under_its_own_maker(client: Client):
    @ms.pipeline
    def picking(rates: list[float] = [0.1, 0.25, 0.9]) -> None:
        parts = split(make_rows(10))
        models = train.partial(rows=parts.train).map(rate=rates)
        scores = evaluate.partial(rows=parts.test).map(models)
        best = choose("best", {"model": models, "predictions": scores}, by="predictions", score=float)
        after_best(best.model)

    run = picking.run(client=client, compute="inline")
    assert run.load("after_best") == 0.25
    told = {step["label"]: step for step in client.get(f"/pipelines/runs/{run.id}")["steps"]}
    facts = told["best"]["facts"]
    assert told["best"]["kind"] == "choice"
    assert facts["chosen"] == 1
    assert len(facts["scores"]) == 3
    assert facts["of"]["model"] == told["train[1]"]["id"]


def test_large_outputs_and_many_points_arrive_whole(client: Client, compute: str):
    run = heavy.run(client=client, compute=compute)
    assert run.load("bulky").shape == (200_000,)
    points = client.get(f"/tracking/runs/{run.step('bulky').id}/metrics", key="loss")
    assert len(points) == 12_000


@ms.step
def bulky(count: int) -> np.ndarray[Any, Any]:
    for number in range(12_000):
        ms.log_metric("loss", float(number), step=number)
    return np.arange(count, dtype=np.float64)


@ms.pipeline
def heavy(count: int = 200_000) -> None:
    bulky(count)


@ms.step
def saves(text: str) -> int:
    path = Path("note-of-a-step.txt")
    path.write_text(text)
    ms.log_artifact(path)
    path.unlink()
    return os.getpid()


@ms.pipeline
def saving(text: str = "hello") -> None:
    saves(text)


def test_a_logged_file_is_an_artifact_of_the_step(
    client: Client, compute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    run = saving.run(client=client, compute=compute)
    (artifact,) = client.get(f"/tracking/runs/{run.step('saves').id}")["artifacts"]
    assert artifact["name"] == "note-of-a-step.txt"
    assert client.get_bytes(f"/tracking/artifacts/{artifact['digest']}") == b"hello"
    assert (run.load("saves") == os.getpid()) == (compute == "inline")


def test_a_failed_run_is_gone_on_from_where_it_failed(client: Client, tmp_path: Path):
    failed = resumable.run(client=client, compute="inline", folder=str(tmp_path), check=False)
    assert _statuses(failed) == {"always": "succeeded", "needs_file": "failed"}
    (tmp_path / "there").write_text("now it is")
    resumed = resumable.run(client=client, compute="inline", resume=failed.id)
    assert _statuses(resumed) == {"always": "cached", "needs_file": "succeeded"}, "also what no cache may give"
    assert client.get(f"/pipelines/runs/{resumed.id}")["run"]["resumed_from"] == failed.id
    assert resumed.why("always")[0].startswith(f"taken from run {failed.id}")


@ms.step
def needs_file(folder: str, number: int) -> str:
    return (Path(folder) / "there").read_text()


@ms.pipeline
def resumable(folder: str) -> None:
    needs_file(folder, always(folder))


def test_a_run_whose_driver_lives_is_not_gone_on_from(client: Client, tmp_path: Path):
    refused: list[Exception] = []

    @ms.pipeline
    def outer(folder: str) -> None:
        always(folder)
        (running,) = client.get("/pipelines/runs", pipeline="outer")
        with pytest.raises(Conflict, match=f"process {os.getpid()}") as caught:
            outer.run(client=client, compute="inline", resume=running["id"])
        refused.append(caught.value)

    assert outer.run(client=client, compute="inline", folder=str(tmp_path)).status == "succeeded"
    assert refused


def test_a_cancelled_run_stops_and_says_so(client: Client):
    @ms.pipeline
    def stopped(count: int = 1) -> None:
        make_rows(count)
        (running,) = client.get("/pipelines/runs", pipeline="stopped")
        client.post(f"/pipelines/runs/{running['id']}/cancel")
        # The next word from the platform tells the driver; from then on nothing new begins.
        number = 0
        while True:
            number += 1
            make_rows(count + number)

    run = stopped.run(client=client, compute="inline", check=False)
    assert run.status == "cancelled"
    assert client.get(f"/pipelines/runs/{run.id}")["run"]["status"] == "cancelled"


def test_an_operation_is_called_with_what_handles_stand_for(client: Client):
    from mainspring.pipelines.definitions import operation

    @ms.pipeline
    def operated(count: int = 3) -> None:
        rows = make_rows(count)
        answer = operation("plan", "/pipelines/definitions/plan", {"definitions": [], "note": rows}, list)
        if len(answer) == 0:
            split(rows)

    run = operated.run(client=client, compute="inline")
    assert _statuses(run) == {"make_rows": "succeeded", "plan": "succeeded", "split": "succeeded"}
    again = operated.run(client=client, compute="inline")
    assert _statuses(again)["plan"] == "succeeded", "operations are executed every time"
    assert again.why("plan") == ["an operation is executed in every run"]


def test_an_operation_that_is_refused_fails_the_run_with_the_servers_error(client: Client):
    from mainspring.pipelines.definitions import operation

    @ms.pipeline
    def operated(count: int = 3) -> None:
        operation("gate", "/nowhere", {"rows": make_rows(count)})

    run = operated.run(client=client, compute="inline", check=False)
    assert run.status == "failed"
    assert "/nowhere" in str(run.error)


def test_dataset_parameters_are_versions_and_part_of_the_key(client: Client, tmp_path: Path, compute: str):
    source = tmp_path / "demand.csv"
    source.write_text("hour,cnt\n1,10\n2,20\n3,30\n")
    demand = ms.dataset("demand", source=source)

    @ms.pipeline
    def reading(rows: ms.Dataset = demand) -> None:
        split(rows)

    first = reading.run(client=client, compute=compute)
    assert first.load("split", "test")["cnt"].to_pylist() == [20, 30]
    assert client.get(f"/pipelines/runs/{first.id}")["run"]["inputs"]["rows"]["reference"] == "demand@1"
    assert _statuses(reading.run(client=client, compute=compute)) == {"split": "cached"}
    source.write_text("hour,cnt\n1,10\n2,20\n3,30\n4,40\n")
    second = reading.run(client=client, compute=compute)
    assert second.load("split", "test")["cnt"].to_pylist() == [30, 40]
    (said,) = second.why("split")
    assert "input rows changed: dataset demand version 1 → dataset demand version 2" in said
    pinned = reading.run(client=client, compute=compute, rows="demand@1")
    assert _statuses(pinned) == {"split": "cached"}


def test_lineage_leads_from_an_artifact_to_the_dataset(client: Client, tmp_path: Path):
    source = tmp_path / "demand.csv"
    source.write_text("hour,cnt\n1,10\n2,20\n")
    demand = ms.dataset("demand", source=source)

    @ms.pipeline
    def traced(rows: ms.Dataset = demand) -> None:
        train(split(rows).train, 0.1)

    run = traced.run(client=client, compute="inline")
    version = client.get(f"/pipelines/runs/{run.id}")["run"]["inputs"]["rows"]["version_id"]
    graph = client.get("/lineage/why", name=run.step("train").outputs["output"]["digest"])
    ids = {node["id"] for node in graph["nodes"]}
    assert {run.id, run.step("train").id, run.step("split").id, version} <= ids


def test_a_driver_whose_run_was_ended_by_somebody_else_stops(client: Client):
    @ms.pipeline
    def ended(count: int = 1) -> None:
        make_rows(count)
        (running,) = client.get("/pipelines/runs", pipeline="ended")
        client.post(f"/pipelines/runs/{running['id']}/finish", {"status": "failed"})
        number = 0
        while True:
            number += 1
            make_rows(count + number)

    run = ended.run(client=client, compute="inline", check=False)
    assert isinstance(run.error, Conflict)
    assert run.status == "interrupted", "for this driver; the record says what the other said"
    assert client.get(f"/pipelines/runs/{run.id}")["run"]["status"] == "failed"


def test_a_conflict_answered_to_an_operation_is_that_operations_failure(client: Client):
    from mainspring.pipelines.definitions import operation

    first = forecast.run(client=client, compute="inline")

    @ms.pipeline
    def operated(count: int = 3) -> None:
        operation("cancel", f"/pipelines/runs/{first.id}/cancel", {})
        make_rows(count)

    run = operated.run(client=client, compute="inline", check=False)
    assert isinstance(run.error, Conflict)
    assert _statuses(run) == {"cancel": "failed", "make_rows": "succeeded"}


def test_a_thousand_steps_behind_a_failed_one_are_all_skipped(client: Client):
    @ms.pipeline
    def deep(length: int = 1200) -> None:
        value = fails(1)
        for _ in range(length):
            value = after(value)

    run = deep.run(client=client, compute="processes", check=False)
    statuses = list(_statuses(run).values())
    assert statuses == ["failed", *["skipped"] * 1200]
    assert len(client.get(f"/pipelines/runs/{run.id}")["steps"]) == 1201


def test_steps_begin_in_parallel_as_soon_as_what_they_need_is_there(client: Client, tmp_path: Path):
    run = meeting.run(client=client, compute="processes", folder=str(tmp_path))
    assert run.status == "succeeded"


@ms.step(timeout_s=60)
def meets(folder: str, me: str, other: str) -> bool:
    """Ends only if the other one runs at the same time."""
    (Path(folder) / me).touch()
    while not (Path(folder) / other).exists():
        time.sleep(0.005)
    return True


@ms.pipeline
def meeting(folder: str) -> None:
    meets(folder, "a", "b")
    meets(folder, "b", "a")
