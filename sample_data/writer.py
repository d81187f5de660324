"""How rows of the sample are added: with the origin `sample`, a public id, and by the codes others know."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any, TypeVar

from geoalchemy2.shape import from_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from schemas import tables as t
from schemas.ids import public_id
from schemas.store.work import Work

T = TypeVar("T", bound=t.Base)


class Writer:
    """Adds rows of the sample and finds those that others refer to by code."""

    def __init__(self, work: Work) -> None:
        self.session = work.session

    def add(self, table: type[T], prefix: str, /, **values: Any) -> T:  # noqa: ANN401
        """A new row of `table`."""
        values.setdefault("origin", t.Origin.SAMPLE.value)
        row = table(id=uuid.uuid4(), public_id=public_id(prefix), **values)
        self.session.add(row)
        return row

    def by_code(self, kind: type[T], code: str) -> T:
        """The row that has the code."""
        return self.session.scalars(select(kind).where(kind.code == code)).one()  # type: ignore[attr-defined]


def wkb(geom: BaseGeometry) -> Any:  # noqa: ANN401
    """A shape (EPSG:4326) as the value of a geometry column."""
    return from_shape(geom, srid=t.SRID)


def day(text: str | None) -> date | None:
    """The date of an ISO text, where there is one."""
    return date.fromisoformat(text) if text else None
