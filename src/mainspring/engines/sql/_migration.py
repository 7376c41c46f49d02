"""Schema revisions by Alembic, run once when a home is made or the code is newer than it.

Revision files are named by their id (`0001_ground_floor.py`), so that the newest is known without
importing Alembic: opening an up-to-date home costs one SELECT.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from mainspring.kernel.errors import Conflict


def missing(engine: Engine, folder: str, subject: str) -> list[str]:
    """Revisions the database does not have. Raises Conflict where it is newer than all of them."""
    known = sorted(path.name.partition("_")[0] for path in Path(folder, "versions").glob("[0-9]*_*.py"))
    current = _current(engine)
    if current is None:
        return known
    if current not in known:
        raise Conflict(
            f"database {subject}",
            wanted=f"schema revision {known[-1]} or older",
            found=f"revision {current}, made by a newer mainspring",
            fix="Upgrade mainspring, or open another home. Nothing was changed.",
        )
    return known[known.index(current) + 1 :]


def upgrade(engine: Engine, folder: str, subject: str) -> None:
    """Run every revision in `folder` the database does not have."""
    if not missing(engine, folder, subject):
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", folder)
    config.attributes["engine"] = engine
    command.upgrade(config, "head")


def _current(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return str(found) if found else None
