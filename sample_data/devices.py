"""The monitoring devices of the district: about sixty, of several kinds, in every state, with their histories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from sample_data import fixtures
from sample_data.basemap import whereabouts
from sample_data.frame import from_wgs84, to_wgs84
from sample_data.landscape import Landscape
from sample_data.noise import stream

LEAD_DAYS = 30
FIRST_PUBLICATION = date(2025, 6, 1)
CLEAR_OF_ZONES_M = 60.0

# kind -> (how many, item, purpose in English and Chinese, a measuring instrument?)
KINDS: dict[str, tuple[int, str, str, str, bool]] = {
    "video": (24, "ECO-01", "Watching outlets and yards of polluting plants", "监控污染企业排口与堆场", False),
    "water_quality": (12, "ECO-02", "Measuring water quality in river and brook", "监测河流与溪流水质", True),
    "air": (13, "ECO-03", "Measuring fine dust and gases", "监测颗粒物与气体", True),
    "noise": (7, "ECO-05", "Measuring noise near homes", "监测居民区附近噪声", True),
    "radar": (3, "ECO-03", "Watching dust plumes over the plain", "监控平原扬尘", False),
}
# What the sheets of the two models of cameras say: how far they see, and how wide. Where each looks nobody publishes.
SHEETS: tuple[dict[str, Any], ...] = (
    {"model": "Model S (fictional)", "range_m": 150.0, "hfov_deg": 70.0},
    {"model": "Model P (fictional)", "range_m": 600.0, "hfov_deg": 58.0},
)
# What becomes of the n-th device: most are in use, every other state occurs.
FATES = ("active",) * 7 + ("notice", "active", "maintenance", "active", "discontinued", "active", "blocked")


def fixed_devices(land: Landscape, zones: BaseGeometry, today: date) -> list[dict[str, Any]]:
    """Devices at plausible places, clear of private ones; DV1 is the camera of the fixtures."""
    rng = stream(land.seed, "devices")
    off_limits = zones.buffer(CLEAR_OF_ZONES_M)
    first = Point(from_wgs84(Point(fixtures.CAMERA_1)))
    rows = [_device("DV1", "video", (first, whereabouts(land, first)), "active", FIRST_PUBLICATION)]
    number = 2
    for kind, (count, *_rest) in KINDS.items():
        for place in _places(land, rng, off_limits, (kind, count)):
            fate = FATES[int(rng.integers(len(FATES)))]
            published = FIRST_PUBLICATION + timedelta(days=int(rng.integers(0, 430)))
            if fate == "notice":
                published = today - timedelta(days=int(rng.integers(2, LEAD_DAYS - 2)))
            rows.append(_device(f"DV{number}", kind, (place, whereabouts(land, place)), fate, published))
            number += 1
    return rows


def _places(
    land: Landscape, rng: np.random.Generator, off_limits: BaseGeometry, wanted: tuple[str, int]
) -> Iterator[Point]:
    kind, count = wanted
    region = _region(land, kind)
    west, south, east, north = region.bounds
    found = 0
    for _ in range(20_000):
        place = Point(rng.uniform(west, east), rng.uniform(south, north))
        if region.contains(place) and not off_limits.contains(place):
            yield place
            found += 1
            if found == count:
                return
    raise ValueError(f"no room for {count} devices of kind {kind}")


def _region(land: Landscape, kind: str) -> BaseGeometry:
    if kind == "water_quality":
        return shapely.union_all([land.river.buffer(18), land.brook.buffer(14)]).difference(land.water)
    if kind == "noise":
        return land.town.outline
    if kind == "radar":
        return land.town.outline.buffer(1_800).difference(land.built)
    if kind == "air":
        return land.built.buffer(250)
    return shapely.union_all([land.industry.buffer(120), *(r.line.buffer(14) for r in land.roads if r.paved)])


def _device(code: str, kind: str, place: tuple[Point, str], state: str, published: date) -> dict[str, Any]:
    _count, item, purpose_en, purpose_zh, measures = KINDS[kind]
    where = to_wgs84(place[0])
    return {
        "code": code,
        "kind": kind,
        "platform": "fixed",
        "category": "fixed",
        "item": item,
        "purpose_en": purpose_en,
        "purpose_zh": purpose_zh,
        "is_measuring_instrument": measures,
        "lon": where.x,
        "lat": where.y,
        "place_text": place[1],
        "state": "published" if state == "notice" else state,
        "published_on": published.isoformat(),
        "activated_on": None if state == "notice" else (published + timedelta(days=LEAD_DAYS)).isoformat(),
        **(_sheet(code) if kind == "video" else {}),
    }


def _sheet(code: str) -> dict[str, Any]:
    """Every third camera is one that turns and sees far; which ones takes nothing from the chance of the district."""
    return SHEETS[int(code.removeprefix("DV")) % 3 == 0]


def drones() -> list[dict[str, Any]]:
    """DR1 flies the demo; DR2 is its sister. Both carry the camera of the fixtures."""
    lon, lat = fixtures.LAUNCH_POINT
    return [
        {
            "code": code,
            "kind": "video",
            "platform": "uav",
            "category": "mobile",
            "item": "ECO-01",
            "purpose_en": "Pollution patrol along published routes",
            "purpose_zh": "沿已公布路线开展污染巡查",
            "is_measuring_instrument": False,
            "lon": lon + 0.0002 * index,
            "lat": lat,
            "place_text": "At the launch point of the patrols (fictional) · 巡查起飞点（虚构）",
            "state": "active",
            "published_on": FIRST_PUBLICATION.isoformat(),
            "activated_on": (FIRST_PUBLICATION + timedelta(days=LEAD_DAYS)).isoformat(),
            "registration_no": f"UAS-QH-{index + 1:04d}-SAMPLE",
            "camera_hfov_deg": fixtures.CAMERA_HFOV_DEG,
            "image_px": [1400, 1050],
        }
        for index, code in enumerate(("DR1", "DR2"))
    ]
