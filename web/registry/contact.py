"""Whom citizens ask at an authority, where and how: as the public reads it, and the form that changes it (GD-41.1)."""

from __future__ import annotations

from flask import Response, make_response, redirect, render_template, request

from geo import commands
from geo.commands.offices import FIELDS, LONGEST
from schemas.refusals import RuleViolation
from schemas.store.work import Work
from schemas.tables import Authority
from web.errors import wants_page
from web.i18n import gettext, in_words
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner.forms import Faults
from web.registry import words
from web.registry.reach import Office, asked_office, below, offices, own

section = Section("registry_contact", __name__, Audience.REGISTRY)


@section.page("/registry/contact", GET=Permission.READ_REGISTRY, POST=Permission.TELL_CONTACT)
def contact() -> Response:
    """Whom citizens ask at an authority; officers and unit heads of it change that here."""
    if request.method == "GET":
        return _page(Faults())
    try:
        with services().work(current_actor()) as work:
            office = asked_office(_within(work), current_actor())
            authority = work.session.get_one(Authority, office.id)
            told = commands.Contact(*(request.form.get(column, "") for column in FIELDS.values()))
            commands.change_contact(work, authority, told)
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        faults = Faults()
        for refusal in refused.refusals:
            faults.add(refusal, *filter(None, [refusal.params.get("name")]))
        return _page(faults, refused.status)
    return make_response(redirect(f"/registry/contact?authority={office.code}&done=1", 303))


def _within(work: Work) -> list[Office]:
    return offices(work.session, below(work.session, own(current_actor(), Permission.READ_REGISTRY)))


def _page(faults: Faults, status: int = 200) -> Response:
    with services().work(current_actor()) as work:
        within = _within(work)
        office = asked_office(within, current_actor())
        authority = work.session.get_one(Authority, office.id)
        stands = {column: getattr(authority, column) or "" for column in FIELDS.values()}
    typed = {column: request.form.get(column, "")[: 2 * LONGEST] for column in FIELDS.values()}
    page = render_template(
        "registry/contact.html",
        headline=_headline(office, stands["contact_person"]),
        office=office,
        offices=within,
        stands=stands,
        typed=typed if faults else stands,
        faults=faults,
        tells=office.id in own(current_actor(), Permission.TELL_CONTACT),
        says=words,
    )
    return make_response(page, status)


def _headline(office: Office, person: str) -> str:
    who = in_words(office.name)
    if not person:
        return gettext("Nobody is named whom citizens may ask at %(who)s", who=who)
    return gettext("Whom citizens ask at %(who)s", who=who)
