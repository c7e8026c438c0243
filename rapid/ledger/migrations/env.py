"""What alembic runs for a migration: everything is decided by `rapid.ledger.migrate`, nothing by an ini file."""

from __future__ import annotations

from alembic import context

from rapid.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
