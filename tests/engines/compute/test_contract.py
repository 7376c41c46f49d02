"""What every compute engine guarantees, held against each one found."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy
import pytest

from mainspring.engines.compute.contract import Compute, TaskResult
from mainspring.kernel import plugins
from mainspring.kernel.errors import EngineUnavailable, InvalidInput, SchemaMismatch, StepFailed
from tests.engines.compute import steps
from tests.engines.compute.conftest import ROLE, WAIT_S, open_light


def test_both_engines_are_found_by_their_file_names():
    assert plugins.names(ROLE) == ("inline", "processes")


def test_a_function_returns_its_value(engine, task):
    result = engine.submit(task(steps.add, left=1, right=2)).result(WAIT_S)

    assert result.outcome == "succeeded"
    assert result.value == 3
    assert result.value_or_raise() == 3
    assert result.error is None


def test_a_closure_runs_with_what_it_captured(engine, task):
    factor = 7

    assert engine.submit(task(lambda x: x * factor, x=6)).result(WAIT_S).value == 42


def test_a_large_value_and_a_large_argument_arrive_whole(engine, task):
    size = 30_000_000
    argument = numpy.arange(size // 8, dtype=numpy.int64)

    result = engine.submit(task(lambda rows: rows + 1, rows=argument)).result(WAIT_S)

    assert numpy.array_equal(result.value, argument + 1)


def test_a_result_knows_how_long_it_took(engine, task):
    result = engine.submit(task(steps.work_for, seconds=0.05)).result(WAIT_S)

    assert 0.05 <= result.duration_s < WAIT_S
    assert 0.03 <= result.cpu_s < WAIT_S


def test_a_raised_error_is_a_failed_step_with_one_line_and_the_traceback_in_the_log(engine, task):
    wanted = task(steps.fail, message="the third wheel\nis missing")

    result = engine.submit(wanted).result(WAIT_S)

    assert result.outcome == "failed"
    assert result.error["code"] == StepFailed.code
    assert result.error["found"].startswith("ValueError: the third wheel (steps.py, line ")
    log = wanted.log_path.read_text()
    assert log.startswith("before the failure\n")
    assert "Traceback" in log
    assert "is missing" in log
    assert "engines/compute/_" not in log
    with pytest.raises(StepFailed, match="third wheel"):
        result.value_or_raise()


def test_an_error_of_the_kernel_keeps_its_class(engine, task):
    result = engine.submit(task(steps.fail_as_the_kernel_does)).result(WAIT_S)

    with pytest.raises(SchemaMismatch) as caught:
        result.value_or_raise()
    assert (caught.value.subject, caught.value.fix) == ("hour.csv", "Add it.")


@pytest.mark.parametrize("code", [0, 3])
def test_a_task_that_exits_has_failed(engine, task, code):
    result = engine.submit(task(steps.exit_politely, code=code)).result(WAIT_S)

    assert result.outcome == "failed"
    assert "SystemExit" in result.error["found"]


def test_what_a_task_prints_is_in_its_log(engine, task):
    wanted = task(steps.say_on_both, text="naïve 🚲")

    engine.submit(wanted).result(WAIT_S)

    assert wanted.log_path.read_text(encoding="utf-8") == "naïve 🚲\nnaïve 🚲\n"


def test_a_log_over_its_limit_keeps_both_ends_and_says_what_is_missing(engine, task):
    wanted = task(steps.count_aloud, to=10_000, _log_limit_bytes=10_000)

    assert engine.submit(wanted).result(WAIT_S).outcome == "succeeded"

    lines = wanted.log_path.read_text().splitlines()
    assert lines[0] == "line 000000"
    assert lines[-2] == "line 009999"
    assert lines[-1] == "[mainspring: 110,000 of 120,000 bytes dropped from the middle of this log]"
    assert wanted.log_path.stat().st_size < 10_500


def test_messages_arrive_in_order_and_before_the_result(engine, task):
    seen: list[dict[str, Any]] = []

    result = engine.submit(task(steps.report_many, count=2000), seen.append).result(WAIT_S)

    assert result.value == 2000
    assert [message["step"] for message in seen] == list(range(2000))
    assert seen[5] == {"type": "metric", "key": "loss", "value": 2.5, "step": 5, "time": 0.0}


def test_messages_without_a_receiver_are_dropped(engine, task):
    assert engine.submit(task(steps.report_many, count=3)).result(WAIT_S).value == 3


def test_messages_become_plain_json(engine, task, inbox):
    message = {
        "value": numpy.float32(0.5),
        "count": numpy.int64(3),
        "at": datetime(2024, 1, 2, tzinfo=UTC),
        "path": Path("a/b"),
        "pair": (1, 2),
        "nothing": math.nan,
    }

    engine.submit(task(steps.report_something, message=message), inbox).result(WAIT_S)

    [seen] = inbox.all()
    assert math.isnan(seen.pop("nothing"))
    assert seen == {"value": 0.5, "count": 3, "at": "2024-01-02T00:00:00+00:00", "path": "a/b", "pair": [1, 2]}


def test_a_message_that_is_not_json_fails_where_it_was_sent(engine, task, inbox):
    result = engine.submit(task(steps.report_something, message={"value": object()}), inbox).result(WAIT_S)

    assert result.error["code"] == InvalidInput.code
    assert inbox.all() == []


def test_an_error_of_the_receiver_ends_the_task_and_comes_out_of_result(engine, task):
    def refuse(message):
        raise LookupError("no such run")

    handle = engine.submit(task(steps.report_many, count=100), refuse)

    with pytest.raises(LookupError, match="no such run"):
        handle.result(WAIT_S)
    assert handle.done


def test_a_task_larger_than_the_engine_is_refused(engine, task):
    with pytest.raises(InvalidInput, match="at most 2, the capacity of this engine, found 3"):
        engine.submit(task(steps.add, left=1, right=2, _cpu=3))


@pytest.mark.parametrize(
    "option",
    [{"_cpu": 0}, {"_timeout_s": 0.0}, {"_timeout_s": math.nan}, {"_memory_bytes": 0}, {"_log_limit_bytes": 9}],
)
def test_a_senseless_limit_is_refused_by_name(task, option):
    with pytest.raises(InvalidInput, match=next(iter(option))[1:]):
        task(steps.add, **option)


@pytest.mark.parametrize("option", [{"_timeout_s": 5.0}, {"_memory_bytes": 2**30}])
def test_a_limit_is_enforced_or_refused(engine, task, option):
    wanted = task(steps.add, left=1, right=2, **option)
    if engine.isolates:
        assert engine.submit(wanted).result(WAIT_S).value == 3
    else:
        with pytest.raises(InvalidInput, match=r'Use the "processes" engine'):
            engine.submit(wanted)


def most_cpu_at_once(runs: list[tuple[int, TaskResult]]) -> int:
    changes = [(r.started_at, cpu) for cpu, r in runs] + [(r.ended_at, -cpu) for cpu, r in runs]
    used, most = 0, 0
    for _moment, change in sorted(changes):
        used += change
        most = max(most, used)
    return most


def test_eight_threads_never_use_more_cpu_than_there_is(engine, task):
    def submit_ten(thread: int) -> list[tuple[int, TaskResult]]:
        sizes = [1 + (thread + number) % 2 for number in range(10)]
        handles = [(cpu, engine.submit(task(steps.work_for, seconds=0.004, _cpu=cpu))) for cpu in sizes]
        return [(cpu, handle.result(WAIT_S)) for cpu, handle in handles]

    with ThreadPoolExecutor(8) as threads:
        runs = [run for part in threads.map(submit_ten, range(8)) for run in part]

    assert [result.outcome for _cpu, result in runs] == ["succeeded"] * 80
    assert most_cpu_at_once(runs) <= engine.capacity_cpu
    if engine.isolates:
        assert most_cpu_at_once(runs) == engine.capacity_cpu


def test_cancelling_what_has_ended_changes_nothing(engine, task):
    handle = engine.submit(task(steps.add, left=1, right=2))
    handle.result(WAIT_S)

    handle.cancel()

    assert handle.result(0).value == 3


@pytest.mark.parametrize("name", plugins.names(ROLE))
def test_a_closed_engine_takes_nothing_and_closes_again(name, tmp_path, task):
    engine: Compute = open_light(name, tmp_path)
    engine.close()
    engine.close()

    with pytest.raises(EngineUnavailable, match="closed"):
        engine.submit(task(steps.add, left=1, right=2))


def test_a_log_that_cannot_be_written_is_said_by_the_result(engine, task, tmp_path):
    (tmp_path / "file").touch()

    handle = engine.submit(task(steps.add, left=1, right=2, _log_path=tmp_path / "file" / "log"))

    with pytest.raises(EngineUnavailable, match="file"):
        handle.result(WAIT_S)


def test_no_engine_leaves_a_listener_behind(engine, task, inbox):
    engine.submit(task(steps.report_something, message={"a": 1}), inbox).result(WAIT_S)

    assert steps.report_something({"b": 2}) is False
    assert threading.current_thread() is threading.main_thread()
