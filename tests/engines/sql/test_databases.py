"""The suite every metadata database is held to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, String, Table, insert, select

from mainspring.engines.ledger import events as ledger
from mainspring.engines.ledger import leases
from mainspring.engines.ledger.schema import id_column, metadata
from mainspring.engines.sql.contract import Database
from mainspring.kernel import plugins
from mainspring.kernel.errors import AlreadyExists, Corrupt, EngineUnavailable, InvalidInput
from mainspring.kernel.events import Event, subject
from mainspring.kernel.ids import PrincipalId
from mainspring.kernel.principals import Principal, Role

KINDS = plugins.names("mainspring.engines.sql")
things = Table("test_things", metadata, id_column(), Column("name", String(20), unique=True), Column("n", Integer))
ADA = Principal(PrincipalId("ada"), "ada", "default", Role.owner)


@dataclass(frozen=True, kw_only=True)
class Happened(Event):
    kind = "test.happened"
    thing_id: str = subject()
    note: str


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened: Database = plugins.load("mainspring.engines.sql", request.param).open_engine(tmp_path)
    with opened.write(ADA) as work:
        metadata.create_all(work.connection)
    yield opened
    opened.close()


def add(database: Database, id: str, name: str = "") -> None:
    with database.write(ADA) as work:
        work.execute(insert(things).values(id=id, name=name or id, n=1))
        work.emit(Happened(thing_id=id, note="added"))


def ids(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(things.c.id).order_by(things.c.id)).scalars())


def test_a_change_and_its_event_come_together(database: Database) -> None:
    add(database, "a")
    with database.read() as connection:
        (event,) = ledger.read(connection, "default")
    assert ids(database) == ["a"]
    assert (event.seq, event.kind, event.subjects, event.payload) == (
        1,
        "test.happened",
        {"thing_id": "a"},
        {"note": "added"},
    )


def test_an_exception_leaves_neither(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write(ADA) as work:
        work.execute(insert(things).values(id="a", name="a", n=1))
        work.emit(Happened(thing_id="a", note="added"))
        1 / 0  # noqa: B018
    with database.read() as connection:
        assert ids(database) == [] and ledger.head(connection, "default")[0] == 0


def test_a_reader_sees_one_state_and_waits_for_no_writer(database: Database) -> None:
    add(database, "a")
    with database.read() as connection:
        before = connection.execute(select(things.c.id)).scalars().all()
        with database.write(ADA) as work:
            work.execute(insert(things).values(id="b", name="b", n=1))
            assert connection.execute(select(things.c.id)).scalars().all() == before
        assert connection.execute(select(things.c.id)).scalars().all() == before
    assert ids(database) == ["a", "b"]


def test_a_unique_name_taken_is_told_as_such(database: Database) -> None:
    add(database, "a", "same")
    with pytest.raises(AlreadyExists):
        add(database, "b", "same")
    assert ids(database) == ["a"]


def test_threads_never_fork_the_chain(database: Database) -> None:
    def work(letter: str) -> None:
        for number in range(25):
            add(database, f"{letter}{number}")

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _assert_one_chain(database, 200)


def test_projects_have_chains_of_their_own(database: Database) -> None:
    add(database, "a")
    with database.write(ADA) as work:
        assert work.emit(Happened(thing_id="x", note="elsewhere"), project="other").seq == 1
        assert work.emit(Happened(thing_id="y", note="here")).seq == 2


def test_events_are_found_by_the_thing_they_name(database: Database) -> None:
    for id in ("a", "b"):
        add(database, id)
    with database.read() as connection:
        assert [event.seq for event in ledger.about(connection, "default", "b")] == [2]
        assert ledger.about(connection, "other", "b") == []


def test_a_lease_has_one_holder_until_it_ends(database: Database) -> None:
    from datetime import timedelta

    def take(holder: str, seconds: float) -> bool:
        with database.write(ADA) as work:
            return leases.take(work.connection, work.now, "loop", holder, timedelta(seconds=seconds))

    assert take("one", 60) and take("one", 60)
    assert not take("two", 60)
    with database.write(ADA) as work:
        leases.release(work.connection, "loop", "one")
    assert take("two", -1) and take("one", 60), "a lease that has run out is anybody's"


@pytest.mark.skipif("sqlite" not in KINDS, reason="about the file of SQLite")
def test_four_processes_never_fork_the_chain_and_a_killed_one_loses_nothing_acknowledged(tmp_path: Path) -> None:
    database: Database = plugins.load("mainspring.engines.sql", "sqlite").open_engine(tmp_path)
    with database.write(ADA) as work:
        metadata.create_all(work.connection)
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.engines.sql.test_databases import add, plugins
        database = plugins.load("mainspring.engines.sql", "sqlite").open_engine(Path(sys.argv[1]))
        for number in range(100000):
            add(database, f"{sys.argv[2]}-{number}")
            print(f"{sys.argv[2]}-{number}", flush=True)
        """
    )
    root = Path(__file__).parents[3]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), str(n)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for n in range(4)
    ]
    acknowledged: list[str] = []
    for child in children:
        assert child.stdout
        acknowledged += [child.stdout.readline().strip() for _ in range(30)]
        child.send_signal(signal.SIGKILL)
    for child in children:
        assert child.stdout
        acknowledged += [line.strip() for line in child.stdout.read().splitlines() if line.strip()]
        child.wait()
    stored = set(ids(database))
    # A line cut by the kill is no acknowledgement.
    assert set(acknowledged[:120]) <= stored and all("-" in a for a in acknowledged[:120])
    _assert_one_chain(database, len(stored))
    database.close()


def _assert_one_chain(database: Database, length: int) -> None:
    with database.read() as connection:
        found = ledger.read(connection, "default", limit=100_000)
    assert [event.seq for event in found] == list(range(1, length + 1))
    assert all(after.previous_hash == before.hash for before, after in pairwise(found))


def test_a_file_that_is_no_database_is_told_as_corrupt(tmp_path: Path) -> None:
    (tmp_path / "mainspring.db").write_bytes(b"this is not a database" * 100)
    database: Database = plugins.load("mainspring.engines.sql", "sqlite").open_engine(tmp_path)
    with pytest.raises(Corrupt, match="Restore it from a backup"), database.read():
        pass


def test_a_missing_folder_is_told_as_unavailable(tmp_path: Path) -> None:
    database: Database = plugins.load("mainspring.engines.sql", "sqlite").open_engine(tmp_path / "none")
    with pytest.raises(EngineUnavailable, match="unable to open"), database.read():
        pass


def test_an_unknown_engine_setting_is_named(tmp_path: Path) -> None:
    from mainspring.engines.settings import read_settings

    (tmp_path / "mainspring.toml").write_text("[engines]\nsqll = 'sqlite'\n")
    with pytest.raises(InvalidInput, match="found sqll"):
        read_settings(tmp_path, {})
    with pytest.raises(InvalidInput, match="process or power"):
        read_settings(tmp_path / "none", {"MAINSPRING_DURABILITY": "eternal"})
