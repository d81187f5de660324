"""The district's own base map and the layers of law, as GeoJSON features in EPSG:4326."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import shapely
from shapely.geometry import Point, mapping
from shapely.geometry.base import BaseGeometry

from sample_data.context import Permit, protected_zones
from sample_data.frame import to_wgs84
from sample_data.landscape import SCENE_BOX, Landscape

Feature = dict[str, Any]
# What a map of the whole district need not show finer than this.
DETAIL_M = 0.6
NECK_M = 0.1
ROAD_RANK = {"trunk": 0, "main": 1, "lane": 2, "street": 3}


def feature(shape: BaseGeometry, **properties: Any) -> Feature:  # noqa: ANN401
    """One feature; the shape comes in the local frame."""
    return {"type": "Feature", "properties": properties, "geometry": mapping(to_wgs84(shape))}


def parts(shape: BaseGeometry, smallest_m2: float = 30.0) -> Iterable[BaseGeometry]:
    """The polygons of a shape, without crumbs, simplified as far as a map allows."""
    for piece in shapely.get_parts(shapely.simplify(shape, DETAIL_M)):
        # A neck narrower than the last decimal would close when the shape is written, and the shape cross itself.
        sound = [piece] if to_wgs84(piece).is_valid else shapely.get_parts(piece.buffer(-NECK_M).buffer(NECK_M))
        for part in sound:
            if part.geom_type == "Polygon" and part.area >= smallest_m2 and to_wgs84(part).is_valid:
                yield part


def base_map(land: Landscape) -> list[Feature]:
    """Land, water, green, roads, buildings and names, coarse things first."""
    made = [feature(p, kind="green", rank=0) for p in parts(shapely.union_all(land.forest))]
    made += [feature(p, kind="green", rank=1) for p in parts(shapely.union_all(land.grass), 2_000)]
    made += [feature(p, kind="park", rank=1) for park in land.town.parks for p in parts(park)]
    made += [feature(p, kind="urban", rank=0) for town in (land.town, *land.villages) for p in parts(town.outline)]
    made += [feature(p, kind="industrial", rank=0) for p in parts(land.industry)]
    made += [
        feature(p, kind="water", rank=0, **name)
        for water, name in _waters(land)
        for p in parts(water.intersection(SCENE_BOX))
    ]
    for road in land.roads:
        line = road.line.intersection(SCENE_BOX)
        if line.is_empty:
            continue
        named = {"name_en": road.name, "name_zh": road.name_zh} if road.name else {}
        simple = shapely.simplify(line, DETAIL_M)
        made += [
            feature(piece, kind="road", rank=ROAD_RANK[road.grade], **named)
            for piece in shapely.get_parts(simple)
            if piece.geom_type == "LineString"
        ]
    made += [feature(b.outline, kind="building", rank=3) for b in land.buildings]
    return [*made, *places(land)]


def _waters(land: Landscape) -> list[tuple[BaseGeometry, dict[str, str]]]:
    return [
        (land.river, {"name_en": "Qing River (fictional)", "name_zh": "清河（虚构）"}),
        (land.brook, {"name_en": "North Brook (fictional)", "name_zh": "北溪（虚构）"}),
        (land.reservoir, {"name_en": "North Reservoir (fictional)", "name_zh": "北水库（虚构）"}),
        *((pond, {}) for pond in land.ponds),
    ]


VILLAGES = (
    ("Willow", "柳林"), ("Mill", "磨坊"), ("Stone Gate", "石门"), ("East Bend", "东湾"), ("Pine Hill", "松山"),
    ("Lotus", "莲塘"), ("Old Ferry", "老渡口"), ("Kiln", "窑头"), ("Orchard", "果园"), ("Heron", "鹭洲"),
    ("Tea Slope", "茶坡"), ("Bamboo", "竹溪"),
)  # fmt: skip


EIGHTS = (
    ("north", "北"), ("north-east", "东北"), ("east", "东"), ("south-east", "东南"),
    ("south", "南"), ("south-west", "西南"), ("west", "西"), ("north-west", "西北"),
)  # fmt: skip


def settlements(land: Landscape) -> list[tuple[BaseGeometry, int, tuple[str, str]]]:
    """Outline in metres, rank on the map, and name in English and Chinese of each settlement."""
    villages = [
        (village.outline, 2, (f"{name_en} Village", f"{name_zh}村"))
        for village, (name_en, name_zh) in zip(land.villages, VILLAGES, strict=False)
    ]
    return [
        (land.town.outline, 0, ("Qinghe Town", "清河镇")),
        (land.industry, 1, ("Qinghe Industrial Estate", "清河工业园")),
        *villages,
    ]


def places(land: Landscape) -> list[Feature]:
    """Names of settlements as points."""
    return [
        feature(
            outline.representative_point(),
            kind="place",
            rank=rank,
            name_en=f"{name_en} (fictional)",
            name_zh=f"{name_zh}（虚构）",
        )
        for outline, rank, (name_en, name_zh) in settlements(land)
    ]


def whereabouts(land: Landscape, place: Point) -> str:
    """Where `place` (metres) is, as people say it: in a settlement, or so far off the nearest one."""
    outline, _, (name_en, name_zh) = min(settlements(land), key=lambda known: known[0].distance(place))
    far_m = round(outline.distance(place), -1)
    if far_m < 10:
        return f"In {name_en} (fictional) · {name_zh}（虚构）"
    seen_from = outline.centroid
    bearing_deg = math.degrees(math.atan2(place.x - seen_from.x, place.y - seen_from.y))
    side_en, side_zh = EIGHTS[round(bearing_deg / 45) % 8]
    return f"{far_m:.0f} m {side_en} of {name_en} (fictional) · {name_zh}{side_zh}{far_m:.0f}米（虚构）"


def context_layers(
    land: Landscape, permits: Iterable[Permit], dug_ponds: Sequence[BaseGeometry] = ()
) -> dict[str, list[Feature]]:
    """The layers against which law judges a finding: permits, protected, water, farmland, residential.

    `dug_ponds` are small waters that only the drone sees.
    """
    fields = land.farmland.difference(shapely.union_all(dug_ponds))
    granted = {"valid_from": "2024-01-01", "valid_to": "2029-12-31"}
    return {
        "permits": [
            feature(p.outline, name=p.name, name_zh=p.name_zh, kind=p.activity, number=f"QH-P-{n:03d}", **granted)
            for n, p in enumerate(permits, 1)
        ],
        "protected": [feature(z.outline, name=z.name, name_zh=z.name_zh, kind=z.kind) for z in protected_zones(land)],
        "water": [
            feature(p, name=name.get("name_en", "Pond (fictional)"), kind="water")
            for water, name in [*_waters(land), *((pond, {}) for pond in dug_ponds)]
            for p in parts(water)
        ],
        "farmland": [feature(p, name="Field (fictional)", kind="farmland") for p in parts(fields, 100)],
        "residential": [
            feature(p, name="Homes (fictional)", kind="residential")
            for town in (land.town, *land.villages)
            for p in parts(town.outline)
        ],
    }
