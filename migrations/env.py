"""Alembic's environment: runs on a connection handed in by `xinyidai.foundation.migrating`, as the owner role."""

from alembic import context
from sqlmodel import SQLModel

from xinyidai import tables

connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    include_schemas=True,
    include_name=lambda name, kind, _parents: name in tables.SCHEMAS if kind == "schema" else True,
    compare_type=True,
    compare_server_default=False,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
