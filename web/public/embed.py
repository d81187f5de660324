"""The map in a frame of other sites: reads, keeps nothing, sets no cookie, and leads back to the whole map.

Only what stands below `/embed/` may be framed (web/security.py); its language is said by the address alone.
"""

from __future__ import annotations

from functools import partial

from flask import render_template

from web.permissions import Audience, Permission, Section
from web.public import records
from web.public.asked import refuse_others, view_asked
from web.public.database import public_connection
from web.public.kept import kept
from web.public.layers import BY_BRANCH
from web.public.overview import bounds_around, headlines, map_config
from web.public.views import listed_first, overview_kept, too_long

section = Section("embed", __name__, Audience.PUBLIC)
LISTED = 12


@section.page("/embed/map", GET=Permission.BROWSE)
def framed_map() -> str:
    """The map as a view of it says, to be put into a page of somebody else."""
    refuse_others(("kind", "state", "layer", "authority", "on", "lang"))
    with public_connection() as public:
        view = view_asked(public)
        overview = overview_kept(view.on)
        # A frame is small and looked at, not searched: whatever would be cut off at its edge is taken in.
        around = kept(("around", *overview.bounds), partial(bounds_around, bounds=overview.bounds))
        return render_template(
            "public/embed.html",
            config=map_config(overview, view) | {"view": view.for_script(), "bounds": around},
            whole=view.address("/"),
            record=None,
            listed=listed_first(view, LISTED),
            **headlines(overview, view.on),
        )


@section.page("/embed/<any(device, area, point, route, zone):branch>/<public_id>", GET=Permission.BROWSE)
def framed_record(branch: str, public_id: str) -> str:
    """One record with its place on the map, to be put into a page of somebody else."""
    refuse_others(("lang",))
    layer = BY_BRANCH[branch]
    too_long(public_id)
    with public_connection() as public:
        found = records.one(public, layer, public_id)
        config = map_config(overview_kept(None)) | {"centre": [found.lon, found.lat], "chosen": [layer.name, public_id]}
        return render_template(
            "public/embed.html",
            config=config,
            whole=f"/?sel={found.path[1:]}",
            record=found,
            listed=[],
            headline="",
            subline="",
        )
