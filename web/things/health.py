"""The command centre's page: which devices are not well, and which views too few devices give."""

from __future__ import annotations

import uuid
from collections import Counter

from flask import render_template, request

from schemas.actors import Actor
from sensing.sensors.beats import ill_devices, short_views
from sensing.sensors.health import Fault, thresholds
from web.i18n import gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import ROLES, Audience, Permission, Section

section = Section("health", __name__, Audience.THINGS)


def says(fault: str) -> str:
    """A fault in the reader's language."""
    told = {
        Fault.OFFLINE: gettext("Offline"),
        Fault.BLACK: gettext("Black picture"),
        Fault.BLURRED: gettext("Blurred"),
        Fault.FROZEN: gettext("Frozen"),
        Fault.MOVED: gettext("Moved"),
    }
    return told[Fault(fault)]


@section.page("/sta/health", GET=Permission.READ_HEALTH)
def page() -> str:
    """Devices of one's own authorities that are not well, the longest unheard first; `fault` picks one fault."""
    house, wanted = services(), request.args.get("fault", "")
    with house.session() as session:
        mine, now = _authorities(current_actor()), house.clock.now()
        ill, short = ill_devices(session, now, mine), short_views(session, now, mine)
    counts = Counter(fault for one in ill for fault in one.faults)
    shown = [one for one in ill if not wanted or wanted in one.faults]
    return render_template(
        "things/health.html",
        headline=_headline(len(ill), len(short)),
        ill=shown,
        short=short,
        total=len(ill),
        counts=dict(sorted(counts.items())),
        fault=wanted,
        says=says,
        minutes=thresholds().offline_min,
    )


def _authorities(actor: Actor) -> set[uuid.UUID]:
    return {grant.authority_id for grant in actor.grants if grant.role in ROLES[Permission.READ_HEALTH]}


def _headline(ill: int, short: int) -> str:
    if not ill and not short:
        return gettext("All devices are well")
    if not ill:
        return ngettext("%(num)d view is short", "%(num)d views are short", short)
    return ngettext("%(num)d device needs a look", "%(num)d devices need a look", ill)
