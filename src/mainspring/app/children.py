"""The processes under `mainspring up`, and how they live and die with it.

Each child has a session of its own, so that Ctrl-C reaches only the supervisor, and asks the
kernel to be killed when its parent dies, so that nothing is left however the parent ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from mainspring.engines.home import Home
from mainspring.kernel.errors import MainspringError, from_wire

_PR_SET_PDEATHSIG = 1
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_STEADY_S = 30.0
REFUSED = 78
"""The exit code of a process that will not run over what it found (EX_CONFIG of sysexits.h)."""


def die_with(parent_pid: int) -> None:
    """Have this process killed when its parent dies; at once where it has died already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def refuse(home: Home, error: MainspringError) -> NoReturn:
    """End this process with an error that starting it again would not mend; the supervisor tells it."""
    _refusal(home).write_text(json.dumps(error.to_wire()))
    sys.exit(REFUSED)


def _refusal(home: Home) -> Path:
    return home.logs / "refused.json"


@dataclass
class Child:
    """A supervised process: started, restarted with a growing pause when it dies, stopped."""

    name: str
    command: Sequence[str]
    log: Path
    keep_fds: tuple[int, ...] = ()
    _process: subprocess.Popen[bytes] | None = None
    _failures: int = 0
    _started_at: float = 0.0
    _not_before: float = 0.0
    environ: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self.command, "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                pass_fds=self.keep_fds,
                env={**os.environ, **self.environ},
            )
        self._started_at = time.monotonic()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.is_alive and self._process else None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def tend(self, say: Callable[[str], None]) -> None:
        """Start it again if it has died, after a pause that grows while it keeps dying."""
        if self.is_alive or self._process is None:
            return
        now = time.monotonic()
        if self._not_before < self._started_at:
            lived = now - self._started_at
            self._failures = 0 if lived > _STEADY_S else self._failures + 1
            pause = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
            self._not_before = now + pause
            say(f"{self.name} ended with {self._process.returncode}; starting it again in {pause:g} s (see {self.log})")
        if now >= self._not_before:
            self.start()

    def require_willing(self, home: Home) -> None:
        """Raise the error with which the process refused to start, if it did."""
        if self._process is not None and self._process.poll() == REFUSED:
            raise from_wire(json.loads(_refusal(home).read_text()))

    def stop(self, patience_s: float, is_hurried: Callable[[], bool]) -> None:
        """Ask it to end and wait; kill it when patience ends or somebody is in a hurry."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
        give_up = time.monotonic() + patience_s
        while self._process.poll() is None and time.monotonic() < give_up and not is_hurried():
            time.sleep(0.01)
        self.kill()
        self._process = None

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
