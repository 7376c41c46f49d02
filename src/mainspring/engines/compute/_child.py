"""What a freshly forked process does: take on the driver's surroundings, call the function, answer."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

from threadpoolctl import ThreadpoolController

from mainspring.engines.compute import _outcomes, _proc, _wire
from mainspring.kernel.errors import InvalidInput, StepFailed
from mainspring.kernel.reporting import listening

NO_ANSWER = 70
"""Exit code of a process that could not even send its error (EX_SOFTWARE of sysexits.h)."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # libgomp; also Arrow's pool, which reads it at first use
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",  # deltalake
    "LOKY_MAX_CPU_COUNT",  # joblib's idea of the machine
)


ORDER_SIZE = 4
"""Bytes of an order: the task's cpu; its channel and its log come along as descriptors."""


def wait_and_exit(orders: socket.socket, parent: int, libraries: ThreadpoolController) -> NoReturn:
    """Wait for the one order, carry it out. Never returns into the zygote's frames, whatever happens."""
    code = NO_ANSWER
    try:
        _separate(parent)
        data, descriptors, _flags, _address = socket.recv_fds(orders, ORDER_SIZE, 2)
        orders.close()
        if len(descriptors) == 2:
            _print_into(descriptors[1])
            _answer(socket.socket(fileno=descriptors[0]), int.from_bytes(data, "big"), libraries)
        code = 0
    except BaseException:  # noqa: BLE001 - the last frame of this process
        with contextlib.suppress(Exception):
            traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        # Not sys.exit: the interpreter's clean-up is the zygote's, and threads left behind by
        # libraries could keep it waiting for ever.
        os._exit(code)


def _separate(parent: int) -> None:
    """A session of its own, gone with the zygote."""
    os.setsid()
    _proc.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(NO_ANSWER)
    _proc.adopt_orphans()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # If the kernel has to kill for memory, let it be this process and not the driver.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")
    _forget_random_state()


def _print_into(log: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)
    # New streams, because the zygote's may be closed or buffered for a file. By line, so that a
    # crash loses none that was finished.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    faulthandler.enable(2)


def _answer(channel: socket.socket, cpu: int, libraries: ThreadpoolController) -> None:
    setting = pickle.loads(_wire.receive_frame(channel))
    call = _wire.receive_frame(channel)
    name, log_path = setting["name"], setting["log_path"]
    try:
        _settle_in(setting, cpu, libraries)
        function, arguments = pickle.loads(call)
        del call
        with listening(_Upward(channel)):
            value = function(**arguments)
        del arguments
        body = _pack(name, value)
    except BaseException as error:  # noqa: BLE001 - user code raises what it likes, SystemExit too
        traceback.print_exception(_outcomes.without_engine_frames(error))
        reply = _outcomes.raised(name, error, log_path)
        _wire.send_frame(channel, _wire.ERROR, _wire.encode_message(reply))
    else:
        _wire.send_frame(channel, _wire.VALUE, body)


def _settle_in(setting: dict[str, Any], cpu: int, libraries: ThreadpoolController) -> None:
    _replace_environment(setting["environment"] | dict.fromkeys(THREAD_VARIABLES, str(cpu)))
    os.chdir(setting["folder"])
    sys.path[:] = setting["path"]
    sys.argv[:] = [setting["name"]]
    gc.enable()
    if cpu != 1:
        # The variables come too late for libraries the zygote has loaded with one thread.
        libraries.limit(limits=cpu)


def _replace_environment(wanted: dict[str, str]) -> None:
    """Only what differs: emptying and filling it would take a sixth of a task's round trip."""
    for key in os.environ.keys() - wanted.keys():
        del os.environ[key]
    for key, value in wanted.items():
        if os.environ.get(key) != value:
            os.environ[key] = value


def _forget_random_state() -> None:
    """Give numpy's global generator a seed of its own, as a fresh interpreter has.

    Python's `random` does so itself after a fork; numpy does not, and every task of a zygote would
    draw the same numbers.
    """
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _pack(name: str, value: Any) -> bytes:
    try:
        return _wire.pack_value(value)
    except Exception as error:
        raise StepFailed(
            name,
            wanted="a value that can leave its process",
            found=f"a {type(value).__qualname__} that cannot be pickled ({_outcomes.one_line(error)})",
            fix="Return data, or a path to it.",
        ) from error


class _Upward:
    """The listener of a task: messages as frames, from any thread."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._owner = os.getpid()
        self._turn = threading.Lock()

    def __call__(self, message: dict[str, Any]) -> None:
        if os.getpid() != self._owner:
            # Two processes writing frames into one pipe would tear them.
            raise InvalidInput(
                "message of a step",
                wanted="a report from the step's own process",
                found="one from a process it forked",
                fix="Return the value to the step and report it there.",
            )
        body = _wire.encode_message(message)
        with self._turn:
            _wire.send_frame(self._channel, _wire.MESSAGE, body)
