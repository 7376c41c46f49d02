"""What only an engine that isolates can promise."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from mainspring.engines.compute import processes as processes_engine
from mainspring.kernel.errors import TimedOut
from tests.engines.compute import steps
from tests.engines.compute.conftest import WAIT_S, ends, open_light


def test_a_task_runs_in_a_session_of_its_own_below_the_zygote(processes, task):
    pids = processes.submit(task(lambda: (os.getpid(), os.getsid(0), os.getpgid(0), os.getppid()))).result(WAIT_S).value

    assert pids[0] == pids[1] == pids[2]
    assert os.getpid() not in pids


def test_the_zygote_has_one_thread(processes, task):
    zygote = processes.submit(task(steps.parent)).result(WAIT_S).value

    assert len(os.listdir(f"/proc/{zygote}/task")) == 1


def test_exit_at_once_is_a_failure_that_names_the_code(processes, task):
    result = processes.submit(task(steps.exit_at_once, code=3)).result(WAIT_S)

    assert result.outcome == "failed"
    assert "exit code 3" in result.error["found"]


def test_exit_at_once_with_zero_is_no_success(processes, task):
    assert processes.submit(task(steps.exit_at_once, code=0)).result(WAIT_S).outcome == "failed"


def test_a_segmentation_fault_is_named_and_its_place_is_in_the_log(processes, task):
    wanted = task(steps.crash)

    result = processes.submit(wanted).result(WAIT_S)

    assert result.outcome == "lost"
    assert "SIGSEGV" in result.error["found"]
    assert "in crash" in wanted.log_path.read_text()


def test_a_process_killed_from_outside_is_lost(processes, task):
    result = processes.submit(task(steps.kill_itself, number=signal.SIGKILL)).result(WAIT_S)

    assert result.outcome == "lost"
    assert "SIGKILL" in result.error["found"]


def test_a_hanging_task_is_ended_at_its_timeout(processes, task, inbox):
    result = processes.submit(task(steps.hang, _timeout_s=0.2), inbox).result(WAIT_S)

    assert result.outcome == "timed_out"
    assert result.error["code"] == TimedOut.code
    assert "within 0.2 s" in result.error["message"]
    assert ends(inbox.next()["pid"])


def test_a_task_deaf_to_the_polite_signal_is_ended_all_the_same(processes, task):
    result = processes.submit(task(steps.hang_deaf, _timeout_s=0.2)).result(WAIT_S)

    assert result.outcome == "timed_out"
    assert result.duration_s >= 1.2


@pytest.mark.parametrize(("then", "outcome"), [("hang", "timed_out"), ("crash", "failed"), ("return", "succeeded")])
def test_nothing_a_task_started_outlives_it(processes, task, inbox, then, outcome):
    limit = {"_timeout_s": 0.5} if then == "hang" else {}
    result = processes.submit(task(steps.start_others, then=then, **limit), inbox).result(WAIT_S)

    assert result.outcome == outcome
    pids = inbox.next()["pids"]
    assert len(pids) == 3
    assert all(ends(pid) for pid in pids)


@pytest.mark.parametrize("function", [steps.swell, steps.swell_in_a_child])
def test_a_task_over_its_memory_is_ended_with_both_numbers(processes, task, function):
    wanted = task(function, size_bytes=400_000_000, _memory_bytes=100 * 2**20, _timeout_s=20.0)

    result = processes.submit(wanted).result(WAIT_S)

    assert result.outcome == "out_of_memory"
    assert result.error["wanted"] == "at most 100 MiB of memory"
    found = int(result.error["found"].split()[0])
    assert 100 < found < 1000


def test_a_task_within_its_memory_is_left_alone_and_weighed(processes, task):
    wanted = task(lambda: len(b"\1" * 50_000_000), _memory_bytes=200 * 2**20)

    result = processes.submit(wanted).result(WAIT_S)

    assert result.outcome == "succeeded"
    assert 45_000_000 < result.peak_memory_bytes < 100_000_000


def test_a_running_task_can_be_cancelled(processes, task, inbox):
    handle = processes.submit(task(steps.hang), inbox)
    pid = inbox.next()["pid"]

    with pytest.raises(TimedOut):
        handle.result(0)
    handle.cancel()
    handle.cancel()

    assert handle.result(WAIT_S).outcome == "cancelled"
    assert ends(pid)


def test_a_waiting_task_can_be_cancelled_and_never_runs(processes, task, inbox, tmp_path):
    running = processes.submit(task(steps.hang, _cpu=2), inbox)
    inbox.next()
    waiting = processes.submit(task(steps.mark, path=tmp_path / "marked"))
    behind = processes.submit(task(steps.add, left=1, right=2))

    waiting.cancel()
    assert waiting.result(WAIT_S).outcome == "cancelled"
    running.cancel()

    assert behind.result(WAIT_S).value == 3
    assert not (tmp_path / "marked").exists()


def test_tasks_start_in_the_order_of_their_submission(processes, task, inbox):
    first = processes.submit(task(steps.hang), inbox)
    inbox.next()
    large = processes.submit(task(steps.add, left=1, right=2, _cpu=2))
    small = processes.submit(task(steps.add, left=1, right=2))
    assert not small.done
    first.cancel()

    # The small one would have fitted beside the first; it may not overtake the large one.
    assert small.result(WAIT_S).started_at >= large.result(WAIT_S).ended_at


def test_printing_100_megabytes_neither_blocks_nor_fills_the_disk(processes, task):
    wanted = task(steps.say, text="x" * 9_999, times=10_000, _timeout_s=25.0)

    assert processes.submit(wanted).result(WAIT_S).outcome == "succeeded"

    assert wanted.log_path.stat().st_size < wanted.log_limit_bytes + 1000
    last = wanted.log_path.read_bytes()[-200:].decode().splitlines()[-1]
    assert last == "[mainspring: 90,000,000 of 100,000,000 bytes dropped from the middle of this log]"


def test_a_value_that_cannot_be_pickled_is_a_failed_step(processes, task):
    result = processes.submit(task(steps.lock)).result(WAIT_S)

    assert result.outcome == "failed"
    assert "a lock that cannot be pickled" in result.error["found"]


def test_a_value_that_cannot_be_rebuilt_here_is_a_failed_step(processes, task):
    result = processes.submit(task(steps.Unreadable)).result(WAIT_S)

    assert result.outcome == "failed"
    assert "cannot be rebuilt" in result.error["found"]


def test_an_argument_that_cannot_be_pickled_is_a_failed_step(processes, task):
    result = processes.submit(task(steps.add, left=steps.lock(), right=1)).result(WAIT_S)

    assert result.outcome == "failed"
    assert "cannot be pickled" in result.error["found"]


def test_an_argument_that_cannot_be_rebuilt_there_is_a_failed_step(processes, task):
    result = processes.submit(task(steps.add, left=steps.Unreadable(), right=1)).result(WAIT_S)

    assert result.outcome == "failed"
    assert "cannot be rebuilt" in result.error["found"]


def test_a_task_sees_the_surroundings_of_its_submission_but_no_credentials(processes, task, tmp_path, monkeypatch):
    monkeypatch.setenv("MAINSPRING_TOKEN", "secret")
    monkeypatch.setenv("CITY", "Washington")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "wheels.py").write_text("def count():\n    return 2\n")
    wheels = importlib.import_module("wheels")

    found = processes.submit(task(steps.surroundings)).result(WAIT_S).value

    assert found["environment"]["CITY"] == "Washington"
    assert not [key for key in found["environment"] if key.startswith("MAINSPRING_")]
    assert "HOME" not in found["environment"]
    assert found["folder"] == str(tmp_path)
    assert found["path"] == sys.path
    assert processes.submit(task(wheels.count)).result(WAIT_S).value == 2


def test_no_process_ever_had_the_credentials_in_its_environment(tmp_path, task, monkeypatch):
    monkeypatch.setenv("MAINSPRING_TOKEN", "secret")
    with open_light("processes", tmp_path) as engine:
        read = engine.submit(task(lambda: open("/proc/self/environ", "rb").read())).result(WAIT_S).value  # noqa: SIM115

    assert b"secret" not in read


def test_random_numbers_differ_from_task_to_task(tmp_path, task):
    with processes_engine.open_engine(tmp_path, capacity_cpu=2, preload=["numpy.random"]) as engine:
        draws = [engine.submit(task(steps.fresh_random_numbers)).result(WAIT_S).value for _ in range(3)]

    assert len({number for draw in draws for number in draw}) == 6


def test_messages_from_many_tasks_reach_their_own_receivers(processes, task):
    def run(number: int) -> list[int]:
        seen: list[int] = []
        processes.submit(task(steps.report_many, count=50 + number), lambda m: seen.append(m["step"])).result(WAIT_S)
        return seen

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(run, range(12))) == [list(range(50 + number)) for number in range(12)]


def test_close_ends_what_runs_and_waits_and_leaves_no_process(tmp_path, task, inbox):
    engine = open_light("processes", tmp_path)
    running = [engine.submit(task(steps.hang_deaf), inbox), engine.submit(task(steps.start_others, then="hang"), inbox)]
    waiting = engine.submit(task(steps.add, left=1, right=2))
    messages = [inbox.next(), inbox.next()]

    engine.close()

    assert [handle.result(0).outcome for handle in [*running, waiting]] == ["cancelled"] * 3
    pids = [m["pid"] for m in messages] + [p for m in messages for p in m.get("pids", [m.get("zygote")])]
    assert len(pids) == 6
    assert all(ends(pid) for pid in pids)


def test_a_task_submitted_before_the_zygote_is_ready_waits_for_it(tmp_path, task):
    with open_light("processes", tmp_path) as engine:
        engine.warm()
        engine.warm()

        assert engine.submit(task(steps.add, left=1, right=2)).result(WAIT_S).value == 3


def test_a_close_before_the_zygote_is_ready_leaves_nothing(tmp_path, task):
    engine = open_light("processes", tmp_path)
    handle = engine.submit(task(steps.hang))

    engine.close()

    assert handle.result(0).outcome == "cancelled"


def test_a_close_does_not_wait_for_a_zygote_that_still_imports(tmp_path, task):
    (tmp_path / "slow_to_import.py").write_text("import signal\nsignal.pause()\n")
    sys.path.append(str(tmp_path))
    try:
        engine = processes_engine.open_engine(tmp_path, capacity_cpu=1, preload=["slow_to_import"])
        handle = engine.submit(task(steps.hang))
        engine.close()
    finally:
        sys.path.remove(str(tmp_path))

    assert handle.result(0).outcome == "cancelled"


def test_a_dead_zygote_loses_its_tasks_and_gets_a_successor(tmp_path, task, inbox):
    with open_light("processes", tmp_path) as engine:
        handle = engine.submit(task(steps.start_others, then="hang"), inbox)
        told = inbox.next()
        zygote = engine.submit(task(steps.parent)).result(WAIT_S).value

        os.kill(zygote, signal.SIGKILL)

        result = handle.result(WAIT_S)
        assert result.outcome == "lost"
        assert result.error is not None
        assert "killed by SIGKILL" in result.error["found"]
        assert ends(told["pid"])
        assert ends(told["pids"][0])
        for escaped in told["pids"][1:]:  # nobody is left who could find those with sessions of their own
            os.kill(escaped, signal.SIGKILL)
        assert engine.submit(task(steps.parent)).result(WAIT_S).value != zygote


def test_a_zygote_that_cannot_start_is_named_not_waited_for(tmp_path, task, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with open_light("processes", tmp_path) as engine:
        result = engine.submit(task(steps.add, left=1, right=2)).result(WAIT_S)

    assert result.outcome == "lost"
    assert result.error is not None
    assert "exit code 1" in result.error["found"]


DRIVER = """
import signal, sys
from pathlib import Path
from mainspring.engines.compute import processes
from mainspring.engines.compute.contract import Task
from tests.engines.compute import steps

def local(then):
    return steps.start_others(then)

engine = processes.open_engine(Path(sys.argv[1]), capacity_cpu=2, preload=())
def submit(function, **arguments):
    task = Task(id="t", name="t", function=function, arguments=arguments, log_path=Path(sys.argv[1]) / "log")
    return engine.submit(task, lambda message: print(message["pid"], *message.get("pids", []), flush=True))
zygote = submit(steps.parent).result(30).value
handle = submit(local, then="hang")
print(zygote, flush=True)
try:
    signal.pause()
except KeyboardInterrupt:
    print("finished" if handle.done else "still running", flush=True)
    engine.close()
    print(handle.result(0).outcome, flush=True)
"""


@pytest.fixture
def driver(tmp_path):
    """A process with an engine of its own, and the pids of all it started: zygote, task and the task's."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    pids = [int(word) for _ in range(2) for word in process.stdout.readline().split()]
    assert len(pids) == 5
    yield process, pids
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_death_of_the_driver_leaves_no_process(driver):
    process, pids = driver

    process.kill()

    assert all(ends(pid) for pid in pids)


def test_an_interrupt_reaches_the_driver_and_not_its_tasks(driver):
    process, pids = driver

    os.killpg(process.pid, signal.SIGINT)

    assert process.stdout.read().split("\n") == ["still running", "cancelled", ""]
    assert all(ends(pid) for pid in pids)
