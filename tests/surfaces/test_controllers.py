from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from mainspring.access.service import SYSTEM
from mainspring.engines.assembly import Engines, assemble
from mainspring.engines.settings import EngineSettings
from mainspring.kernel.clocks import Clocks, ManualClock
from mainspring.surfaces.controllers import LEASE, Controller, Loop


class Counting(Controller):
    """Counts its turns; fails when told to."""

    every = timedelta(seconds=10)

    def __init__(self, name: str = "counting", fails: bool = False) -> None:
        self.name, self.fails = name, fails
        self.turns: list[datetime] = []

    def reconcile(self, now: datetime) -> datetime | None:
        self.turns.append(now)
        if self.fails:
            raise ZeroDivisionError
        return None


def test_a_controller_is_looked_at_when_it_is_due_and_not_before(engines: Engines) -> None:
    clock, controller = ManualClock(datetime(2026, 1, 1, tzinfo=UTC)), Counting()
    loop = Loop([controller], engines.sql, clock, SYSTEM)
    assert loop.turn() == 10
    clock.advance(timedelta(seconds=9))
    assert loop.turn() == 1
    clock.advance(timedelta(seconds=1))
    loop.turn()
    assert len(controller.turns) == 2


def test_a_thousand_days_pass_in_moments(engines: Engines) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    clock, controller = ManualClock(start), Counting()
    controller.every = timedelta(days=1)
    loop = Loop([controller], assemble(engines.home, EngineSettings(), Clocks(clock, clock)).sql, clock, SYSTEM)
    for _ in range(1000):
        loop.turn()
        clock.advance(timedelta(days=1))
    assert len(controller.turns) == 1000


def test_one_of_two_replicas_works_and_the_other_takes_over_when_it_is_gone(engines: Engines) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    timed = assemble(engines.home, EngineSettings(), Clocks(clock, clock)).sql
    first, second = Counting(), Counting()
    one, two = (Loop([c], timed, clock, SYSTEM) for c in (first, second))
    one.turn(), two.turn()
    assert (len(first.turns), len(second.turns)) == (1, 0)
    clock.advance(LEASE + timedelta(seconds=1))
    two.turn(), one.turn()
    assert (len(first.turns), len(second.turns)) == (1, 1)


def test_one_failing_controller_does_not_stop_the_others(engines: Engines) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    bad, good = Counting("bad", fails=True), Counting("good")
    loop = Loop([bad, good], engines.sql, clock, SYSTEM)
    for _ in range(3):
        loop.turn()
        clock.advance(timedelta(seconds=10))
    assert len(good.turns) == len(bad.turns) == 3


def test_a_stopped_loop_gives_its_lease_up_at_once(engines: Engines) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    stop, controller = threading.Event(), Counting()
    stop.set()
    first = Loop([controller], engines.sql, clock, SYSTEM)
    first.turn()
    first.run(stop)
    other = Counting()
    Loop([other], engines.sql, clock, SYSTEM).turn()
    assert len(other.turns) == 1
