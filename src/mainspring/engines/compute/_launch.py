"""The driver's hold on a zygote: start it, send it requests, stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from mainspring.engines.compute._wire import SECRET_PREFIX
from mainspring.engines.compute._zygote import QUIET_IMPORTS

_BOOT = """
import sys
sys.path += [place for place in sys.argv[3:] if place not in sys.path]
from mainspring.engines.compute._zygote import main
main(int(sys.argv[1]), sys.argv[2].split())
"""
_STOP_S = 7.0
"""A little more than the zygote allows itself."""


class ZygoteProcess:
    """A fresh interpreter, not a fork of this one, importing while the constructor has returned.

    It sits in a session of its own, so that Ctrl-C in a terminal reaches the driver only. Requests
    sent while it still imports wait in the socket.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self._turn = threading.Lock()
        self._ready = False
        self._requests, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - read when it dies, closed by `stop`
        package_root = str(Path(__file__).parents[3])
        environment = {key: value for key, value in os.environ.items() if not key.startswith(SECRET_PREFIX)}
        with theirs:
            # -P, and our places last: no file of the user's may pass for a library's module here.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, str(theirs.fileno()), " ".join(preload), *_places(), package_root],
                env=environment | QUIET_IMPORTS,
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether its imports are done; before that it has forked nothing."""
        if not self._ready:
            with contextlib.suppress(OSError):
                self._ready = bool(self._requests.recv(1, socket.MSG_DONTWAIT))
        return self._ready

    def send(self, request: bytes, descriptors: list[int]) -> None:
        """Raises OSError if the zygote is dead; `is_alive` then says so too."""
        try:
            with self._turn:
                socket.send_fds(self._requests, [request], descriptors)
        except OSError:
            # Its socket closes a moment before it can be waited for.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
            raise

    def last_words(self) -> str:
        """How it died, in one line."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        code = self._process.returncode
        if code is not None and code < 0:
            end = f"killed by {signal.Signals(-code).name}"
        else:
            end = f"ended with exit code {code}"
        lines: list[str] = []
        with contextlib.suppress(OSError, ValueError):
            # By position, as the offset is shared with every process that inherited the file.
            size = os.fstat(self._words.fileno()).st_size
            lines = os.pread(self._words.fileno(), 2000, max(0, size - 2000)).decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"a zygote that was {end}" + (f" ({said[-1]})" if said else "")

    def stop(self) -> None:
        """It kills what it has forked, then ends; if it does not, it is killed."""
        if not self.is_ready:
            # It would look at its socket only after the last import, seconds from now.
            self._process.kill()
        with contextlib.suppress(OSError):
            # Not merely closed: a process the user forked from this one may hold a copy.
            self._requests.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._requests.close()
        self._words.close()


def _places() -> list[str]:
    """Where this process finds modules, without its own script's folder."""
    return [place for place in sys.path[1:] if place and os.path.isabs(place)]
