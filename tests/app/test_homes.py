"""One home, one owner; a home is made whole or not at all."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

from mainspring.app.build import opened, prepare
from mainspring.app.parts import MIGRATIONS
from mainspring.app.schema import STORES, metadata
from mainspring.engines.assembly import assemble
from mainspring.engines.home import Home
from mainspring.engines.settings import EngineSettings
from mainspring.kernel.errors import Conflict
from mainspring.surfaces.client import connect

CONNECT = "import sys; from mainspring.surfaces.client import connect; client = connect(sys.argv[1])"


def test_the_migrations_make_what_the_stores_declare(tmp_path: Path) -> None:
    assert len(STORES) >= 9
    home = Home(tmp_path / "home")
    prepare(home)
    engines = assemble(home, EngineSettings())
    with engines.sql.read() as connection:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        # Tables of other tests may stand on the same metadata in this process.
        context = MigrationContext.configure(connection, opts={"include_object": _is_ours})
        differences = compare_metadata(context, metadata)
        found = set(inspect(connection).get_table_names()) - {"alembic_version"}
    engines.close()
    assert differences == []
    assert found == {name for name in metadata.tables if not name.startswith("test_")}


def _is_ours(item: object, name: str | None, kind: str, reflected: bool, compared: object) -> bool:
    return not (kind == "table" and str(name).startswith("test_"))


def test_preparing_twice_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    prepare(home)
    token = home.owner_token.read_text()
    prepare(home)
    assert home.owner_token.read_text() == token
    assert home.owner_token.stat().st_mode & 0o077 == 0
    assert home.root.stat().st_mode & 0o077 == 0


def test_a_database_from_the_future_is_refused_and_untouched(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    prepare(home)
    with closing(sqlite3.connect(home.root / "mainspring.db")) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Conflict, match=r"revision 9999, made by a newer mainspring.*Upgrade mainspring"):
        connect(home.root)
    with closing(sqlite3.connect(home.root / "mainspring.db")) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_several_commands_share_a_home_and_a_server_owns_it_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with connect(home.root) as one, connect(home.root) as two:
        assert one.get("/access/me") == two.get("/access/me")
        with pytest.raises(Conflict, match="another process using it"), home.locked(exclusive=True):
            pass
    with home.locked(exclusive=True), pytest.raises(Conflict, match="Stop that process first"):
        connect(home.root)


def test_two_processes_may_make_a_home_at_once(tmp_path: Path) -> None:
    script = f"{CONNECT}; print(client.get('/access/me')['id'])"
    racing = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "home")], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {child.communicate(timeout=60)[0].strip() for child in racing}
    assert [child.returncode for child in racing] == [0, 0, 0]
    assert len(answers) == 1


@pytest.mark.parametrize("seed", range(8))
def test_a_home_whose_maker_was_killed_is_finished_by_the_next(tmp_path: Path, seed: int) -> None:
    home = tmp_path / "home"
    script = f"{CONNECT}; client.get('/access/me')"
    child = subprocess.Popen([sys.executable, "-c", script, str(home)])
    time.sleep(random.Random(seed).uniform(0.2, 1.6))
    child.send_signal(signal.SIGKILL)
    child.wait()
    with connect(home) as client:
        assert client.get("/access/me")["role"] == "owner"
        assert all(report["fault"] is None for report in client.post("/audit/verify"))


def test_a_lost_owner_token_is_replaced_by_whoever_owns_the_files(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    prepare(home)
    home.owner_token.unlink()
    with connect(home.root) as client:
        assert client.get("/access/me")["name"] == "owner"


def test_an_up_to_date_home_opens_without_the_migration_tool(tmp_path: Path) -> None:
    prepare(Home(tmp_path / "home"))
    script = """
import sys
from pathlib import Path
from mainspring.app.build import opened
from mainspring.engines.home import Home
with opened(Home(Path(sys.argv[1]))):
    print([heavy for heavy in ("alembic", "duckdb", "deltalake", "sklearn", "onnxruntime") if heavy in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "home")],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert done.stdout.strip() == "[]"


def test_leaving_a_home_seals_its_chains(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with opened(home) as application:
        owner = application.services.access.sign_in(home.owner_token.read_text().strip())
        application.services.tracking.start_run(owner, name="r")
    with opened(home) as application:
        assert all(report.unsealed_events == 0 for report in application.services.audit.verify(owner))
    assert Path(MIGRATIONS, "versions").is_dir()
