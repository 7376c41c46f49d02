"""The compute role: run one function somewhere, under limits, and say honestly how it ended."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

from mainspring.kernel.errors import InvalidInput, TimedOut, from_wire

Outcome = Literal["succeeded", "failed", "timed_out", "cancelled", "out_of_memory", "lost"]
OnMessage = Callable[[dict[str, Any]], None]

DEFAULT_LOG_LIMIT_BYTES = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Task:
    """One call of a function, and what it may use.

    id               the caller's own; engines only hand it on.
    name             what errors and logs call it.
    function         called as `function(**arguments)`. Any: user code of any type.
    log_path         receives what the task prints; its folder is made when it is missing.
    cpu              cores it is charged for and, in engines that isolate, threads its libraries may use.
    memory_bytes     resident memory of the task and everything it started; None for no limit.
    timeout_s        from the start of the function's process, not from `submit`; None for no limit.
    log_limit_bytes  of a longer log the beginning and the end are kept, with a line that says
                     how much was dropped.
    """

    id: str
    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    log_path: Path
    cpu: int = 1
    memory_bytes: int | None = None
    timeout_s: float | None = None
    log_limit_bytes: int = DEFAULT_LOG_LIMIT_BYTES

    def __post_init__(self) -> None:
        _require(self, "cpu", self.cpu >= 1, "at least 1", self.cpu)
        _require(self, "log_limit_bytes", self.log_limit_bytes >= 1000, "at least 1000", self.log_limit_bytes)
        if self.memory_bytes is not None:
            _require(self, "memory_bytes", self.memory_bytes > 0, "more than 0", self.memory_bytes)
        if self.timeout_s is not None:
            finite = math.isfinite(self.timeout_s) and self.timeout_s > 0
            _require(self, "timeout_s", finite, "a finite number of seconds above 0", self.timeout_s)


def _require(task: Task, option: str, holds: bool, wanted: str, found: float) -> None:
    if not holds:
        raise InvalidInput(f"{option} of {task.name}", wanted=wanted, found=str(found))


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """How a task ended.

    succeeded      the function returned `value`.
    failed         it raised, exited, or its function, arguments or value could not be carried over.
    timed_out      it ran longer than `timeout_s` and was killed.
    cancelled      by `TaskHandle.cancel` or `Compute.close`.
    out_of_memory  it went over `memory_bytes` and was killed.
    lost           its process vanished by no decision of ours: a crash, the kernel, a dead engine.

    error              None if succeeded; else a kernel error in wire form. An error of the kernel's
                       own keeps its class, anything else becomes StepFailed with one line; the whole
                       traceback is in the log.
    started_at         seconds of the monotonic clock. For a task that never started both are
    ended_at           the moment when that was decided.
    cpu_s              user and system time of the task and of the processes it waited for.
    peak_memory_bytes  resident memory it added at its peak; None where the engine cannot tell.
    """

    outcome: Outcome
    value: Any = None
    error: Mapping[str, str] | None = None
    started_at: float
    ended_at: float
    cpu_s: float = 0.0
    peak_memory_bytes: int | None = None

    @property
    def duration_s(self) -> float:
        return self.ended_at - self.started_at

    def value_or_raise(self) -> Any:
        """The value of a task that succeeded; else raises its error."""
        if self.error is not None:
            raise from_wire(dict(self.error))
        return self.value


class TaskHandle:
    """A submitted task, as its caller sees it. Safe to share between threads."""

    def __init__(self, task: Task, cancel: Callable[[], None]) -> None:
        self.task = task
        self.cancel = cancel
        """Ask for the task's end; returns at once, harmless when repeated or late. `result` says what came of it."""
        self._future: Future[TaskResult] = Future()

    def result(self, timeout: float | None = None) -> TaskResult:
        """Wait for the end. Never raises for what the task did: that is in the result.

        timeout  seconds; TimedOut afterwards, the task goes on.
        Raises what `on_message` raised, or EngineUnavailable where the engine itself broke.
        """
        try:
            return self._future.result(timeout)
        except FutureTimeout as error:
            if self._future.done():
                raise
            raise TimedOut(self.task.name, wanted=f"an end within {timeout} s", found="still going") from error

    @property
    def done(self) -> bool:
        return self._future.done()

    def settle(self, ending: TaskResult | BaseException) -> None:
        """For engines: the one end of the task."""
        if isinstance(ending, BaseException):
            self._future.set_exception(ending)
        else:
            self._future.set_result(ending)


class Compute(ABC):
    """Runs tasks. What every implementation guarantees:

    Concurrency  `submit`, `cancel` and `close` may be called from any thread.
    Capacity     the cpu of the tasks running at one moment never sums to more than `capacity_cpu`.
                 Tasks start in the order in which they were submitted: one that has to wait for
                 its cpu holds back those behind it, so that none starves.
    Refusal      a task that asks for more cpu than the capacity, or for a limit this engine cannot
                 enforce, raises InvalidInput from `submit`; after `close` EngineUnavailable.
    Outcome      each task is attempted at most once and always ends in exactly one TaskResult,
                 whatever user code does, short of the limits of an engine that does not isolate.
    Messages     what the function sends by `kernel.reporting.report` reaches `on_message` in order,
                 one call at a time and before `result` returns. Messages are JSON objects: numpy
                 scalars arrive as numbers, times as ISO 8601, paths as text; others raise
                 InvalidInput inside the function. An error raised by `on_message` ends the task
                 and comes out of `result`.
    Logs         what the task prints is in `log_path` when `result` returns, within its limit.
    Leftovers    `close` ends what still runs and leaves no process behind.
    """

    isolates: ClassVar[bool]
    """Each task has a process of its own: limits are enforced, a crash harms nobody else, platform
    credentials are not in its environment, and nothing it started outlives it."""

    capacity_cpu: int

    @abstractmethod
    def submit(self, task: Task, on_message: OnMessage | None = None) -> TaskHandle:
        """Take the task. Function and arguments are captured now; changing them later has no effect
        in engines that isolate."""

    @abstractmethod
    def close(self) -> None:
        """End everything, tasks waiting or running as cancelled. Idempotent."""

    def warm(self) -> None:  # noqa: B027 - most engines have nothing to prepare
        """Begin whatever makes the first task fast; returns at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_oversize(self, task: Task) -> None:
        if task.cpu > self.capacity_cpu:
            raise InvalidInput(
                f"cpu of {task.name}",
                wanted=f"at most {self.capacity_cpu}, the capacity of this engine",
                found=str(task.cpu),
                fix="Ask for less, or open the engine with a larger capacity_cpu.",
            )


def available_cpu() -> int:
    """Cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)
