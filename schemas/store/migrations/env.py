"""Alembic's entry: runs the migrations, or compares models and database, on the connection it is given."""

from __future__ import annotations

from typing import Any

from alembic import context
from geoalchemy2 import alembic_helpers

from schemas.tables import SCHEMA, Base


def include_name(name: str | None, kind: str, _parents: Any) -> bool:  # noqa: ANN401
    """Only the schema `core` is mapped; ledger, law and public_map are written in SQL alone."""
    return kind != "schema" or name == SCHEMA


def include_object(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:  # noqa: ANN401
    """Spatial indexes are made by the migrations and not by the models, and known by their prefix."""
    if kind == "index" and reflected and other is None and str(name).startswith("gist_"):
        return False
    return bool(alembic_helpers.include_object(thing, name, kind, reflected, other))  # type: ignore[no-untyped-call]


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
