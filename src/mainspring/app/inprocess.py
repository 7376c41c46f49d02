"""The application in the caller's own process, for commands and notebooks where no server lives.

Found by plug-in lookup from the client. It holds the home's lock in shared mode, so that several
such processes may work side by side while `mainspring up` and migrations wait their turn.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from mainspring.app.build import Application, opened
from mainspring.engines.home import Home


def open_application(home: Home) -> InProcessApplication:
    return InProcessApplication(home)


class InProcessApplication:
    """What `surfaces.client` needs: the ASGI application, its jobs, an end."""

    def __init__(self, home: Home) -> None:
        self._stack = ExitStack()
        self._application: Application = self._stack.enter_context(opened(home))

    @property
    def asgi(self) -> Any:
        return self._application.asgi

    def run_jobs(self) -> None:
        self._application.run_jobs()

    def close(self) -> None:
        self._stack.close()
