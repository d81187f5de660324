"""What there is to see at all: counts, publishers, the box around it, and what the map's script needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from web import words
from web.i18n import current_language, gettext
from web.public.database import revision
from web.public.layers import DEVICES, LAYERS
from web.public.records import Words
from web.public.symbols import OUTLINES
from web.public.tiles import MAX_ZOOM


@dataclass(frozen=True)
class Overview:
    """What there is to see at all: counts and the box around it (EPSG:4326)."""

    kinds: list[tuple[str, int]]
    layers: list[tuple[str, int]]
    in_use: int
    soon: int
    paused: int
    bounds: list[float]
    version: str


@dataclass(frozen=True)
class Publisher:
    """An authority, whom to ask there, and when it last published."""

    name: Words
    address: str
    contact: str
    last: date | None


def overview_of(public: Connection) -> Overview:
    """Counts of what is in use or announced, and the box around all of it."""
    rows = public.execute(text(f"SELECT kind, state, count(*) FROM {DEVICES.select} GROUP BY 1, 2")).all()
    alive = [row for row in rows if row[1] not in ("retired", "discontinued")]
    kinds = [
        (kind, sum(n for k, _, n in alive if k == kind))
        for kind in words.DEVICE_TYPES
        if any(k == kind for k, _, _ in rows)
    ]
    counted = [
        (name, int(public.execute(text(f"SELECT count(*) FROM {layer.select} WHERE state <> 'retired'")).scalar_one()))
        for name, layer in LAYERS.items()
        if layer is not DEVICES
    ]

    def in_states(*states: str) -> int:
        return sum(n for _, state, n in rows if state in states)

    return Overview(
        kinds=kinds,
        layers=counted,
        in_use=in_states("active"),
        soon=in_states("in_notice_period"),
        paused=in_states("maintenance", "out_of_use"),
        bounds=_bounds(public),
        version=revision(public),
    )


def _bounds(public: Connection) -> list[float]:
    row = public.execute(
        text(
            "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (SELECT coalesce("
            "(SELECT ST_Extent(geom) FROM public_map.patrol_areas), (SELECT ST_Extent(geom) FROM public_map.devices), "
            "(SELECT ST_Extent(geom) FROM public_map.authorities)) AS b) AS box"
        )
    ).one()
    return [float(value) for value in row] if row[0] is not None else [73.0, 18.0, 135.0, 54.0]


def publishers(public: Connection) -> list[Publisher]:
    """The authorities that have published, each with its latest publication."""
    rows = public.execute(
        text(
            "SELECT a.name_en, a.name_zh, a.contact_address, a.contact_channel, max(p.published_on) "
            "FROM public_map.authorities a JOIN (SELECT authority_id, public_id FROM public_map.devices "
            "UNION ALL SELECT authority_id, public_id FROM public_map.patrol_areas "
            "UNION ALL SELECT authority_id, public_id FROM public_map.deployment_points) s "
            "ON s.authority_id = a.public_id "
            "LEFT JOIN public_map.publications p ON p.subject_id = s.public_id GROUP BY 1, 2, 3, 4 ORDER BY 1"
        )
    )
    return [Publisher({"en": en, "zh": zh}, address, contact, last) for en, zh, address, contact, last in rows]


# The desks look at areas, routes and zones; the devices of the district would only be in the way.
DESK_THEMES = ("patrol_areas", "privacy_zones", "patrol_routes")


def desk_map(public: Connection) -> dict[str, Any]:
    """What the map of a desk needs."""
    return map_config(overview_of(public)) | {"themes": list(DESK_THEMES)}


def map_config(overview: Overview) -> dict[str, Any]:
    """What the map script needs; nothing of it is a secret."""
    return {
        "bounds": overview.bounds,
        "version": overview.version,
        "tileMaxZoom": MAX_ZOOM,
        "themes": list(LAYERS),
        "lang": current_language(),
        "outlines": OUTLINES,
        "looks": dict(words.LOOKS),
        "paths": {name: layer.path for name, layer in LAYERS.items()},
        "words": {
            "kinds": {code: words.device_type(code) for code in words.DEVICE_TYPES}
            | {code: words.zone_kind(code) for code in words.ZONE_KINDS},
            "states": {code: words.state(code) for code in words.STATES},
            "layers": {name: words.layer(name) for name in LAYERS},
            "several": gettext("{n} things at this spot"),
            "inView": gettext("{n} in this view"),
        },
        "controls": {
            "NavigationControl.ZoomIn": gettext("Zoom in"),
            "NavigationControl.ZoomOut": gettext("Zoom out"),
            "Popup.Close": gettext("Close"),
            "ScaleControl.Meters": "m",
            "ScaleControl.Kilometers": "km",
            "CooperativeGesturesHandler.WindowsHelpText": gettext("Use Ctrl + scroll to zoom the map"),
            "CooperativeGesturesHandler.MacHelpText": gettext("Use ⌘ + scroll to zoom the map"),
            "CooperativeGesturesHandler.MobileHelpText": gettext("Use two fingers to move the map"),
        },
    }
