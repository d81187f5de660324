"""The district's registers as plain data: who, what, where and since when. Pure; loaded by sample_data/load.py."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import shapely
from shapely.geometry import Point, Polygon, mapping

from sample_data import fixtures, people
from sample_data.devices import FIRST_PUBLICATION, LEAD_DAYS, drones, fixed_devices
from sample_data.frame import from_wgs84, to_wgs84
from sample_data.landscape import Landscape
from sample_data.noise import stream
from sample_data.zones import privacy_zones

# A margin that keeps the first areas and routes asserted by the import well before any today.
EFFECTIVE = FIRST_PUBLICATION + timedelta(days=LEAD_DAYS)
AREAS = (
    ("PA1", fixtures.PATROL_AREA_1, "Qinghe plain", "清河平原"),
    ("PA2", fixtures.PATROL_AREA_2, "Industrial estate", "工业园区"),
    ("PA3", fixtures.PATROL_AREA_3, "River bank", "河岸"),
)
# Where the crews of R6 and R7 stand; that of the plain starts at the launch point itself.
POINTS = (
    ("DP6", fixtures.ROUTES["R6"].coords[0], "Estate gate", "园区大门"),
    ("DP7", fixtures.ROUTES["R7"].coords[0], "Upper weir", "上游堰"),
)
AREA_OF_ROUTE = {"R1": "PA1", "R2": "PA1", "R3": "PA1", "R4": "PA1", "R5": "PA1", "R6": "PA2", "R7": "PA3"}


def build(land: Landscape, today: date) -> dict[str, Any]:
    """All registers of the district of `land`, with dates that make sense on `today`."""
    zones = privacy_zones(land)
    private = shapely.union_all([from_wgs84(_shape(zone["geometry"])) for zone in zones])
    return {
        "fictional": True,
        "seed": land.seed,
        "today": today.isoformat(),
        "authorities": list(people.AUTHORITIES),
        "people": people.people(today),
        "legal_bases": list(people.LEGAL_BASES),
        "items": [list(item) for item in people.ITEMS],
        "zones": zones,
        "devices": [*fixed_devices(land, private, today), *drones()],
        "areas": [_area(*row) for row in AREAS],
        "points": [_point(*row) for row in POINTS],
        "routes": [_route(code) for code in fixtures.ROUTES],
        "inspection_plans": _plans(today),
        "clearances": [_clearance(today)],
        "entities": _entities(land),
    }


def _shape(geometry: Any) -> Polygon:  # noqa: ANN401
    return Polygon(geometry["coordinates"][0])


def _area(code: str, shape: Polygon, name_en: str, name_zh: str) -> dict[str, Any]:
    return {
        "code": code,
        "name_en": f"{name_en} {code} (fictional)",
        "name_zh": f"{name_zh}{code}（虚构）",
        "geometry": mapping(shape),
        "alt_min_agl_m": 60.0,
        "alt_max_agl_m": 120.0,
        "published_on": FIRST_PUBLICATION.isoformat(),
        "effective_from": EFFECTIVE.isoformat(),
    }


def _point(code: str, place: tuple[float, ...], name_en: str, name_zh: str) -> dict[str, Any]:
    return {
        "code": code,
        "name_en": f"{name_en} {code} (fictional)",
        "name_zh": f"{name_zh}{code}（虚构）",
        "geometry": mapping(Point(place)),
        "place_text": f"{name_en} (fictional) {name_zh}（虚构）",
        "published_on": FIRST_PUBLICATION.isoformat(),
        "effective_from": EFFECTIVE.isoformat(),
    }


def _route(code: str) -> dict[str, Any]:
    lawful = code in fixtures.GOOD_ROUTES
    line = fixtures.ROUTES[code]
    home = fixtures.LAUNCH_POINT if AREA_OF_ROUTE[code] == "PA1" else line.coords[0]
    return {
        "code": code,
        "area": AREA_OF_ROUTE[code],
        "name_en": f"Patrol route {code} (fictional)",
        "name_zh": f"巡查路线{code}（虚构）",
        "geometry": mapping(line),
        "alt_agl_m": fixtures.ROUTE_ALT_AGL_M,
        "camera_hfov_deg": fixtures.CAMERA_HFOV_DEG,
        "home": list(home),
        "speed_m_s": 12.0,
        "trigger_distance_m": 55.0,
        "state": "effective" if lawful else "draft",
        "published_on": FIRST_PUBLICATION.isoformat() if lawful else None,
        "effective_from": EFFECTIVE.isoformat() if lawful else None,
    }


def _plans(today: date) -> list[dict[str, Any]]:
    """The plan of last year's fixtures, and one that covers a year around today."""
    return [
        {"number": "IP-2025-1", "valid_from": "2025-06-10", "valid_to": "2026-06-09", "approved_on": "2025-06-05"},
        {
            "number": "IP-CURRENT",
            "valid_from": (today - timedelta(days=120)).isoformat(),
            "valid_to": (today + timedelta(days=240)).isoformat(),
            "approved_on": (today - timedelta(days=125)).isoformat(),
        },
    ]


def _clearance(today: date) -> dict[str, Any]:
    """The approval to fly over the drinking-water zones that the patrol areas touch, up to the height of the routes."""
    return {
        "kind": "approval",
        "number": "AC-SAMPLE-2025-001",
        "issuing_body": "Airspace authority (fictional) 空域管理机构（虚构）",
        "geometry": mapping(Polygon(people.JURISDICTION)),
        "alt_max_agl_m": 120.0,
        "valid_from": "2025-06-01T00:00:00+08:00",
        "valid_to": f"{(today + timedelta(days=240)).isoformat()}T00:00:00+08:00",
    }


def _entities(land: Landscape) -> list[dict[str, Any]]:
    rng = stream(land.seed, "entities")
    plants = [building for building in land.buildings if land.industry.contains(building.outline.centroid)]
    chosen = rng.permutation(len(plants))[:8]
    return [
        {
            "code": f"X{number}",
            "name": f"Company X{number} (fictional) 企业X{number}（虚构）",
            "entity_type": "company",
            "geometry": mapping(to_wgs84(plants[index].outline)),
        }
        for number, index in enumerate(chosen, 1)
    ]
