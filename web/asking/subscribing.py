"""Being told what changes in a place: where, by a feed or by mails, the two steps of a mail, its end in one click."""

from __future__ import annotations

from urllib.parse import urlencode

import shapely
from flask import Response, make_response, redirect, render_template, request
from shapely.geometry import mapping
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from schemas.refusals import invalid, not_found, refuse
from web.addresses import is_address
from web.asking import links, mails, subscriptions
from web.asking.changes import Change, Filter, latest
from web.asking.places import FIELDS, WATCHED, Place, is_given, read_place
from web.asking.slow import slowly
from web.errors import wants_page
from web.i18n import current_language
from web.identity.request_identity import services
from web.permissions import Audience, Permission, Section
from web.planner.forms import Faults, Form
from web.public.database import public_connection
from web.public.overview import desk_map

section = Section("subscribing", __name__, Audience.PUBLIC)

_SHOWN = 5


@section.page("/subscribe", GET=Permission.BROWSE, POST=Permission.SUBSCRIBE)
def subscribe() -> Response:
    """Where; then what changed there lately, its feed, and the address that mails may go to."""
    if request.method == "GET":
        form = Form(request.args)
        with public_connection() as public:
            place = read_place(form, public, WATCHED) if is_given(form) else None
            return _page(public, request.args, form.faults, place)
    house = services()
    if not house.settings.sends_mail:
        raise invalid("ask.no_mail", "ask.no_mail")
    slowly(("network", ""))
    form = Form(request.form)
    address = form.raw("address")
    if not is_address(address):
        form.faults.add(refuse("form.field", "ask.address"), "address")
    with public_connection() as public:
        place = read_place(form, public, WATCHED)
        if form.faults or place is None:
            if not wants_page():
                form.faults.refuse()
            return _page(public, request.form, form.faults, place)
    new = subscriptions.NewSubscription(address, place.shape, place.words[:200], current_language())
    with house.housekeeping() as db:
        subscriptions.ask(db, new, house.clock.now())
    return make_response(redirect("/subscribe?done=asked", 303))


def _page(public: Connection, given: MultiDict[str, str], faults: Faults, place: Place | None) -> Response:
    found: list[Change] = []
    query: dict[str, str] = {}
    if place is not None:
        found = latest(public, Filter(shapely.to_geojson(place.shape)), before=None, most=_SHOWN)[:_SHOWN]
        # Of one import all came at once: a reader looks for the latest day.
        found.sort(key=lambda change: change.on_day, reverse=True)
        query = place.query
    config = desk_map(public) | {"themes": ["devices", "patrol_areas", "patrol_routes", "deployment_points"]}
    if place is not None:
        west, south, east, north = place.shape.bounds
        config |= {"bounds": [west, south, east, north], "place": mapping(place.shape)}
    page = render_template(
        "asking/subscribe.html",
        typed={"radius": "500"} | {name: given.get(name, "") for name in (*FIELDS, "address") if given.get(name)},
        faults=faults,
        place=place,
        changes=[one.sentence(current_language()) for one in found],
        paths=[one.path for one in found],
        home=(services().settings.public_url or request.host_url).rstrip("/"),
        feed=f"/feeds/changes.atom?{urlencode(query | {'lang': current_language()})}",
        mail=services().settings.sends_mail,
        bounds=WATCHED,
        config=config | {"cooperative": True},
        done=request.args.get("done", ""),
    )
    response = make_response(page, 422 if faults else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


@section.page("/subscribe/confirm/<name>/<token>", GET=Permission.BROWSE, POST=Permission.SUBSCRIBE)
def confirm(name: str, token: str) -> Response:
    """Confirms a subscription. Opening the link does nothing yet, because programs open the links in mails too."""
    house = services()
    _check(mails.CONFIRM, name, token)
    with house.housekeeping() as db:
        wish = subscriptions.named(db, name)
        if wish is None or (request.method == "POST" and not subscriptions.confirm(db, name, house.clock.now())):
            raise not_found("ask.link", "ask.link")
        place, confirmed = wish.place_text, wish.confirmed_at is not None
    end = f"/subscribe/end/{name}/{links.token(house.data_dir, mails.END, name)}"
    return _step("confirm", place=place, over=confirmed, end=end)


@section.page("/subscribe/end/<name>/<token>", GET=Permission.BROWSE, POST=Permission.SUBSCRIBE)
def end(name: str, token: str) -> Response:
    """Ends a subscription and deletes it; a mail program does this with one POST and nothing else (RFC 8058)."""
    house = services()
    _check(mails.END, name, token)
    with house.housekeeping() as db:
        wish = subscriptions.named(db, name)
        place = wish.place_text if wish else ""
        if request.method == "POST":
            subscriptions.end(db, name)
    return _step("end", place=place, over=request.method == "POST" or wish is None)


def _check(purpose: str, name: str, token: str) -> None:
    if not links.is_token(services().data_dir, purpose, name, token):
        raise not_found("ask.link", "ask.link")


def _step(step: str, *, place: str, over: bool, end: str = "") -> Response:
    page = render_template("asking/step.html", step=step, place=place, over=over, end=end)
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response
