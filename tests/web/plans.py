"""Plan files of the fixtures, and the ground below them."""

from __future__ import annotations

import json

import numpy as np
import rasterio
from affine import Affine

R1 = [[113.2550, 23.1250], [113.2850, 23.1250]]
R2 = [[113.2550, 23.1300], [113.2850, 23.1300]]
R4 = [[113.2550, 23.1250], [113.2950, 23.1250]]


def geojson(coordinates) -> bytes:
    """A route as a pilot would draw it: a line, and the height to fly."""
    line = {"type": "LineString", "coordinates": coordinates}
    return json.dumps({"type": "Feature", "properties": {"alt_agl_m": 100}, "geometry": line}).encode()


def flat_ground(data_dir) -> None:
    """An elevation model of 12 m above sea everywhere."""
    heights = np.full((1, 100, 200), 12, "float32")
    profile = {"driver": "GTiff", "width": 200, "height": 100, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    transform = Affine.translation(113.2, 23.18) @ Affine.scale(0.001, -0.001)
    with rasterio.open(data_dir / "terrain.tif", "w", transform=transform, **profile) as model:
        model.write(heights)
