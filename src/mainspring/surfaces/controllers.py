"""The controller loop: level-triggered, leased, with clocks from outside.

Each controller reads what is, compares it with what is wanted, takes one step and says when to
look again. It may be killed at any point and run by any replica: the lease lets one of them work.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mainspring.engines.ledger import leases
from mainspring.engines.sql.contract import Database
from mainspring.kernel.clocks import Clock
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.ids import new_id
from mainspring.kernel.principals import Principal

LEASE = timedelta(seconds=15)
_log = logging.getLogger("mainspring.controllers")


class Controller(ABC):
    """Something to keep true.

    `reconcile` takes at most one step, is safe to repeat and safe to kill, and keeps nothing in
    memory that it could not read again.
    """

    name: str
    every: timedelta = timedelta(seconds=1)

    @abstractmethod
    def reconcile(self, now: datetime) -> datetime | None:
        """Take one step; when to look again (None: after `every`)."""


class Loop:
    """Runs controllers while it holds the lease `controllers`."""

    def __init__(self, controllers: Sequence[Controller], sql: Database, clock: Clock, principal: Principal) -> None:
        self._controllers, self._sql, self._clock, self._principal = controllers, sql, clock, principal
        self._holder = new_id()
        self._due = dict.fromkeys((controller.name for controller in controllers), datetime.min.replace(tzinfo=UTC))
        self._leased_until: datetime | None = None

    def turn(self) -> float:
        """One turn: run what is due, if the lease is ours; seconds until the next is due."""
        now = self._clock.now()
        if not self._holds_lease(now):
            return LEASE.total_seconds() / 3
        for controller in self._controllers:
            if self._due[controller.name] <= now:
                self._due[controller.name] = self._step(controller, now)
        return max(0.0, (min(self._due.values(), default=now + LEASE) - self._clock.now()).total_seconds())

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop` is set, then give the lease up."""
        while not stop.is_set():
            try:
                pause = self.turn()
            except MainspringError as error:
                _log.warning("controllers wait", extra={"error": error.to_wire()})
                pause = 1.0
            stop.wait(min(max(pause, 0.05), LEASE.total_seconds() / 3))
        with self._sql.write(self._principal) as work:
            leases.release(work.connection, "controllers", self._holder)

    def _holds_lease(self, now: datetime) -> bool:
        if self._leased_until is not None and now < self._leased_until - LEASE / 2:
            return True
        with self._sql.write(self._principal) as work:
            held = leases.take(work.connection, work.now, "controllers", self._holder, LEASE)
        self._leased_until = now + LEASE if held else None
        return held

    def _step(self, controller: Controller, now: datetime) -> datetime:
        try:
            return controller.reconcile(now) or now + controller.every
        except Exception:  # noqa: BLE001
            # A supervisor loop: one controller's fault must not stop the others.
            _log.exception("controller failed", extra={"controller": controller.name})
            return now + max(controller.every, timedelta(seconds=5))
