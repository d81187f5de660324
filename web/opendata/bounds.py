"""The box around everything that is published."""

from __future__ import annotations

from sqlalchemy import Connection, text

WHOLE_WORLD: tuple[float, ...] = (-180.0, -90.0, 180.0, 90.0)


def bounds(public: Connection) -> tuple[float, ...]:
    """West, south, east and north (EPSG:4326) of the ground of all authorities; whatever is published lies in it."""
    row = public.execute(
        text(
            "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) "
            "FROM (SELECT ST_Extent(geom) AS b FROM public_map.open_authorities) AS box"
        )
    ).one()
    return tuple(row) if row[0] is not None else WHOLE_WORLD
