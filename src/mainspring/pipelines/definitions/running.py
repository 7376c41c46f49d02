"""What a pipeline function is run by: calls of steps and operations go to whoever runs at the moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol


class Running(Protocol):
    """A run in progress, as the definitions see it. All methods return at once."""

    def call(self, request: Any) -> Any:
        """The handle of a new execution of a step, an operation or a choice.

        `request` is one of the request types of these definitions; Any keeps them apart from here.
        """
        ...


_running: ContextVar[Running | None] = ContextVar("mainspring_running_pipeline", default=None)


def current() -> Running | None:
    """Who runs the pipeline function we are in; None outside of one."""
    return _running.get()


@contextmanager
def run_by(running: Running) -> Iterator[None]:
    """Calls in this context go to `running`."""
    token = _running.set(running)
    try:
        yield
    finally:
        _running.reset(token)
