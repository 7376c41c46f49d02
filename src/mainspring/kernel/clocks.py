"""Two clocks: wall time for leases and tokens, stream time for event time and windows.

In production they are the same. A home made for replay moves its stream clock by hand, so that a
thousand days pass in seconds. Code takes a clock as an argument and never asks the system itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present as an aware UTC datetime."""
        ...


class WallClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


@dataclass
class ManualClock:
    """A clock that stands still until it is moved."""

    at: datetime = field(default_factory=lambda: datetime(2020, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at

    def advance(self, span: timedelta) -> datetime:
        self.at += span
        return self.at


@dataclass(frozen=True)
class Clocks:
    """The pair every service receives."""

    wall: Clock = field(default_factory=WallClock)
    stream: Clock = field(default_factory=WallClock)
