"""How code inside a step sends word upwards without holding any platform handle.

Whoever runs the step listens; user code calls `ms.log_metric` and friends, which report here.
Outside a step nobody listens and `report` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Listener = Callable[[dict[str, Any]], None]
_listener: ContextVar[Listener | None] = ContextVar("mainspring_listener", default=None)


def report(message: dict[str, Any]) -> bool:
    """Hand `message` to the listener; False where there is none."""
    listener = _listener.get()
    if listener is None:
        return False
    listener(message)
    return True


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Every `report` in this context goes to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
