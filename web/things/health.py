"""The command centre's page: which devices are not well, and which views too few devices give."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

from flask import render_template, request

from geo.commands.incidents import count_to_answer, incidents_to_answer
from schemas.actors import Actor
from schemas.roles import Role
from sensing.sensors.beats import Heard, ill_devices, short_views, who_reports
from sensing.sensors.health import Fault, thresholds
from sensing.sensors.unwell import count_unwell
from web.i18n import gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import ROLES, Audience, Permission, Section
from web.registry.incidents import told
from web.registry.words import INCIDENTS
from web.waiting import Asking, Waiting

section = Section("health", __name__, Audience.THINGS)


def says(fault: str) -> str:
    """A fault in the reader's language."""
    told = {
        Fault.OFFLINE: gettext("Offline"),
        Fault.BLACK: gettext("Black picture"),
        Fault.COVERED: gettext("Covered or empty picture"),
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
        heard = who_reports(session, now, mine)
        waiting = incidents_to_answer(session, mine)
        incidents = [(device.public_id, device.name, row.kind, told(row), row.observed_at) for row, device in waiting]
    counts = Counter(fault for one in ill for fault in one.faults)
    shown = [one for one in ill if not wanted or wanted in one.faults]
    return render_template(
        "things/health.html",
        headline=_headline(len(incidents), len(ill), len(short), heard),
        heard=heard,
        incidents=incidents,
        kinds=INCIDENTS,
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


def health_waits(asking: Asking) -> Iterator[Waiting]:
    """Incidents at which the command centre has not looked yet, and devices that are not well."""
    mine = {grant.authority_id for grant in asking.actor.grants if grant.role is Role.COMMAND_CENTRE}
    if mine:
        count = count_to_answer(asking.db, mine)
        said = ngettext("%(num)d incident to look at", "%(num)d incidents to look at", count)
        yield Waiting(count, said, None, "/sta/health#incidents")
        ill = count_unwell(asking.db, services().clock.now(), mine)
        said = ngettext("%(num)d device needs a look", "%(num)d devices need a look", ill)
        yield Waiting(ill, said, None, "/sta/health")


def _headline(incidents: int, ill: int, short: int, heard: Heard) -> str:
    if incidents:
        return ngettext("%(num)d incident to look at", "%(num)d incidents to look at", incidents)
    if not ill and not short:
        # Of a device that says nothing nobody knows how it is.
        return gettext("All devices that report are well") if heard.reporting else gettext("No device reports")
    if not ill:
        return ngettext("%(num)d view is short", "%(num)d views are short", short)
    return ngettext("%(num)d device needs a look", "%(num)d devices need a look", ill)
