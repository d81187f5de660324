"""Generated places for the benches: privacy zones, devices and a line, the same in every run."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine

from schemas.store.engine import Database

Floats = NDArray[np.float64]

SEED = 20250601
WEST, SOUTH, EAST, NORTH = 112.8, 22.7, 113.8, 23.7
CENTRE = (113.27, 23.13)
METRE_DEG = 1 / 111_000.0
# Cells of thirty metres, and ground around the places for whatever looks aside.
CELL_DEG, MARGIN_DEG = 0.0003, 0.05
GROUND_M = 12.0


def buildings(lons: Floats, lats: Floats, rng: np.random.Generator) -> NDArray[np.object_]:
    """A rotated rectangle of 20 to 80 m a side around each place; EPSG:4326."""
    half = rng.uniform(10.0, 40.0, (len(lons), 2)) * METRE_DEG
    angle = rng.uniform(0.0, np.pi, len(lons))
    along = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)])
    steps = (
        corners[None, :, :1] * half[:, None, :1] * along[:, None, :]
        + corners[None, :, 1:] * half[:, None, 1:] * across[:, None, :]
    )
    steps[:, :, 0] /= np.cos(np.radians(lats))[:, None]
    rings: NDArray[np.object_] = shapely.polygons(np.stack([lons, lats], axis=1)[:, None, :] + steps)
    return rings


def zones(count: int) -> NDArray[np.object_]:
    """That many buildings, spread over a province's capital and its surroundings."""
    rng = np.random.default_rng(SEED)
    return buildings(rng.uniform(WEST, EAST, count), rng.uniform(SOUTH, NORTH, count), rng)


def winding_line(waypoints: int, leg_m: float) -> tuple[Floats, Floats]:
    """Longitudes and latitudes of a line that winds like a river, from the centre eastwards."""
    rng = np.random.default_rng(SEED + 1)
    heading = np.convolve(rng.normal(0.0, 0.6, waypoints + 40), np.ones(40) / 8, mode="valid")[: waypoints - 1]
    lats = CENTRE[1] + np.concatenate([[0.0], np.cumsum(np.sin(heading))]) * leg_m * METRE_DEG
    east = np.concatenate([[0.0], np.cumsum(np.cos(heading))]) * leg_m * METRE_DEG
    return CENTRE[0] + east / np.cos(np.radians(CENTRE[1])), lats


def tile_places(lons: Floats, lats: Floats, zoom: int) -> tuple[Floats, Floats]:
    """Where places lie in the grid of tiles, from west and from north; whole numbers are edges."""
    side = 2**zoom
    return (lons + 180) / 360 * side, (1 - np.arcsinh(np.tan(np.radians(lats))) / np.pi) / 2 * side


def store_zones(database: Database, shapes: NDArray[np.object_]) -> None:
    """Writes privacy zones with consecutive public ids, in force since 2025."""
    constant = {
        "kind": "dormitory",
        "sensitive": False,
        "buffer_m": 0.0,
        "source": "legal",
        "valid_from": "2025-01-01Z",
        "zone_version": 1,
        "origin": "sample",
    }
    rows = (
        (uuid.uuid4(), f"PZ-{n:06}", f"Zone {n}", f"区域{n}", wkb, *constant.values())
        for n, wkb in enumerate(shapely.to_wkb(shapely.set_srid(shapes, 4326), hex=True, include_srid=True))
    )
    columns = ", ".join(["id", "public_id", "name_en", "name_zh", "geom", *constant])
    copy_rows(database, f"core.privacy_zone ({columns})", rows)


def write_terrain(path: Path, bounds: tuple[float, float, float, float], *, hills_m: float) -> None:
    """An elevation model around bounds (west, south, east, north) as a GeoTIFF: level, or with so high hills."""
    west, south = bounds[0] - MARGIN_DEG, bounds[1] - MARGIN_DEG
    east, north = bounds[2] + MARGIN_DEG, bounds[3] + MARGIN_DEG
    columns, lines = int((east - west) / CELL_DEG), int((north - south) / CELL_DEG)
    waves = np.sin(np.arange(columns) / 40)[None, :] + np.cos(np.arange(lines) / 40)[:, None]
    heights = (GROUND_M + hills_m * waves).astype(np.float32)
    where = {"crs": "EPSG:4326", "transform": Affine(CELL_DEG, 0.0, west, 0.0, -CELL_DEG, north)}
    shape = {"width": columns, "height": lines, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", **shape, **where) as out:
        out.write(heights, 1)


def copy_rows(database: Database, target: str, rows: Iterable[Sequence[Any]]) -> None:
    """COPY as the administrator, then ANALYZE, as a database in use would have."""
    with psycopg.connect(plain_url(database.admin_url)) as connection:
        with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.execute(f"ANALYZE {target.partition(' ')[0]}")


def plain_url(url: str) -> str:
    """An SQLAlchemy URL as libpq reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
