"""Alembic's entry: runs the migrations, or compares models and database, on the connection it is given."""

from __future__ import annotations

from alembic import context

from schemas.store.migrations.env_filters import include_name, include_object
from schemas.tables import SCHEMA, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_schemas=True,
    include_name=include_name,
    include_object=include_object,
    version_table_schema=SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
