"""How Alembic runs here: inside the transaction that `Database.migrate` opened."""

from __future__ import annotations

from alembic import context

from storage.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # SQLite's too: the driver does not commit behind our back
)
context.run_migrations()
