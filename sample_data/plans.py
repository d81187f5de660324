"""Plan files of the fixtures' routes, as ground stations write them: .plan, .waypoints and GeoJSON."""

from __future__ import annotations

import json
from typing import Any

from shapely.geometry import LineString, mapping

from sample_data import fixtures

TAKEOFF, WAYPOINT, RETURN = 22, 16, 20
RELATIVE, MISSION = 3, 2
# A field without meaning for the command, which a ground station writes as null.
ANY = None


def write_all(code: str, home_amsl_m: float) -> dict[str, bytes]:
    """The three files of one route by name."""
    line = fixtures.ROUTES[code]
    return {
        f"{code}.plan": _qgc_plan(line, home_amsl_m),
        f"{code}.waypoints": _waypoints(line, home_amsl_m),
        f"{code}.geojson": _geojson(code, line),
    }


def _items(line: LineString) -> list[tuple[int, int, float, float, float]]:
    """Command, frame, latitude, longitude, height above home."""
    height = fixtures.ROUTE_ALT_AGL_M
    lon, lat = fixtures.LAUNCH_POINT
    rows = [(TAKEOFF, RELATIVE, lat, lon, height)]
    rows += [(WAYPOINT, RELATIVE, y, x, height) for x, y in line.coords]
    return [*rows, (RETURN, MISSION, 0.0, 0.0, 0.0)]


def _qgc_plan(line: LineString, home_amsl_m: float) -> bytes:
    lon, lat = fixtures.LAUNCH_POINT
    items: list[dict[str, Any]] = []
    for number, (command, frame, y, x, z) in enumerate(_items(line), 1):
        place = [y, x, z] if frame == RELATIVE else [0, 0, 0]
        items.append(
            {
                "type": "SimpleItem",
                "autoContinue": True,
                "command": command,
                "doJumpId": number,
                "frame": frame,
                "params": [0, 0, 0, ANY if frame == RELATIVE else 0, *place],
            }
        )
    plan = {
        "fileType": "Plan",
        "groundStation": "QGroundControl",
        "version": 1,
        "geoFence": {"circles": [], "polygons": [], "version": 2},
        "rallyPoints": {"points": [], "version": 2},
        "mission": {
            "version": 2,
            "firmwareType": 3,
            "vehicleType": 2,
            "cruiseSpeed": 12,
            "hoverSpeed": 12,
            "globalPlanAltitudeMode": 1,
            "plannedHomePosition": [lat, lon, home_amsl_m],
            "items": items,
        },
    }
    return json.dumps(plan, indent=2).encode()


def _waypoints(line: LineString, home_amsl_m: float) -> bytes:
    lon, lat = fixtures.LAUNCH_POINT
    rows = ["QGC WPL 110", _row(0, (WAYPOINT, 0, lat, lon, home_amsl_m), current=1)]
    rows += [_row(number, item) for number, item in enumerate(_items(line), 1)]
    return ("\r\n".join(rows) + "\r\n").encode()


def _row(number: int, item: tuple[int, int, float, float, float], *, current: int = 0) -> str:
    command, frame, lat, lon, height = item
    parameters = "\t".join(["0"] * 4)
    return f"{number}\t{current}\t{frame}\t{command}\t{parameters}\t{lat:.8f}\t{lon:.8f}\t{height:.3f}\t1"


def _geojson(code: str, line: LineString) -> bytes:
    feature = {
        "type": "Feature",
        "properties": {"name": f"{code} (fictional)", "alt_agl_m": fixtures.ROUTE_ALT_AGL_M},
        "geometry": mapping(line),
    }
    return json.dumps(feature, indent=2).encode()
