"""No pixel that a privacy zone touches survives in anything that is stored, cached or shown (GD-43, design.md 6).

The image is painted so that every pixel square that meets the zone has a value which occurs nowhere else; which
squares those are is worked out here, square by square on the map, and not by the code that burns.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from PIL import Image
from pyproj import CRS, Transformer

from sensing import preview
from sensing.bands import Role
from sensing.derivative import surviving_pixels
from sensing.georeference import locate
from sensing.header import judge
from sensing.mask import Zone, ZoneBurner, grown
from sensing.picture import open_picture
from sensing.quarantine import quarantine
from sensing.remask import masked_again
from tests.unit.sensing.pictures import write_tif

RGB = (Role.RED, Role.GREEN, Role.BLUE)
SIDE, CANARY, ORDINARY = 700, 250, 90
UTM_CORNER, DEGREES_CORNER = (731_400.0, 2_560_000.0), (113.27, 23.13)
STEP_DEG = 2e-5

GRIDS = {
    "utm": ("EPSG:32649", Affine.translation(*UTM_CORNER) @ Affine.scale(2, -2)),
    "south up": ("EPSG:32649", Affine.translation(*UTM_CORNER) @ Affine.scale(2, 2)),
    "mirrored": ("EPSG:32649", Affine.translation(*UTM_CORNER) @ Affine.scale(-2, -2)),
    "rotated": ("EPSG:32649", Affine.translation(*UTM_CORNER) @ Affine.rotation(33) @ Affine.scale(2, -2)),
    "oblong": ("EPSG:32649", Affine.translation(*UTM_CORNER) @ Affine.scale(5, -0.7)),
    "degrees": ("EPSG:4326", Affine.translation(*DEGREES_CORNER) @ Affine.scale(STEP_DEG, -STEP_DEG)),
    "degrees rotated": (
        "EPSG:4326",
        Affine.translation(*DEGREES_CORNER) @ Affine.rotation(-20) @ Affine.scale(STEP_DEG, -STEP_DEG),
    ),
    "mercator": ("EPSG:3857", Affine.translation(12_609_000, 2_647_000) @ Affine.scale(2, -2)),
    "gauss-krueger": ("EPSG:4526", Affine.translation(38_629_000, 2_559_000) @ Affine.scale(2, -2)),
}
# Zones in pixels (column, row): on pixel borders, across the seam of blocks, on the rim, smaller than a pixel, a line.
ZONES = {
    "on pixel borders": shapely.box(200, 200, 264, 232),
    "across block seams": shapely.Polygon([(500.3, 490.1), (530.9, 505.5), (514.2, 540.7), (489.6, 520.2)]),
    "over the rim": shapely.box(-20.5, 300.4, 6.6, 340.5),
    "smaller than a pixel": shapely.box(350.4, 350.4, 350.6, 350.6),
    "a needle": shapely.Polygon([(100.5, 600.5), (300.5, 640.5), (300.5, 640.6), (100.5, 600.6)]),
    "with a hole": shapely.Polygon(
        [(400, 100), (480, 100), (480, 180), (400, 180)], [[(430, 130), (450, 130), (450, 150), (430, 150)]]
    ),
}


def on_map(shape: shapely.Geometry, crs: str, transform: Affine) -> shapely.Geometry:
    """Pixels to EPSG:4326, with points along the edges."""
    change = Transformer.from_crs(crs, 4326, always_xy=True)

    def place(points: np.ndarray) -> np.ndarray:
        x, y = transform @ (points[:, 0], points[:, 1])
        return np.column_stack(change.transform(x, y))

    return shapely.transform(shapely.segmentize(shape, 4.0), place)


def painted(zones: list[shapely.Geometry]) -> np.ndarray:
    """The image: the canary in every pixel square that meets a zone, and what is ordinary everywhere else."""
    data = np.random.default_rng(1).integers(20, ORDINARY, (3, SIDE, SIDE)).astype(np.uint8)
    for zone in zones:
        west, north, east, south = (int(v) for v in np.floor(zone.bounds))
        columns, rows = np.meshgrid(np.arange(west - 1, east + 2), np.arange(north - 1, south + 2))
        squares = shapely.box(columns, rows, columns + 1, rows + 1)
        inside = (columns >= 0) & (columns < SIDE) & (rows >= 0) & (rows < SIDE)
        met = shapely.intersects(squares, zone) & inside
        data[:, rows[met], columns[met]] = CANARY
    return data


def levels(path: Path):
    with rasterio.open(path) as image:
        count = len(image.overviews(1))
    assert count > 0
    for level in (None, *range(count)):
        with rasterio.open(path, **({} if level is None else {"overview_level": level})) as image:
            yield image.read()


@pytest.mark.parametrize("grid", GRIDS)
def test_GD_43__zones_of_every_shape_on_every_grid__no_touched_pixel_in_any_derivative(tmp_path, grid):
    crs, transform = GRIDS[grid]
    image = write_tif(tmp_path / "a.tif", painted(list(ZONES.values())), crs=crs, transform=transform)
    zones = [on_map(zone, crs, transform) for zone in ZONES.values()]
    with quarantine(tmp_path / "quarantine") as room:
        guest = room.admit(image)
        (report,) = room.inspect([guest])
        judge(report)
        place = locate(report)
        written = room.transcode(guest, report, place.grid, zones, lambda _: None)
        kept = tmp_path / "kept.tif"
        kept.write_bytes(written.path.read_bytes())
    assert surviving_pixels(kept, ZoneBurner(zones, CRS(crs), transform)) == 0
    for pixels in levels(kept):
        assert pixels.max() < ORDINARY
    # What people are shown, from the whole scene down to a window around one zone, and the map's own tiles.
    west, south, east, north = place.footprint.bounds
    around = zones[0].buffer(1e-4).bounds
    for box in (preview.Box(west, south, east, north), preview.Box(*around)):
        assert shown(preview.render(kept, RGB, box, (600, 400))).max() < ORDINARY
    middle = zones[0].centroid
    for zoom in (14, 17, 20):
        column = int((middle.x + 180) / 360 * 2**zoom)
        row = int((1 - np.arcsinh(np.tan(np.radians(middle.y))) / np.pi) / 2 * 2**zoom)
        assert shown(preview.tile(kept, RGB, (zoom, column, row))).max() < ORDINARY
    # And what the engines read, in ten-thousandths of full scale.
    with open_picture(kept, RGB) as picture:
        read = picture.tile(rasterio.windows.Window(0, 0, picture.grid.width, picture.grid.height))
        assert max(plane.max() for plane in read.bands.values()) < ORDINARY / 255 * 10_000


@pytest.mark.parametrize("grid", GRIDS)
def test_GD_43__zones_that_come_later_on_every_grid__no_touched_pixel_in_the_copy_masked_anew(tmp_path, grid):
    """Half of the zones are burnt in when the image arrives, the other half into that copy."""
    crs, transform = GRIDS[grid]
    image = write_tif(tmp_path / "a.tif", painted(list(ZONES.values())), crs=crs, transform=transform)
    zones = [on_map(zone, crs, transform) for zone in ZONES.values()]
    with quarantine(tmp_path / "quarantine") as room:
        guest = room.admit(image)
        (report,) = room.inspect([guest])
        judge(report)
        written = room.transcode(guest, report, locate(report).grid, zones[::2], lambda _: None)
        _, hidden = masked_again(written.path, tmp_path / "again.tif", zones[1::2], lambda _: None)
    assert hidden > 0
    assert surviving_pixels(tmp_path / "again.tif", ZoneBurner(zones, CRS(crs), transform)) == 0
    for pixels in levels(tmp_path / "again.tif"):
        assert pixels.max() < ORDINARY


def shown(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))[..., :3]


def test_GD_43__zone_with_buffer_and_an_uncertain_image__burnt_as_wide_as_both():
    crs, transform = GRIDS["utm"]
    zone = Zone("PZ-1", 1, on_map(shapely.box(300, 300, 310, 310), crs, transform), buffer_m=20.0)
    burnt = ZoneBurner([grown(zone, 6.0)], CRS(crs), transform).burn(rasterio.windows.Window(0, 0, SIDE, SIDE))
    # 26 m are 13 pixels; the disc that the buffer draws is a polygon, a hair smaller than the circle.
    assert burnt[305, 300 - 12 : 310 + 12].all()
    assert not burnt[305, : 300 - 16].any()
