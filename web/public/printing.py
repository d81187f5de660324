"""One sheet of paper: the answer, the map with numbers, the list by those numbers, the day, and where it came from."""

from __future__ import annotations

from flask import render_template, request

from web.permissions import Audience, Permission, Section
from web.public.asked import NONE, refuse_others, view_asked
from web.public.database import public_connection
from web.public.layers import DEVICES, LAYERS, PRIVACY_ZONES
from web.public.overview import headlines, map_config
from web.public.records import Query, Record
from web.public.views import overview_kept, page_of

section = Section("printing", __name__, Audience.PUBLIC)
# What fits on two sheets; the rest is at the address that the sheet says.
MOST_LISTED = 60


@section.page("/print", GET=Permission.BROWSE)
def sheet() -> str:
    """What a view shows, to be printed; without a script the list alone."""
    refuse_others(("kind", "state", "layer", "authority", "on", "lang"))
    with public_connection() as public:
        view = view_asked(public)
        overview = overview_kept(view.on)
        listed, total = list[Record](), 0
        for layer in LAYERS.values():
            if not view.shows(layer.name) or (view.layers == (NONE,) and layer is not DEVICES):
                continue
            narrow = layer is DEVICES
            query = Query(
                layer,
                kind=view.kinds if narrow else (),
                state=view.states if narrow else (),
                authority="" if layer is PRIVACY_ZONES else view.authority,
                on=view.on,
                size=max(1, MOST_LISTED - len(listed)),
            )
            count, found = page_of(public, query)
            total += count
            listed += found[: MOST_LISTED - len(listed)]
        numbered = [[number, one.lon, one.lat] for number, one in enumerate(listed, 1)]
        return render_template(
            "public/print.html",
            view=view,
            listed=listed,
            total=total,
            config=map_config(overview, view) | {"view": view.for_script(), "numbered": numbered},
            address=f"{request.host_url.rstrip('/')}{view.address('/')}",
            whole=view.address("/"),
            **headlines(overview, view.on),
        )
