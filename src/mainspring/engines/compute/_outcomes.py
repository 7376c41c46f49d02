"""What a task's end means, decided from the facts alone."""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mainspring.engines.compute.contract import Outcome, Task, TaskResult
from mainspring.kernel.errors import EngineUnavailable, MainspringError, StepFailed, TimedOut

Cause = Literal["timed_out", "cancelled", "out_of_memory"]
Error = dict[str, str]
_LONGEST_CAUSE = 500


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a task's process ended, as its parent saw it.

    status             as waitpid gives it; None if there never was a process.
    cause              why we killed it; None if we did not.
    found_bytes        memory in use when the limit was passed.
    """

    status: int | None
    cause: Cause | None
    started_at: float
    ended_at: float
    cpu_s: float = 0.0
    peak_memory_bytes: int | None = None
    found_bytes: int | None = None
    failure: str = ""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def from_json(data: bytes) -> Ending:
        fields: dict[str, Any] = json.loads(data)
        return Ending(**fields)


def judge(
    task: Task, ending: Ending | None, reply: Error | None, *, replied: bool, engine: str
) -> tuple[Outcome, Error | None]:
    """Outcome and error.

    ending   None if the engine died first; `engine` then says what is known about that.
    reply    the error the task sent; None with `replied` if it sent a value.
    """
    if ending is None:
        return "lost", _engine_died(task, engine)
    match ending.cause:
        case "timed_out":
            return "timed_out", _timed_out(task, ending)
        case "out_of_memory":
            return "out_of_memory", _out_of_memory(task, ending)
        case "cancelled":
            return "cancelled", cancelled(task)
    if replied:
        return ("failed", reply) if reply else ("succeeded", None)
    return _vanished(task, ending)


def never_started(outcome: Outcome, error: Error) -> TaskResult:
    """The result of a task of which there is nothing to measure."""
    now = time.monotonic()
    return TaskResult(outcome=outcome, error=error, started_at=now, ended_at=now)


def cancelled(task: Task) -> Error:
    return StepFailed(task.name, wanted="to run to its end", found="cancelled").to_wire()


def raised(name: str, error: BaseException, log_path: str) -> Error:
    """The kernel's own errors as they are; any other as StepFailed with one line of it."""
    if isinstance(error, MainspringError):
        return error.to_wire()
    return StepFailed(
        name, wanted="it to return", found=one_line(error), fix=f"The whole traceback is in {log_path}."
    ).to_wire()


def one_line(error: BaseException) -> str:
    """Type, first line of the message and the place, at most a few hundred characters."""
    text = str(error).strip()
    line = type(error).__name__ + (f": {text.splitlines()[0]}" if text else "")
    if len(line) > _LONGEST_CAUSE:
        line = line[:_LONGEST_CAUSE] + "…"
    frames = traceback.extract_tb(without_engine_frames(error).__traceback__)
    if frames:
        last = frames[-1]
        line += f" ({os.path.basename(last.filename)}, line {last.lineno}, in {last.name})"
    return line


def without_engine_frames(error: BaseException) -> BaseException:
    """`error` with a traceback that begins in user code, where there is any of it."""
    here = os.path.dirname(os.path.abspath(__file__))
    trace = error.__traceback__
    while trace is not None and os.path.dirname(trace.tb_frame.f_code.co_filename) == here:
        trace = trace.tb_next
    return error.with_traceback(trace)


def _engine_died(task: Task, engine: str) -> Error:
    return EngineUnavailable(
        task.name, wanted="a living parent of its process", found=engine, fix="Run it again; a new one is started."
    ).to_wire()


def _timed_out(task: Task, ending: Ending) -> Error:
    return TimedOut(
        task.name,
        wanted=f"an end within {task.timeout_s:g} s",
        found=f"still running after {ending.ended_at - ending.started_at:.1f} s, killed with all it had started",
        fix=f"Raise its timeout, or read {task.log_path}.",
    ).to_wire()


def _out_of_memory(task: Task, ending: Ending) -> Error:
    return StepFailed(
        task.name,
        wanted=f"at most {_mebibytes(task.memory_bytes)} of memory",
        found=f"{_mebibytes(ending.found_bytes)}, killed with all it had started",
        fix="Ask for more memory, or work in smaller pieces.",
    ).to_wire()


def _vanished(task: Task, ending: Ending) -> tuple[Outcome, Error]:
    fix = f"What it printed is in {task.log_path}."
    if ending.status is None:
        failure = EngineUnavailable(
            task.name, wanted="a process", found=ending.failure, fix="Free memory or processes."
        )
        return "lost", failure.to_wire()
    code = os.waitstatus_to_exitcode(ending.status)
    if code >= 0:
        found = f"its process ended with exit code {code} and no value"
        return "failed", StepFailed(task.name, wanted="it to return", found=found, fix=fix).to_wire()
    number = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    guess = ", perhaps by the kernel for want of memory" if -code == signal.SIGKILL else ""
    found = f"its process was killed by {number}{guess}"
    return "lost", StepFailed(task.name, wanted="it to return", found=found, fix=fix).to_wire()


def _mebibytes(size: int | None) -> str:
    return f"{(size or 0) / 2**20:,.0f} MiB"
