"""The page on which a unit head ends a privacy zone: what it is, the reason and the day."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy import text

from geo import commands
from schemas.refusals import RuleViolation, not_found
from web.errors import wants_page
from web.i18n import current_language, gettext, local_zone, weekday
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.registry import words as registry_words
from web.registry.steps import Field, Step, day_of, text_of, typed
from web.words import ZONE_KINDS, in_both

section = Section("zone_ending", __name__, Audience.ZONES)

# As everybody may see it: a hidden place has neither name nor kind here.
_SHOWN = text("""
    SELECT public_id, kind, name_en, name_zh, buffer_m, valid_from, valid_to
    FROM public_map.privacy_zones WHERE public_id = :name
""")


@section.page("/zones/zone/<public_id>", GET=Permission.DECIDE_ZONE, POST=Permission.DECIDE_ZONE)
def zone(public_id: str) -> Response:
    """One zone, and its end."""
    if request.method == "GET":
        return _page(public_id)
    try:
        until = day_of("ends_on", required=False)
        ends_at = datetime.combine(until, time(0), local_zone()).astimezone(UTC) if until else None
        with services().work(current_actor()) as work:
            commands.end_privacy_zone(work, public_id, reason=text_of("reason", 500), ends_at=ends_at)
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(public_id, refused)
    # What has ended stands on no list any more.
    return make_response(redirect(f"/zones/zone/{public_id}?done=end" if until else "/zones", 303))


def _page(public_id: str, refused: RuleViolation | None = None) -> Response:
    with public_connection() as public:
        row = public.execute(_SHOWN, {"name": public_id}).mappings().one_or_none() if "\0" not in public_id else None
    if row is None:
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40])
    page = render_template(
        "zones/zone.html",
        row=row,
        name=_name(dict(row)),
        end=_step(),
        refusals=refused.render(current_language()) if refused else [],
        tried="end" if refused else "",
        typed=typed() if refused else {},
        says=registry_words,
        ends_on=weekday(row["valid_to"]) if row["valid_to"] else "",
    )
    return make_response(page, refused.status if refused else 200)


def _name(row: dict[str, Any]) -> dict[str, str]:
    if row["name_en"]:
        return {"en": row["name_en"], "zh": row["name_zh"]}
    return dict(in_both(ZONE_KINDS, row["kind"]))


def _step() -> Step:
    return Step(
        name="end",
        title=gettext("End this zone"),
        button=gettext("End this zone"),
        fields=(
            Field("reason", gettext("Reason, for the record"), most=500, hint=gettext("Without names and addresses.")),
            Field(
                "ends_on",
                gettext("It ends at the beginning of"),
                "date",
                required=False,
                hint=gettext("At once if left empty."),
            ),
        ),
        follows=gettext(
            "From then on devices may look there again; each that was stopped needs a step of its own to come back. "
            "Another shape is another zone: have that granted first."
        ),
        heavy=True,
    )
