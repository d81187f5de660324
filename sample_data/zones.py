"""Privacy zones: the bath-house of the fixtures and a dozen more near homes, one of them sensitive."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import shapely
from shapely.geometry import Polygon, mapping
from shapely.geometry.base import BaseGeometry

from sample_data import fixtures
from sample_data.frame import from_wgs84, to_wgs84
from sample_data.landscape import Landscape, corridor
from sample_data.noise import stream
from sample_data.shapes import rectangle

KINDS = (
    ("public_bathhouse", "Bath-house", "浴场", "legal"),
    ("dormitory", "Dormitory", "宿舍", "legal"),
    ("mother_baby_room", "Mother-and-baby room", "母婴室", "survey"),
    ("toilet", "Public toilet", "公共厕所", "survey"),
    ("changing_room", "Changing room of the swimming pool", "泳池更衣室", "legal"),
    ("hotel_room", "Hotel", "旅馆", "legal"),
    ("requested", "Zone requested by residents", "居民申请的区域", "request"),
)
COUNT = 12
# The routes of the fixtures that may be flown must stay flyable, with their cameras' footprints.
CLEAR_OF_ROUTES_M = 130.0


def privacy_zones(land: Landscape) -> list[dict[str, Any]]:
    """Zones as rows; Z1 first, exactly as in the fixtures. The sensitive one keeps its exact shape to itself."""
    rng = stream(land.seed, "zones")
    routes = [from_wgs84(fixtures.ROUTES[code]).buffer(CLEAR_OF_ROUTES_M) for code in fixtures.GOOD_ROUTES]
    camera = from_wgs84(shapely.Point(fixtures.CAMERA_1)).buffer(CLEAR_OF_ROUTES_M)
    home = from_wgs84(shapely.Point(fixtures.LAUNCH_POINT)).buffer(CLEAR_OF_ROUTES_M)
    flown = [*routes, corridor(), camera, home]
    taken = shapely.union_all([*flown, from_wgs84(fixtures.ZONE_1).buffer(200)])
    rows = [_row("Z1", 0, fixtures.ZONE_1)]
    homes = [building for town in (land.town, *land.villages) for building in town.buildings]
    order = rng.permutation(len(homes))
    for index in order:
        if len(rows) > COUNT:
            break
        at = homes[index].outline.centroid
        shape = rectangle(at.x, at.y, (rng.uniform(45, 110), rng.uniform(40, 80)), float(rng.uniform(0, 3.14)))
        if shape.distance(taken) < 40:
            continue
        taken = taken.union(shape)
        rows.append(_row(f"Z{len(rows) + 1}", len(rows) % len(KINDS), to_wgs84(shape)))
    _hide_one(rows, float(rng.uniform(0, 6.28)), shapely.union_all(flown))
    return rows


def _row(code: str, kind: int, shape: Polygon) -> dict[str, Any]:
    name, name_en, name_zh, source = KINDS[kind]
    return {
        "code": code,
        "kind": name,
        "name_en": f"{name_en} {code} (fictional)",
        "name_zh": f"{name_zh}{code}（虚构）",
        "source": source,
        "sensitive": False,
        "geometry": mapping(shape),
        "exact_geometry": None,
        "valid_from": "2025-05-01T00:00:00+08:00",
    }


def _hide_one(rows: list[dict[str, Any]], first_rad: float, flown: BaseGeometry) -> None:
    """Makes the last zone sensitive whose displayed shape, shifted some way, leaves the routes flyable."""
    for row, turn in product(reversed(rows[1:]), range(8)):
        exact = from_wgs84(Polygon(row["geometry"]["coordinates"][0]))
        shown = _shown_instead(exact, first_rad + turn * math.pi / 4)
        if shown.disjoint(flown):
            _make_sensitive(row, shown)
            return
    raise ValueError("no room for a sensitive zone in this landscape")


def _shown_instead(exact: Polygon, direction_rad: float) -> Polygon:
    """A larger shape whose middle lies elsewhere, so that the middle gives nothing away."""
    reach = max(exact.bounds[2] - exact.bounds[0], exact.bounds[3] - exact.bounds[1])
    aside = 0.6 * reach
    middle = exact.centroid
    x, y = middle.x + aside * math.cos(direction_rad), middle.y + aside * math.sin(direction_rad)
    return rectangle(x, y, (3.4 * reach, 3.0 * reach), direction_rad / 2)


def _make_sensitive(row: dict[str, Any], shown: Polygon) -> None:
    row |= {
        "kind": "other",
        "name_en": f"Protected place {row['code']} (fictional)",
        "name_zh": f"受保护场所{row['code']}（虚构）",
        "sensitive": True,
        "exact_geometry": row["geometry"],
        "geometry": mapping(to_wgs84(shown)),
    }
