"""Tasks in the caller's own process and thread, one at a time: for tests, notebooks and tiny steps.

Nothing is enforced here, so whatever would have to be is refused. What a task prints is captured
from Python's `sys.stdout` and `sys.stderr`; what a C library writes is not. A crash is everybody's.
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from mainspring.engines.compute import _outcomes, _wire
from mainspring.engines.compute._log import CappedLog
from mainspring.engines.compute.contract import Compute, OnMessage, Task, TaskHandle, TaskResult, available_cpu
from mainspring.kernel.errors import EngineUnavailable, InvalidInput
from mainspring.kernel.reporting import listening


def open_engine(home: Path, *, capacity_cpu: int | None = None) -> Inline:
    """`home` is not touched: this engine keeps nothing."""
    return Inline(capacity_cpu or available_cpu())


class Inline(Compute):
    """`submit` returns when the task has ended; a second thread's task waits for the first."""

    isolates = False

    def __init__(self, capacity_cpu: int) -> None:
        self.capacity_cpu = capacity_cpu
        # One at a time, because stdout belongs to the whole process. Reentrant, so that a task may
        # submit another to the engine it runs in.
        self._turn = threading.RLock()
        self._closed = False

    def submit(self, task: Task, on_message: OnMessage | None = None) -> TaskHandle:
        self._refuse_oversize(task)
        for option in ("timeout_s", "memory_bytes"):
            if getattr(task, option) is not None:
                raise InvalidInput(
                    f"{option} of {task.name}",
                    wanted="no limit, as the inline engine cannot enforce one",
                    found=str(getattr(task, option)),
                    fix='Use the "processes" engine.',
                )
        handle = TaskHandle(task, cancel=lambda: None)
        with self._turn:
            if self._closed:
                raise EngineUnavailable("inline compute engine", wanted="an open engine", found="a closed one")
            relay = _Relay(on_message)
            try:
                result = _run(task, relay)
            except EngineUnavailable as error:
                handle.settle(error)
            else:
                handle.settle(relay.error or result)
        return handle

    def close(self) -> None:
        self._closed = True


class _Relay:
    """Hands messages on in the form they would have after a pipe, and keeps the receiver's error."""

    def __init__(self, receiver: OnMessage | None) -> None:
        self._receiver = receiver
        self.error: Exception | None = None

    def __call__(self, message: dict[str, Any]) -> None:
        data = _wire.encode_message(message)
        if self._receiver is None or self.error:
            return
        try:
            self._receiver(_wire.decode_message(data))
        except Exception as error:
            self.error = error
            raise


class _Printed(io.TextIOBase):
    """A text stream into a log."""

    encoding = "utf-8"

    def __init__(self, log: CappedLog) -> None:
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._log.write(text.encode("utf-8", "backslashreplace"))
        return len(text)


def _run(task: Task, relay: _Relay) -> TaskResult:
    log = CappedLog(task.log_path, task.log_limit_bytes)
    printed = _Printed(log)
    started_at, cpu_before = time.monotonic(), time.process_time()
    value, error = None, None
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), listening(relay):
            try:
                value = task.function(**task.arguments)
            except (Exception, SystemExit) as raised:  # noqa: BLE001 - user code raises what it likes
                printed.write("".join(traceback.format_exception(_outcomes.without_engine_frames(raised))))
                error = _outcomes.raised(task.name, raised, str(task.log_path))
    finally:
        log.close()
    return TaskResult(
        outcome="failed" if error else "succeeded",
        value=value,
        error=error,
        started_at=started_at,
        ended_at=time.monotonic(),
        cpu_s=time.process_time() - cpu_before,
    )
