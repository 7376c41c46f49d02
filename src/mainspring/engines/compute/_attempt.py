"""One task's run as the driver sees it: three pipes to a process, read until it is over."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pickle
import selectors
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from mainspring.engines.compute import _outcomes, _wire
from mainspring.engines.compute._launch import ZygoteProcess
from mainspring.engines.compute._log import CappedLog
from mainspring.engines.compute._outcomes import Ending
from mainspring.engines.compute.contract import OnMessage, TaskHandle, TaskResult
from mainspring.kernel.errors import StepFailed

_PIECE = 1 << 20


class Attempt:
    """A task that waits or runs. `run` is called once, `stop` from any thread at any time."""

    def __init__(self, handle: TaskHandle, on_message: OnMessage | None, setting: bytes, call: bytes) -> None:
        self.handle, self.task = handle, handle.task
        self._on_message = on_message
        self._setting, self._call = setting, call
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._stop: bool | None = None
        """None to go on, False to end with grace, True to end at once."""
        self._receiver_error: Exception | None = None
        self._reply: tuple[bytes, bytes] | None = None

    def stop(self, *, at_once: bool) -> None:
        with self._lock:
            self._stop = bool(self._stop) or at_once
            self._pass_on_stop()

    def run(self, living_zygote: Callable[[], ZygoteProcess]) -> TaskResult:
        """To the end of the task. Raises what `on_message` raised."""
        log = CappedLog(self.task.log_path, self.task.log_limit_bytes)
        try:
            channel, control, printed, zygote = self._start(living_zygote)
            with channel, control, open(printed, "rb", buffering=0):
                try:
                    told = self._converse(channel, control, printed, log)
                finally:
                    with self._lock:
                        self._control = None
        finally:
            log.close()
        if self._receiver_error is not None:
            raise self._receiver_error
        return self._result(_ending(told), zygote)

    def _start(
        self, living_zygote: Callable[[], ZygoteProcess]
    ) -> tuple[socket.socket, socket.socket, int, ZygoteProcess]:
        channel, their_channel = socket.socketpair()
        control, their_control = socket.socketpair()
        printed, their_log = os.pipe()
        with contextlib.suppress(OSError):
            # Fewer switches to us while a task prints much; refused where many pipes are large.
            fcntl.fcntl(their_log, fcntl.F_SETPIPE_SZ, _PIECE)
        task = self.task
        request = _wire.pack_request(task.cpu, task.timeout_s, task.memory_bytes)
        descriptors = [their_channel.fileno(), their_log, their_control.fileno()]
        try:
            zygote = living_zygote()
            try:
                zygote.send(request, descriptors)
            except OSError:
                # It died between two tasks, and this one has not begun: try its successor.
                zygote = living_zygote()
                zygote.send(request, descriptors)
        except BaseException:
            channel.close()
            control.close()
            os.close(printed)
            raise
        finally:
            their_channel.close()
            their_control.close()
            os.close(their_log)
        with self._lock:
            self._control = control
            self._pass_on_stop()
        return channel, control, printed, zygote

    def _pass_on_stop(self) -> None:
        if self._control is None or self._stop is None:
            return
        with contextlib.suppress(OSError):
            if self._stop:
                # Our half only: the other half still has to tell how it ended.
                self._control.shutdown(socket.SHUT_WR)
            else:
                self._control.sendall(b"c")

    def _converse(self, channel: socket.socket, control: socket.socket, printed: int, log: CappedLog) -> bytes:
        """Send the task, relay what comes; returns what the zygote told once it has told all."""
        with contextlib.suppress(ConnectionError):
            # It may be killed before it has read everything; the zygote tells why.
            _wire.send_task(channel, self._setting, self._call)
        self._setting = self._call = b""
        channel.setblocking(False)
        os.set_blocking(printed, False)
        frames, told = _wire.FrameReader(), bytearray()
        with selectors.DefaultSelector() as selector:
            for source in (channel, control, printed):
                selector.register(source, selectors.EVENT_READ)
            over = False
            while not over:
                for key, _events in selector.select():
                    if key.fileobj is control:
                        piece = _receive(control)
                        told += piece
                        over = not piece
                    elif key.fileobj is channel:
                        self._pump_channel(channel, frames, selector)
                    elif not _pump_log(printed, log):
                        selector.unregister(printed)
            # The process is dead, so what it sent is in the pipes. Not until they close: an orphan
            # that is being killed may hold them a moment longer.
            if channel in selector.get_map():
                while self._pump_channel(channel, frames, selector):
                    pass
            while _pump_log(printed, log):
                pass
        return bytes(told)

    def _pump_channel(
        self, channel: socket.socket, frames: _wire.FrameReader, selector: selectors.BaseSelector
    ) -> bool:
        try:
            piece = channel.recv(_PIECE)
        except BlockingIOError:
            return False
        except ConnectionError:
            piece = b""
        if not piece:
            selector.unregister(channel)
            return False
        for kind, body in frames.feed(piece):
            if kind == _wire.MESSAGE:
                self._relay(body)
            else:
                self._reply = (kind, body)
        return True

    def _relay(self, body: bytes) -> None:
        if self._on_message is None or self._receiver_error is not None:
            return
        try:
            self._on_message(_wire.decode_message(body))
        except Exception as error:  # noqa: BLE001 - the caller's own, given back by `result`
            self._receiver_error = error
            self.stop(at_once=True)

    def _result(self, ending: Ending | None, zygote: ZygoteProcess) -> TaskResult:
        if ending is None and self._stop is not None:
            # The zygote was told to go before it could tell.
            return _outcomes.never_started("cancelled", _outcomes.cancelled(self.task))
        value, error = self._open_reply()
        known = "" if ending else zygote.last_words()
        outcome, error = _outcomes.judge(self.task, ending, error, replied=self._reply is not None, engine=known)
        if ending is None:
            return _outcomes.never_started(outcome, error or {})
        return TaskResult(
            outcome=outcome,
            value=value if outcome == "succeeded" else None,
            error=error,
            started_at=ending.started_at,
            ended_at=ending.ended_at,
            cpu_s=ending.cpu_s,
            peak_memory_bytes=ending.peak_memory_bytes,
        )

    def _open_reply(self) -> tuple[Any, dict[str, str] | None]:
        if self._reply is None:
            return None, None
        kind, body = self._reply
        if kind == _wire.ERROR:
            return None, _wire.decode_message(body)
        try:
            return pickle.loads(body), None
        except Exception as error:  # noqa: BLE001 - user types raise what they like when they are rebuilt
            failure = StepFailed(
                self.task.name,
                wanted="a value that can be read outside its process",
                found=_outcomes.one_line(error),
                fix="Return types from modules the driver can import.",
            )
            return None, failure.to_wire()


def _receive(control: socket.socket) -> bytes:
    try:
        return control.recv(4096)
    except ConnectionError:
        return b""


def _pump_log(printed: int, log: CappedLog) -> bool:
    try:
        piece = os.read(printed, _PIECE)
    except BlockingIOError:
        return False
    log.write(piece)
    return bool(piece)


def _ending(told: bytes) -> Ending | None:
    """The zygote's last line; None if it died before it could send it, and then its task is ended."""
    lines = told.splitlines()
    if lines and b'"status"' in lines[-1]:
        return Ending.from_json(lines[-1])
    if lines:
        # The process itself died with the zygote; what it had started did not.
        with contextlib.suppress(OSError, ValueError):
            os.killpg(json.loads(lines[0])["pid"], signal.SIGKILL)
    return None
