"""`mainspring up`: the supervisor of control plane, worker and gateway over one home."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from mainspring import __version__
from mainspring.app.children import Child
from mainspring.engines.home import Home, ServerInfo
from mainspring.kernel.errors import Conflict, EngineUnavailable, TimedOut

START_S = 20.0
DRAIN_S = 10.0


@dataclass(frozen=True)
class Address:
    """Where a listening process is reached."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class Supervisor:
    """Keeps the children of one home alive until it is told to stop."""

    def __init__(self, home: Home, host: str, port: int, gateway_port: int, say: Callable[[str], None]) -> None:
        self._home, self._say = home, say
        self._sockets = [_listening(host, port, "port"), _listening(host, gateway_port, "gateway port")]
        self.control_plane = Address(host, self._sockets[0].getsockname()[1])
        self.gateway = Address(host, self._sockets[1].getsockname()[1])
        self._stops = 0

    def run(self, ready: Callable[[str], None]) -> None:
        """Own the home, start everything, call `ready` with the user interface's one-time link, tend it."""
        self._home.create()
        with self._signals(), self._home.locked(exclusive=True) as lock:
            gateway, worker, control_plane = children = self._children(lock)
            try:
                # The worker waits for the control plane, which makes the home ready.
                control_plane.start()
                gateway.start()
                self._await(f"{self.control_plane.url}/health", control_plane)
                self._home.announce(ServerInfo(os.getpid(), self.control_plane.url, __version__))
                worker.start()
                self._await(f"{self.gateway.url}/v2/health/ready", gateway)
                ready(self._link())
                while not self._stops:
                    for child in children:
                        child.tend(self._say)
                    time.sleep(0.05)
            finally:
                self._home.withdraw()
                self._drain(children)

    def _children(self, lock: int) -> list[Child]:
        """In the order in which they are drained: gateway, worker, control plane."""
        home, logs = str(self._home.root), self._home.logs
        plane, gate = (s.fileno() for s in self._sockets)

        def child(name: str, *command: str, fd: int | None = None) -> Child:
            listen = () if fd is None else ("--fd", str(fd))
            kept = (lock,) if fd is None else (lock, fd)
            return Child(name, (*command, "--home", home, *listen), logs / f"{name}.log", kept)

        return [
            child("gateway", "mainspring.app.gateway", fd=gate),
            child("worker", "mainspring.app.worker"),
            child("control-plane", "mainspring.app.control_plane", fd=plane),
        ]

    def _await(self, url: str, child: Child) -> None:
        give_up = time.monotonic() + START_S
        while not self._stops:
            child.require_willing(self._home)
            try:
                if httpx.get(url, timeout=1.0, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > give_up:
                wanted = f"an answer within {START_S:g} s"
                raise TimedOut(url, wanted=wanted, found="none", fix=f"See {child.log}.")
            child.tend(self._say)
            time.sleep(0.02)

    def _link(self) -> str:
        if self._stops:
            return self.control_plane.url
        token = self._home.owner_token.read_text().strip()
        answer = httpx.post(
            f"{self.control_plane.url}/api/v1/access/links",
            headers={"authorization": f"Bearer {token}"},
            timeout=5.0,
            trust_env=False,
        )
        answer.raise_for_status()
        return f"{self.control_plane.url}/ui/enter?code={answer.json()['text']}"

    def _drain(self, children: list[Child]) -> None:
        for child in children:
            child.stop(DRAIN_S, lambda: self._stops > 1)
        for listening in self._sockets:
            listening.close()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """First signal: stop restarting and drain. Second: kill."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._stops += 1

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listening(host: str, port: int, what: str) -> socket.socket:
    """A listening socket that survives its servers: while one restarts, callers wait and are not refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        found = error.strerror or str(error)
        if isinstance(error, PermissionError):
            raise EngineUnavailable(f"{what} {port}", wanted="a port this user may open", found=found) from error
        raise Conflict(
            f"{what} {port}", wanted="a free port", found=found, fix="Choose another, or 0 for any free one."
        ) from error
    listening.listen(1024)
    listening.set_inheritable(True)
    return listening


def describe(supervisor: Supervisor, home: Path) -> dict[str, Any]:
    """What `up` prints once everything answers."""
    return {"home": str(home), "url": supervisor.control_plane.url, "gateway_url": supervisor.gateway.url}
