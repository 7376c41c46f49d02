"""Each task in a process of its own, forked from a zygote: isolated, limited, milliseconds to start.

Function and arguments travel by cloudpickle at `submit`, the value back likewise. The process sees
the driver's module path, working folder and environment of that moment, without any variable that
begins with MAINSPRING_. Libraries that heed the usual variables (OpenMP, OpenBLAS, MKL, Arrow,
polars, tokio) use as many threads as the task has cpu; DuckDB knows no variable and wants
`config={"threads": cpu}`. A task is over when its function returns: threads and processes it leaves
behind are killed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from mainspring.engines.compute import _outcomes, _wire
from mainspring.engines.compute._attempt import Attempt
from mainspring.engines.compute._launch import ZygoteProcess
from mainspring.engines.compute._zygote import PRELOADED
from mainspring.engines.compute.contract import Compute, OnMessage, Task, TaskHandle, TaskResult, available_cpu
from mainspring.kernel.errors import EngineUnavailable, StepFailed


def open_engine(home: Path, *, capacity_cpu: int | None = None, preload: Sequence[str] = PRELOADED) -> Processes:
    """Starts nothing yet. `home` is not touched: what a task leaves goes where the task says.

    preload  modules the zygote imports, so that tasks need not. Each must be safe to fork after its
             import: it may start no thread, open no connection.
    """
    return Processes(capacity_cpu or available_cpu(), tuple(preload))


class Processes(Compute):
    """Admits tasks in order as cpu becomes free; each has a thread here while it runs."""

    isolates = True

    def __init__(self, capacity_cpu: int, preload: Sequence[str]) -> None:
        self.capacity_cpu = capacity_cpu
        self._preload = preload
        self._lock = threading.Lock()
        self._free_cpu = capacity_cpu
        self._waiting: deque[Attempt] = deque()
        self._running: dict[Attempt, threading.Thread] = {}
        self._closed = False
        self._zygote: ZygoteProcess | None = None
        self._zygote_turn = threading.Lock()

    def warm(self) -> None:
        self._living_zygote()

    def submit(self, task: Task, on_message: OnMessage | None = None) -> TaskHandle:
        self._refuse_oversize(task)
        handle = TaskHandle(task, cancel=lambda: self._cancel(attempt))
        setting = _wire.pack_setting(task.name, str(task.log_path))
        call = _pack_call(task)
        attempt = Attempt(handle, on_message, setting, call if isinstance(call, bytes) else b"")
        with self._lock:
            if self._closed:
                raise EngineUnavailable("processes compute engine", wanted="an open engine", found="a closed one")
            if isinstance(call, bytes):
                self._waiting.append(attempt)
                self._admit()
        if not isinstance(call, bytes):
            handle.settle(_outcomes.never_started("failed", call.to_wire()))
        return handle

    def close(self) -> None:
        with self._lock:
            self._closed = True
            waiting, threads = list(self._waiting), list(self._running.values())
            self._waiting.clear()
            running = list(self._running)
        for attempt in waiting:
            attempt.handle.settle(_outcomes.never_started("cancelled", _outcomes.cancelled(attempt.task)))
        for attempt in running:
            attempt.stop(at_once=True)
        with self._zygote_turn:
            zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.stop()
        # With its process gone every task's thread comes to its end, after what `on_message` still does.
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    def _admit(self) -> None:
        """Start what fits, oldest first. The lock is held."""
        while self._waiting and self._waiting[0].task.cpu <= self._free_cpu:
            attempt = self._waiting.popleft()
            self._free_cpu -= attempt.task.cpu
            # A daemon, so that a driver which forgot to close can still exit; its zygote follows it.
            thread = threading.Thread(target=self._run, args=(attempt,), name=f"task {attempt.task.name}", daemon=True)
            self._running[attempt] = thread
            thread.start()

    def _run(self, attempt: Attempt) -> None:
        ending: TaskResult | BaseException
        try:
            ending = attempt.run(self._living_zygote)
        except EngineUnavailable as error:
            # Closed between the admission of this task and its start.
            ending = _outcomes.never_started("cancelled", _outcomes.cancelled(attempt.task)) if self._closed else error
        except OSError as error:
            failure = EngineUnavailable(attempt.task.name, wanted="pipes and a process", found=str(error))
            failure.__cause__ = error
            ending = failure
        except BaseException as error:  # noqa: BLE001 - it comes out of `result`, where somebody waits
            ending = error
        # The cpu is free before the result is seen, so that who waits for one can use the other.
        with self._lock:
            self._free_cpu += attempt.task.cpu
            del self._running[attempt]
            self._admit()
        attempt.handle.settle(ending)

    def _cancel(self, attempt: Attempt) -> None:
        with self._lock:
            waits = attempt in self._waiting
            if waits:
                self._waiting.remove(attempt)
                # It may have been the large one at the head that held back the rest.
                self._admit()
        if waits:
            attempt.handle.settle(_outcomes.never_started("cancelled", _outcomes.cancelled(attempt.task)))
        else:
            attempt.stop(at_once=False)

    def _living_zygote(self) -> ZygoteProcess:
        with self._zygote_turn:
            if self._closed:
                raise EngineUnavailable("processes compute engine", wanted="an open engine", found="a closed one")
            if self._zygote is None or not self._zygote.is_alive:
                if self._zygote is not None:
                    self._zygote.stop()
                self._zygote = ZygoteProcess(self._preload)
            return self._zygote


def _pack_call(task: Task) -> bytes | StepFailed:
    try:
        return _wire.pack_value((task.function, dict(task.arguments)))
    except Exception as error:  # noqa: BLE001 - user types raise what they like from __reduce__
        return StepFailed(
            task.name,
            wanted="a function and arguments that can be carried to another process",
            found=f"some that cannot be pickled ({_outcomes.one_line(error)})",
            fix="Pass data or paths; open connections, locks and files inside the function.",
        )
