"""A home: the folder that holds everything of one mainspring, and who owns it at the moment.

One home has one owner. `up` and migrations hold the lock exclusively; commands that work without a
server share it. The kernel lets go of a lock when its process dies, so no lock can be stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mainspring.kernel.errors import Conflict, EngineUnavailable


@dataclass(frozen=True)
class ServerInfo:
    """How to reach the server that owns a home."""

    pid: int
    url: str
    version: str


class Home:
    """Paths inside a home. Making the object touches nothing; `create` does."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.logs = self.root / "logs"
        self.work = self.root / "work"
        self.heads = self.root / "heads.jsonl"
        self.signing_key = self.root / "keys" / "heads.pem"
        self.owner_token = self.root / "keys" / "owner.token"
        self._lock = self.root / "lock"
        self._server = self.root / "server.json"

    @property
    def exists(self) -> bool:
        return self._lock.exists()

    def create(self) -> None:
        """Make the folders, readable by this user only."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.logs, self.work, self.signing_key.parent):
                folder.mkdir(exist_ok=True, mode=0o700)
            self._lock.touch(mode=0o600)
        except OSError as error:
            raise EngineUnavailable(
                f"home {self.root}",
                wanted="a folder this user may write to",
                found=error.strerror or str(error),
                fix="Choose another with --home or MAINSPRING_HOME.",
            ) from error

    @contextlib.contextmanager
    def locked(self, *, exclusive: bool, wait_s: float = 0.0) -> Iterator[int]:
        """Hold the home's lock; its descriptor, for children that share it.

        Raises Conflict, naming the holder, where it cannot be had within `wait_s` seconds.
        """
        give_up = time.monotonic() + wait_s
        with self._lock.open("r+") as file:
            try:
                while not _flock(file.fileno(), exclusive=exclusive, last=time.monotonic() >= give_up):
                    time.sleep(0.02)
            except BlockingIOError as error:
                server = self.server()
                holder = f"a server at {server.url} (process {server.pid})" if server else "another process"
                raise Conflict(
                    f"home {self.root}",
                    wanted="to own it" if exclusive else "to open it",
                    found=f"{holder} using it",
                    fix="Stop that process first, use its server, or choose another --home.",
                ) from error
            yield file.fileno()

    def announce(self, server: ServerInfo) -> None:
        """Tell clients where the server is; written beside and renamed, so never half read."""
        beside = self._server.with_suffix(".new")
        beside.write_text(json.dumps(asdict(server)))
        beside.replace(self._server)

    def withdraw(self) -> None:
        self._server.unlink(missing_ok=True)

    def server(self) -> ServerInfo | None:
        """The announced server, if its process is alive."""
        try:
            info = ServerInfo(**json.loads(self._server.read_text()))
            os.kill(info.pid, 0)
        except (FileNotFoundError, ProcessLookupError, ValueError, TypeError):
            return None
        except PermissionError:
            pass
        return info


def _flock(descriptor: int, *, exclusive: bool, last: bool) -> bool:
    """Try for the lock; False where another has it, or the error itself at the last try."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        if last:
            raise
        return False
    return True
