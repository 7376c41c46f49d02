"""The process from which tasks are forked: it has imported the heavy libraries and called none.

After their first use polars, OpenMP and deltalake keep threads and locks that a forked child
inherits broken, so the driver, which uses them, can never be forked; this process never uses them
and can. It has one thread, opens no database, and everything a task needs to know goes past it,
from the driver straight to the fork. It forks, watches limits, kills, reaps and tells.

Each request comes over one socket with three descriptors: the task's channel to the driver, its
log, and a control socket on which we say how it ended. A byte on the control socket asks for the
task's end; its closing, for that end at once. The closing of the request socket, or the driver's
death, ends everything.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from mainspring.engines.compute import _child, _proc, _wire
from mainspring.engines.compute._outcomes import Cause, Ending

PRELOADED = (
    "cloudpickle",
    "numpy",
    "numpy.random",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "duckdb",
    "deltalake",
    "scipy.stats",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.pipeline",
    "sklearn.preprocessing",
)
"""Modules every task finds loaded unless the engine is told others.

Not polars and not onnxruntime: importing them starts threads, and a fork from a process with
threads may inherit a lock nobody will ever release. Their users import them in the task.
"""

QUIET_IMPORTS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # The allocators inside pyarrow and deltalake start a thread at import unless told not to.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "_RJEM_MALLOC_CONF": "background_thread:false",
}
"""The environment in which those imports start no thread."""

READY = b"r"
"""Said once, when the imports are done."""

_MEMORY_LOOK_S = 0.05
_GRACE_S = 1.0
"""Between the polite signal and the one nobody survives."""
_LAST_RITES_S = 5.0


@dataclass
class _Running:
    """A task's process."""

    pid: int
    control: socket.socket
    started_at: float
    deadline: float | None
    memory_bytes: int | None
    shared_bytes: int
    """Resident when it was born: the zygote's pages."""
    cause: Cause | None = None
    found_bytes: int | None = None
    kill_at: float | None = None


@dataclass
class _Spare:
    """A process forked ahead of its task: a fork costs milliseconds, an order to one that waits does not."""

    pid: int
    orders: socket.socket
    shared_bytes: int


class Zygote:
    def __init__(self, requests: socket.socket) -> None:
        from threadpoolctl import ThreadpoolController

        _proc.adopt_orphans()
        self._requests = requests
        self._running: dict[int, _Running] = {}
        self._spare: _Spare | None = None
        self._serving = True
        self._selector = selectors.DefaultSelector()
        self._watch(requests, self._accept)
        # Looked up once: scanning the loaded libraries takes longer than a fork.
        self._libraries = ThreadpoolController()
        self._deaths, wakeup = socket.socketpair()
        self._deaths.setblocking(False)
        wakeup.setblocking(False)
        self._wakeup = wakeup
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        self._watch(self._deaths, self._reap)
        if hasattr(os, "pidfd_open"):
            # A closed socket tells of the driver's death too, but not while a process forked by
            # the driver still holds a copy of it.
            with contextlib.suppress(OSError):
                self._watch(os.pidfd_open(os.getppid()), self._stop)

    def serve(self) -> None:
        """Until the driver is gone or has had enough; then nothing of ours is left."""
        while self._serving:
            if self._spare is None:
                with contextlib.suppress(OSError):
                    self._spare = self._forked()
            for key, _events in self._selector.select(self._patience_s()):
                key.data()
            self._enforce(time.monotonic())
        self._end_everything()

    def _watch(self, source: socket.socket | int, action: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, action)

    def _stop(self) -> None:
        self._serving = False

    def _patience_s(self) -> float | None:
        moments = [m for r in self._running.values() for m in (r.kill_at or r.deadline,) if m is not None]
        waits = [max(0.0, min(moments) - time.monotonic())] if moments else []
        if any(r.memory_bytes and not r.cause for r in self._running.values()):
            waits.append(_MEMORY_LOOK_S)
        return min(waits, default=None)

    def _accept(self) -> None:
        try:
            data, descriptors, _flags, _address = socket.recv_fds(self._requests, _wire.REQUEST_SIZE, 3)
        except ConnectionError:
            data, descriptors = b"", []
        if len(data) != _wire.REQUEST_SIZE or len(descriptors) != 3:
            self._stop()
            return
        channel, log = socket.socket(fileno=descriptors[0]), descriptors[1]
        control = socket.socket(fileno=descriptors[2])
        try:
            self._fork(data, channel, log, control)
        except OSError as error:
            now = time.monotonic()
            failure = f"a system that refuses to fork ({error})"
            _tell(control, Ending(status=None, cause=None, started_at=now, ended_at=now, failure=failure).to_json())
            control.close()
        finally:
            channel.close()
            os.close(log)

    def _fork(self, data: bytes, channel: socket.socket, log: int, control: socket.socket) -> None:
        cpu, timeout_s, memory_bytes = _wire.unpack_request(data)
        order, descriptors = cpu.to_bytes(_child.ORDER_SIZE, "big"), [channel.fileno(), log]
        spare, self._spare = self._spare or self._forked(), None
        started_at = time.monotonic()
        try:
            socket.send_fds(spare.orders, [order], descriptors)
        except OSError:
            # Somebody killed it while it waited.
            spare = self._forked()
            socket.send_fds(spare.orders, [order], descriptors)
        spare.orders.close()
        deadline = started_at + timeout_s if timeout_s else None
        running = _Running(spare.pid, control, started_at, deadline, memory_bytes, spare.shared_bytes)
        self._running[spare.pid] = running
        _tell(control, json.dumps({"pid": spare.pid}).encode())
        self._watch(control, lambda: self._obey(running))

    def _forked(self) -> _Spare:
        zygote = os.getpid()
        mine, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            mine.close()
            self._leave_to_child()
            _child.wait_and_exit(theirs, zygote, self._libraries)
        theirs.close()
        return _Spare(pid, mine, shared_bytes=_proc.resident_bytes(pid))

    def _leave_to_child(self) -> None:
        """Close our ends in the child, or other tasks' drivers could not see us die."""
        self._selector.close()
        for running in self._running.values():
            running.control.close()
        for mine in (self._requests, self._deaths, self._wakeup):
            mine.close()

    def _obey(self, running: _Running) -> None:
        if self._running.get(running.pid) is not running:
            return  # buried by an event of the same round
        try:
            order = running.control.recv(16)
        except ConnectionError:
            order = b""
        if order:
            self._end(running, "cancelled")
        else:
            self._selector.unregister(running.control)
            self._kill(running, "cancelled")

    def _enforce(self, now: float) -> None:
        for running in list(self._running.values()):
            if running.cause:
                if running.kill_at is not None and now >= running.kill_at:
                    running.kill_at = None
                    _signal_group(running.pid, signal.SIGKILL)
            elif running.deadline is not None and now >= running.deadline:
                self._end(running, "timed_out")
            elif running.memory_bytes:
                self._weigh(running, running.memory_bytes)

    def _weigh(self, running: _Running, limit: int) -> None:
        if _proc.memory_in_use(running.pid, running.shared_bytes) <= limit:
            return
        found = _proc.memory_in_use_exactly(running.pid, running.shared_bytes)
        if found > limit:
            running.found_bytes = found
            # No grace: what grows this fast may take the machine with it.
            self._kill(running, "out_of_memory")

    def _end(self, running: _Running, cause: Cause) -> None:
        if running.cause is None:
            running.cause = cause
            running.deadline = None
            running.kill_at = time.monotonic() + _GRACE_S
            _signal_group(running.pid, signal.SIGTERM)

    def _kill(self, running: _Running, cause: Cause) -> None:
        running.cause = running.cause or cause
        running.deadline = running.kill_at = None
        _signal_group(running.pid, signal.SIGKILL)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._deaths.recv(4096)
        while (pid := _dead_child()) is not None:
            # While the dead leader is not reaped its number cannot belong to another group.
            if pid in self._running:
                _signal_group(pid, signal.SIGKILL)
            _pid, status, usage = os.wait4(pid, 0)
            running = self._running.pop(pid, None)
            if self._spare is not None and self._spare.pid == pid:
                self._spare.orders.close()
                self._spare = None
            if running is not None:
                self._bury(running, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT)
        self._end_strangers()

    def _bury(self, running: _Running, status: int, cpu_s: float, peak: int) -> None:
        ending = Ending(
            status=status,
            cause=running.cause,
            started_at=running.started_at,
            ended_at=time.monotonic(),
            cpu_s=cpu_s,
            peak_memory_bytes=max(0, peak - running.shared_bytes),
            found_bytes=running.found_bytes,
        )
        _tell(running.control, ending.to_json())
        with contextlib.suppress(KeyError):
            self._selector.unregister(running.control)
        running.control.close()

    def _end_strangers(self) -> None:
        """Kill orphans of dead tasks, whatever session they fled to.

        A living task adopts its own, so whoever is our child without being a task has lost one.
        """
        waiting = self._spare.pid if self._spare else None
        for pid in _proc.children(os.getpid()):
            if pid not in self._running and pid != waiting:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _end_everything(self) -> None:
        for running in self._running.values():
            self._kill(running, "cancelled")
        if self._spare is not None:
            self._spare.orders.close()
            _signal_group(self._spare.pid, signal.SIGKILL)
        give_up_at = time.monotonic() + _LAST_RITES_S
        while time.monotonic() < give_up_at and _has_children():
            self._reap()
            with selectors.DefaultSelector() as death:
                death.register(self._deaths, selectors.EVENT_READ)
                death.select(_MEMORY_LOOK_S)


_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _dead_child() -> int | None:
    """A child that has ended and is not yet reaped."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found else None


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        # It has not come to its `setsid` yet.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _tell(control: socket.socket, line: bytes) -> None:
    with contextlib.suppress(OSError):
        control.sendall(line + b"\n")


def _preload(modules: Iterable[str]) -> None:
    """Import them; one that is not installed is passed over."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        except Exception:  # noqa: BLE001 - a broken library is for the task that needs it to report
            traceback.print_exc()
    # What exists now lives for ever: keep the collector from touching, and so copying, its pages.
    gc.collect()
    gc.freeze()


def main(descriptor: int, modules: Iterable[str]) -> NoReturn:
    """Serve requests on the inherited socket until the driver is done with us."""
    code = 1
    try:
        gc.disable()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _preload(modules)
        requests = socket.socket(fileno=descriptor)
        zygote = Zygote(requests)
        requests.sendall(READY)
        zygote.serve()
        code = 0
    except BaseException:  # noqa: BLE001 - the driver reads this when it asks why we died
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
