"""What there is to see at all: counts, the box around it, and what the map's script needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import current_app
from sqlalchemy import Connection, text

from web import words
from web.i18n import current_language, day, gettext, joined, ngettext
from web.public import history
from web.public.asked import View
from web.public.basemap import Basemap
from web.public.database import revision
from web.public.layers import DEVICES, LAYERS
from web.public.symbols import OUTLINES
from web.public.tile_sql import MAX_ZOOM, SINGLE_FROM, TILE_LAYERS

# What the map draws beside the layers of the lists: groups of devices seen from far, who has published, and the grid of
# cells that several devices reach.
BESIDE = ("clusters", "authorities", "coverage")


_PATROLLED = (
    "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (SELECT coalesce("
    "(SELECT ST_Extent(geom) FROM public_map.patrol_areas), "
    "(SELECT ST_Extent(geom) FROM public_map.device_points), "
    "(SELECT ST_Extent(geom) FROM public_map.authorities)) AS b) AS box"
)
# The box and whatever stands around it, as far as half its size: one device far away makes nobody's map small.
_AROUND = (
    "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (SELECT ST_Extent(n.geom) AS b"
    " FROM (SELECT ST_MakeEnvelope(:west, :south, :east, :north, 4326) AS geom UNION ALL"
    " SELECT d.geom FROM public_map.device_points d WHERE d.state <> 'retired' AND d.geom && ST_Expand("
    "ST_MakeEnvelope(:west, :south, :east, :north, 4326), (:east - :west) / 2, (:north - :south) / 2)) AS n) AS box"
)


@dataclass(frozen=True)
class Overview:
    """What there is to see at all: counts and the box around it (EPSG:4326)."""

    kinds: list[tuple[str, int]]
    layers: list[tuple[str, int]]
    states: Mapping[str, int]
    bounds: list[float]
    version: str
    silent: list[str]

    @property
    def in_use(self) -> int:
        """How many devices watch."""
        return self.states.get("active", 0)


def overview_of(public: Connection, on: date | None = None) -> Overview:
    """Counts of what is in use or announced, today or on a day of the past, and the box around all of it."""
    rows = public.execute(text("SELECT kind, state, count(*) FROM public_map.device_points GROUP BY 1, 2")).all()
    # What there is to choose from stays the same on every day; how many of it there were does not.
    offered = [kind for kind in words.DEVICE_TYPES if any(row[0] == kind for row in rows)]
    devices = history.counts_by_kind(public, on) if on else {(kind, state): int(n) for kind, state, n in rows}
    alive = [(kind, n) for (kind, state), n in devices.items() if state not in ("retired", "discontinued")]
    states = {state: sum(n for (_, s), n in devices.items() if s == state) for _, state in devices}
    return Overview(
        kinds=[(kind, sum(n for k, n in alive if k == kind)) for kind in offered],
        layers=history.counts_by_layer(public, on) if on else _counted(public),
        states=states,
        bounds=_bounds(public),
        version=revision(public),
        silent=_silent(public),
    )


def _counted(public: Connection) -> list[tuple[str, int]]:
    return [
        (name, int(public.execute(text(f"SELECT count(*) FROM {layer.select} WHERE state <> 'retired'")).scalar_one()))
        for name, layer in LAYERS.items()
        if layer is not DEVICES
    ]


def _silent(public: Connection) -> list[str]:
    """The authorities of districts whose ground nobody has told anything about; a province is told by its districts."""
    rows = public.execute(
        text(
            "SELECT s.public_id FROM public_map.authority_areas s "
            "WHERE NOT s.published AND s.level IN ('county', 'township') AND NOT EXISTS ("
            "SELECT FROM public_map.authority_areas p WHERE p.published AND p.level IN ('county', 'township') "
            "AND ST_Covers(p.geom, ST_PointOnSurface(s.geom))) ORDER BY 1 LIMIT 500"
        )
    )
    return list(rows.scalars())


def _bounds(public: Connection) -> list[float]:
    row = public.execute(text(_PATROLLED)).one()
    return [float(value) for value in row] if row[0] is not None else [73.0, 18.0, 135.0, 54.0]


def bounds_around(public: Connection, bounds: Sequence[float]) -> list[float]:
    """The box (west, south, east, north; EPSG:4326) with every device that stands about it, for a small map."""
    named = dict(zip(("west", "south", "east", "north"), bounds, strict=True))
    return [float(value) for value in public.execute(text(_AROUND), named).one()]


def headlines(overview: Overview, on: date | None) -> dict[str, str]:
    """The answer of the first page: what watches here, in one sentence, and what to know beside it."""
    if on:
        head = ngettext(
            "On %(date)s, %(num)d device watched here",
            "On %(date)s, %(num)d devices watched here",
            overview.in_use,
            date=day(on),
        )
    else:
        head = ngettext("%(num)d device watches here", "%(num)d devices watch here", overview.in_use)
    more = []
    soon = overview.states.get("in_notice_period", 0)
    if soon:
        more.append(
            ngettext(
                "%(num)d more was announced and not yet in use.",
                "%(num)d more were announced and not yet in use.",
                soon,
            )
            if on
            else ngettext(
                "%(num)d more is announced and not yet in use.",
                "%(num)d more are announced and not yet in use.",
                soon,
            )
        )
    paused = overview.states.get("maintenance", 0) + overview.states.get("out_of_use", 0)
    if paused and not on:
        more.append(ngettext("%(num)d is paused.", "%(num)d are paused.", paused))
    more.append(gettext("Click on anything to see who, why and under which law."))
    return {"headline": head, "subline": joined(*more)}


# The desks look at areas, routes and zones; the devices of the district would only be in the way.
DESK_THEMES = ("patrol_areas", "privacy_zones", "patrol_routes")


def desk_map(public: Connection) -> dict[str, Any]:
    """What the map of a desk needs."""
    return map_config(overview_of(public)) | {"themes": list(DESK_THEMES)}


def map_config(overview: Overview, view: View | None = None) -> dict[str, Any]:
    """What the map script needs; nothing of it is a secret."""
    basemap: Basemap | None = current_app.extensions["basemap"]
    return {
        "bounds": overview.bounds,
        "version": overview.version,
        "silent": overview.silent,
        "on": view.on.isoformat() if view and view.on else None,
        "basemap": basemap.for_script() if basemap else None,
        "tileMaxZoom": MAX_ZOOM,
        "singleFrom": SINGLE_FROM,
        "themes": [*(name for name in BESIDE if name in TILE_LAYERS), *LAYERS],
        "lang": current_language(),
        "outlines": OUTLINES,
        "looks": dict(words.LOOKS),
        "paths": {name: layer.path for name, layer in LAYERS.items()},
        "words": _words(),
        "controls": _controls(),
    }


def _words() -> dict[str, Any]:
    """What the script says."""
    return {
        "kinds": {code: words.device_type(code) for code in words.DEVICE_TYPES}
        | {code: words.zone_kind(code) for code in words.ZONE_KINDS},
        "states": {code: words.state(code) for code in words.STATES},
        "layers": {name: words.layer(name) for name in LAYERS},
        "several": gettext("{n} things at this spot"),
        "inView": gettext("{n} in this view"),
        "nothingInView": gettext("Nothing that is published stands in this view"),
        "cluster": gettext("{n} devices close together"),
        "closer": gettext("show them"),
        "silent": gettext("{who} has not published anything: what watches there is not known."),
        "silentLabel": gettext("Nothing published by {who}"),
    }


def near_words() -> dict[str, str]:
    """What the script says of the reader's own place, which it alone knows."""
    return {
        "asking": gettext("Your browser is asked where you are …"),
        "refused": gettext("Your browser does not say where you are. Search for a place, or click the map."),
        "failed": gettext("Where you are could not be found out. Search for a place, or click the map."),
        "one": gettext("1 device stands within 500 m of you, {near} away."),
        "many": gettext("{n} devices stand within 500 m of you, the nearest {near} away."),
        "none": gettext("No device that is published stands within 500 m of you."),
        "above": gettext("Drones may patrol where you are."),
        "metres": gettext("{n} m"),
        "private": gettext(
            "Worked out in your browser, to about {n} m: your position was not sent. The server sees which map tiles "
            "are fetched, as with any move of the map."
        ),
    }


def past_words() -> dict[str, str]:
    """What the script says of days of the past."""
    return {
        "one": gettext("{day}: 1 device in use"),
        "said": gettext("{day}: {n} devices in use"),
        "today": gettext("Today"),
    }


def _controls() -> dict[str, str]:
    return {
        "NavigationControl.ZoomIn": gettext("Zoom in"),
        "NavigationControl.ZoomOut": gettext("Zoom out"),
        "AttributionControl.ToggleAttribution": gettext("Sources of the map"),
        "Popup.Close": gettext("Close"),
        "ScaleControl.Meters": "m",
        "ScaleControl.Kilometers": "km",
        "CooperativeGesturesHandler.WindowsHelpText": gettext("Use Ctrl + scroll to zoom the map"),
        "CooperativeGesturesHandler.MacHelpText": gettext("Use ⌘ + scroll to zoom the map"),
        "CooperativeGesturesHandler.MobileHelpText": gettext("Use two fingers to move the map"),
    }
