"""The public register of requests for privacy zones: that one was made, and how it was decided; no place, no person."""

from __future__ import annotations

from flask import render_template, request
from sqlalchemy import text

from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.registry.steps import unreadable
from web.words import N_

section = Section("zone_register", __name__, Audience.PUBLIC)

PAGE_SIZE = 50
STATES = {
    "asked": N_("Waits for a decision"),
    "granted": N_("Granted"),
    "refused": N_("Refused"),
    "decided": N_("Decided; the result would tell the place"),
}
LOOKS = {"asked": "soon", "granted": "on", "refused": "stop"}
_ROWS = text("""
    SELECT public_id, authority_en, authority_zh, asked_in, state, decided_in, reasons_en, reasons_zh
    FROM public_map.zone_requests WHERE (:before = '' OR (asked_in, public_id) < (:month, :before))
    ORDER BY asked_in DESC, public_id DESC LIMIT :most
""")
_COUNT = text("SELECT count(*), count(*) FILTER (WHERE state = 'asked') FROM public_map.zone_requests")


@section.page("/zone-requests", GET=Permission.BROWSE)
def register() -> str:
    """Every request and its result, the latest first."""
    month, before = request.args.get("month", ""), request.args.get("before", "")
    if len(month) > 7 or len(before) > 40 or bool(month) != bool(before):
        raise unreadable("before", before, "ZR-…")
    with public_connection() as public:
        values = {"month": month, "before": before, "most": PAGE_SIZE + 1}
        found = [dict(row) for row in public.execute(_ROWS, values).mappings()]
        total, waiting = public.execute(_COUNT).one()
    rows = found[:PAGE_SIZE]
    more = (
        f"/zone-requests?month={rows[-1]['asked_in']}&before={rows[-1]['public_id']}" if len(found) > PAGE_SIZE else ""
    )
    return render_template(
        "zones/register.html", rows=rows, total=total, waiting_count=waiting, states=STATES, looks=LOOKS, next_url=more
    )
