"""The public log of flights: which route, on what day, and whether it was flown as published. Never a position.

A flight stands here when it is closed and the delay of its rule pack is over (`public_map.flight_log`).
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import render_template
from sqlalchemy import Connection, RowMapping, text

from schemas.refusals import invalid
from web.permissions import Audience, Permission, Section
from web.public.asked import page_number
from web.public.database import public_connection

section = Section("flight_log", __name__, Audience.PUBLIC)
PAGE_SIZE = 50


@section.page("/flights", GET=Permission.BROWSE)
def flights() -> str:
    """Flights that are over, the latest first."""
    number = page_number()
    with public_connection() as public:
        total = int(public.execute(text("SELECT count(*) FROM public_map.flight_log")).scalar_one())
        rows = _page(public, number)
    pages = max(1, -(-total // PAGE_SIZE))
    if number > pages:
        raise invalid("query.unknown", "web.query_unknown", name="page", measured=number, required=f"1-{pages}")
    return render_template("public/flights.html", flights=rows, total=total, number=number, pages=pages)


def _page(public: Connection, number: int) -> Sequence[RowMapping]:
    rows = text(
        "SELECT public_id, route_id, route_en, route_zh, area_en, area_zh, authority_en, authority_zh, flown_on,"
        " duration_min, flown, stayed_inside FROM public_map.flight_log"
        " ORDER BY flown_on DESC, public_id LIMIT :size OFFSET :skip"
    )
    return public.execute(rows, {"size": PAGE_SIZE, "skip": (number - 1) * PAGE_SIZE}).mappings().all()
