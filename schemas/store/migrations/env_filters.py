"""What a comparison of models and database looks at."""

from __future__ import annotations

from typing import Any

from geoalchemy2 import alembic_helpers

from schemas.tables import SCHEMA


def include_name(name: str | None, kind: str, _parents: Any) -> bool:  # noqa: ANN401
    """Only the schema `core` is mapped; ledger, law and public_map are written in SQL alone."""
    return kind != "schema" or name == SCHEMA


def include_object(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:  # noqa: ANN401
    """Indexes of shapes and of parts of names are made by the migrations alone, and known by their prefix."""
    if kind == "index" and reflected and other is None and str(name).startswith(("gist_", "gin_")):
        return False
    return bool(alembic_helpers.include_object(thing, name, kind, reflected, other))  # type: ignore[no-untyped-call]
