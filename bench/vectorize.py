"""Outlines of 67 million pixels of labels, borders simplified, written to a GeoPackage: ours against samgeo.

The peer is `raster_to_vector` of samgeo with `simplify_tolerance`, in an environment of its own. Ours is held to more:
every polygon is valid, and a border that two areas share stays shared.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.windows import Window

from bench.environments import PeerMissing, Worker, worker
from bench.measure import FEWEST_ROUNDS, Result, compare, not_measured
from bench.places import SEED
from bench.raster import BLOCK, EPSG, LEFT, PIXEL_M, TOP
from sensing.vectorize import WITHIN_PX, outlines

NAME = "vectorise and simplify 67 MPix"
PEER = "samgeo raster_to_vector"
TARGET = 5.0
SIDE_PX = 8192
# Sizes of patches in pixels, and how much each counts; where one kind of cover ends and the next begins.
PATCHES = ((256, 1.0), (48, 0.45), (8, 0.14))
CUTS = (-1.0, -0.4, 0.1, 0.6, 1.2)


def rows(rounds: int) -> list[Result]:
    """One row."""
    with tempfile.TemporaryDirectory() as directory:
        labels = Path(directory) / "labels.tif"
        write_labels(labels)
        try:
            with worker("samgeo", "vectorize.py") as peer:
                return [_compared(labels, peer, min(rounds, FEWEST_ROUNDS))]
        except PeerMissing as missing:
            return [not_measured(NAME, PEER, TARGET, str(missing))]


def _compared(labels: Path, peer: Worker, rounds: int) -> Result:
    ours, theirs = labels.with_name("ours.gpkg"), labels.with_name("theirs.gpkg")
    asked = {"source": str(labels), "output": str(theirs), "tolerance": WITHIN_PX * PIXEL_M}
    result = compare(
        NAME,
        PEER,
        lambda: _vectorized(labels, ours),
        lambda: int(peer.call(asked)["polygons"]),
        same=lambda mine, other: mine == other,
        target=TARGET,
        rounds=rounds,
        is_slow=True,
    )
    # Not on the clock: what is fast and wrong is no answer.
    with rasterio.open(labels) as plane:
        drawn, exact = outlines(plane, smooth=True), outlines(plane)
    if not shapely.is_valid(drawn.polygons).all():
        raise RuntimeError("not every polygon is valid")
    gap = abs(shapely.area(drawn.polygons).sum() / shapely.area(exact.polygons).sum() - 1)
    if gap > 1e-3:
        raise RuntimeError(f"areas together changed by {gap:.2%}")
    return result


def _vectorized(labels: Path, target: Path) -> int:
    target.unlink(missing_ok=True)
    with rasterio.open(labels) as plane:
        found = outlines(plane, smooth=True)
    geometry = shapely.to_wkb(found.polygons)
    options = {"driver": "GPKG", "layer": "areas", "geometry_type": "Polygon", "crs": f"EPSG:{EPSG}"}
    pyogrio.raw.write(target, geometry, [found.values.astype(np.int32)], ["value"], **options)
    return len(geometry)


def write_labels(path: Path) -> None:
    """A raster of six covers in patches of many sizes, some 43,000 areas with 4.7 million corners."""
    rng = np.random.default_rng(SEED)
    knots = [(size, amount, rng.normal(size=(SIDE_PX // size + 2,) * 2)) for size, amount in PATCHES]
    profile = {"driver": "GTiff", "width": SIDE_PX, "height": SIDE_PX, "count": 1, "dtype": "uint8"}
    profile |= {"crs": f"EPSG:{EPSG}", "transform": from_origin(LEFT, TOP, PIXEL_M, PIXEL_M)}
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate"}
    with rasterio.open(path, "w", **profile) as target:
        for top in range(0, SIDE_PX, BLOCK):
            level = sum(amount * _between(values, size, top) for size, amount, values in knots)
            plane = np.digitize(level, CUTS).astype(np.uint8)
            target.write(plane, 1, window=Window(0, top, SIDE_PX, BLOCK))


def _between(knots: NDArray[np.float64], size: int, top: int) -> NDArray[np.float64]:
    """Some rows of a surface that is linear between knots so many pixels apart."""
    rows, columns = np.arange(top, top + BLOCK), np.arange(SIDE_PX)
    down, along = (rows / size)[:, None], (columns / size)[None]
    y, x = down.astype(int), along.astype(int)
    dy, dx = down - y, along - x
    upper = knots[y, x] * (1 - dx) + knots[y, x + 1] * dx
    lower = knots[y + 1, x] * (1 - dx) + knots[y + 1, x + 1] * dx
    surface: NDArray[np.float64] = upper * (1 - dy) + lower * dy
    return surface
