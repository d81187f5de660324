"""How pygeoapi reads an open layer: through the connections of the public role, with a model made from our table.

Loaded with the first request for OGC API Features and never before: pygeoapi is large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pyproj
import shapely
from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import to_shape
from pygeoapi.provider.base import BaseProvider, ProviderItemNotFoundError
from pygeoapi.provider.sql import GenericSQLProvider
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    func,
    or_,
    true,
)
from sqlalchemy.orm import Session, registry

from web.identity.request_identity import services
from web.opendata.layers import COLUMNS, OpenLayer, Type, open_layer
from web.opendata.ogc_check import ends, value
from web.opendata.ogc_terms import CRS84, json_type

SRID = 4326
_TYPES: Mapping[Type, Any] = {
    Type.TEXT: Text,
    Type.DATE: Date,
    Type.INSTANT: DateTime(timezone=True),
    Type.BOOLEAN: Boolean,
    Type.INTEGER: Integer,
    Type.NUMBER: Double,
}


class PublicView(GenericSQLProvider):  # type: ignore[misc]
    """One view of `public_map` as pygeoapi wants it; `provider_def["data"]` is the name of the layer."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        BaseProvider.__init__(self, provider_def)
        layer = open_layer(self.data)
        self.geom = "geom"
        self.storage_crs = CRS84
        self.table_model = _model(layer)
        self._engine = services().public_engine
        self._fields = {name: json_type(COLUMNS[name].type) for name in layer.columns}

    def get(self, identifier: str, crs_transform_spec: Any = None, **_: Any) -> dict[str, Any]:  # noqa: ANN401
        """The record of that public id; which record comes before it in the alphabet tells nobody anything."""
        with Session(self._engine) as session:
            item = session.get(self.table_model, identifier)
            if item is None:
                raise ProviderItemNotFoundError
            return self._sqlalchemy_to_feature(item, self._get_crs_transform(crs_transform_spec))

    def _sqlalchemy_to_feature(self, item: Any, crs_transform_out: Callable[..., Any] | None = None) -> dict[str, Any]:  # noqa: ANN401
        loaded = item.__dict__
        shape: WKBElement | None = loaded[self.geom]
        geometry = None
        if shape is not None:
            placed = shapely.orient_polygons(to_shape(shape))
            geometry = shapely.geometry.mapping(crs_transform_out(placed) if crs_transform_out else placed)
        properties = {name: loaded[name] for name in self._fields}
        return {"type": "Feature", "id": loaded[self.id_field], "geometry": geometry, "properties": properties}

    def _get_crs_transform(self, crs_transform_spec: Any = None) -> Callable[..., Any] | None:  # noqa: ANN401
        if crs_transform_spec is None:
            return None
        source, target = crs_transform_spec.source_crs_wkt, crs_transform_spec.target_crs_wkt
        transform = pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(source), pyproj.CRS.from_wkt(target)).transform

        def placed(corners: Any) -> Any:  # noqa: ANN401
            return np.column_stack(transform(corners[:, 0], corners[:, 1]))

        return lambda shape: shapely.transform(shape, placed)

    def _get_property_filters(self, properties: list[tuple[str, str]]) -> ColumnElement[bool]:
        return and_(true(), *(getattr(self.table_model, name) == value(name, said) for name, said in properties))

    def _get_datetime_filter(self, datetime_: str | None) -> ColumnElement[bool]:
        if datetime_ is None:
            return true()
        column = getattr(self.table_model, self.time_field)
        first, last = ends(COLUMNS[self.time_field].type, datetime_)
        return and_(true(), *([column >= first] if first else []), *([column <= last] if last else []))

    def _get_bbox_filter(self, bbox: list[float]) -> ColumnElement[bool]:
        if not bbox:
            return true()
        west, south, east, north = bbox
        # A box that goes over the antimeridian is two.
        boxes = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        shape = getattr(self.table_model, self.geom)
        return or_(*(_meets(shape, func.ST_MakeEnvelope(w, south, e, north, SRID)) for w, e in boxes))


def _meets(shape: Any, envelope: Any) -> ColumnElement[bool]:  # noqa: ANN401
    # The first condition is the one that the index of a view knows.
    return and_(shape.op("&&")(envelope), func.ST_Intersects(shape, envelope))


@cache
def _model(layer: OpenLayer) -> type:
    columns = [Column(name, _TYPES[COLUMNS[name].type], primary_key=name == "public_id") for name in layer.columns]
    shape = Column("geom", Geometry(layer.shape, srid=SRID, spatial_index=False))
    table = Table(layer.view, MetaData(schema="public_map"), *columns, shape)
    made = type(layer.view, (), {})
    registry().map_imperatively(made, table)
    return made
