"""Alembic's entry: run revisions on the engine that `engines.sql` hands over, in one transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from mainspring.app.schema import metadata


def plainly(kind: str, item: Any, autogenerate_context: Any) -> str | Literal[False]:
    """Write our own column types as what they are in the database: a revision must not change with the code."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{type(item.impl_instance).__name__}()"
    return False


engine = context.config.attributes["engine"]
with engine.connect() as connection:
    # By hand: SQLite's driver would otherwise commit before each statement that changes the schema.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        render_item=plainly,
        transactional_ddl=False,
    )
    context.run_migrations()
    connection.exec_driver_sql("COMMIT")
