"""The public pages: map, list, records, rules, privacy. No login, and complete without scripts where they inform."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from functools import partial
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app, make_response, render_template, request
from markupsafe import Markup
from sqlalchemy import Connection, RowMapping, text

from schemas.limits import limit
from schemas.refusals import conflict, not_found
from schemas.rules.registry import registry
from schemas.rules.values import KEYS
from web import words
from web.i18n import current_language, day, days_left, gettext
from web.identity.request_identity import EXPIRY, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public import history, near, records, search, silence
from web.public.asked import (
    DEVICE_STATES,
    View,
    authority_asked,
    choice,
    day_asked,
    one_word,
    page_number,
    refuse_others,
    several,
    view_asked,
)
from web.public.database import public_connection
from web.public.kept import kept
from web.public.layers import BY_BRANCH, DEVICES, LAYERS, PATROL_ROUTES, PRIVACY_ZONES, Layer
from web.public.overview import Overview, headlines, map_config, near_words, overview_of, past_words
from web.public.picture import picture_of
from web.public.records import Query, Record
from web.public.symbols import OUTLINES

section = Section("public", __name__, Audience.PUBLIC)
# So many records beside the map, and so many of those that begin soon.
SHOWN = 12
STARTING = 3


@section.page("/", GET=Permission.BROWSE)
def home() -> Response:
    """The map with its answer: what watches here now or on a day of the past, and at one place when it is asked for."""
    status = 200
    with public_connection() as public:
        view = view_asked(public)
        found, hits, unknown = _asked(public)
        if unknown:
            status = 404
        overview = overview_kept(view.on)
        page = render_template(
            "public/home.html",
            overview=overview,
            view=view,
            publishers=kept("publishers", silence.publishers),
            soon=[] if view.on else kept(("soon", today()), partial(records.starting, most=STARTING)),
            config=map_config(overview, view) | {"near": near_words(), "past": past_words()},
            asked=one_word("q"),
            found=found,
            hits=hits,
            said=search.told(hits),
            unknown=unknown,
            listed=listed_first(view, SHOWN) if view.shows(DEVICES.name) else [],
            states=DEVICE_STATES[:5],
            checkpoint=_checkpoint(public),
            picture=_first_picture(overview),
            **headlines(overview, view.on),
        )
    return make_response(page, status)


def overview_kept(on: date | None) -> Overview:
    """The overview as every reader gets it: made once for all of them."""
    return kept(("overview", on, today()), partial(overview_of, on=on))


def _first_picture(overview: Overview) -> Markup:
    """The map as it opens, drawn once for all readers; nothing where the address asks for something else."""
    if request.args.keys() - {"lang"}:
        return Markup()
    own_base = current_app.extensions["basemap"] is None
    draw = partial(picture_of, bounds=overview.bounds, own_base=own_base)
    return kept(("picture", *overview.bounds, own_base, today()), draw)


def listed_first(view: View, size: int) -> list[Record]:
    """The first devices of a view, in words; what most readers ask for is made once for all of them."""
    query = Query(DEVICES, kind=view.kinds, state=view.states, authority=view.authority, on=view.on, size=size)
    return kept(("listed", view, size, today()), lambda public: page_of(public, query)[1])


def _asked(public: Connection) -> tuple[near.Answer | None, list[search.Hit], dict[str, Any] | None]:
    """What watches the place that is asked for, what else goes by these words, and the refusal where nothing does."""
    lon, lat, name = (one_word(key) for key in ("lon", "lat", "q"))
    if lon or lat:
        return near.ask(public, *near.coordinates(lon, lat)), [], None
    if not name:
        return None, [], None
    pair = near.pair_in(name)
    if pair:
        return near.ask(public, *near.coordinates(*pair)), [], None
    hits = search.found(public, name)
    # A place is answered; the number of a record is a hit alone.
    if not hits or hits[0].what != "place":
        unknown = not_found("place.unknown", "web.place_unknown", measured=name[:60]).refusals[0]
        return None, hits, None if hits else unknown.render(current_language())
    return near.ask_by_name(public, name), [hit for hit in hits if hit.what != "place"], None


def _checkpoint(public: Connection) -> RowMapping | None:
    """The last seal of the ledger."""
    return public.execute(text("SELECT checkpoint, sealed_at FROM public_map.checkpoint")).mappings().one_or_none()


def page_of(public: Connection, query: Query) -> tuple[int, list[Record]]:
    """How many records match, and those of the page: as they are, or as they were on a day of the past."""
    return history.page(public, query) if query.on else records.page(public, query)


@section.page("/list", GET=Permission.BROWSE)
def listing() -> str:
    """Everything that the map shows, in words; filters and pages are in the address."""
    refuse_others(("layer", "q", "kind", "state", "authority", "on", "page", "lang"))
    with public_connection() as public:
        query, kinds, states = _query(public)
    asked = tuple(getattr(query, field.name) for field in fields(query) if field.name != "layer")
    total, found = kept(("list", query.layer.name, asked, today()), lambda public: page_of(public, query))
    return render_template(
        "public/list.html",
        headline=_list_headline(query, total),
        layers=list(LAYERS),
        query=query,
        kinds=kinds,
        states=states,
        authorities=kept("publishers", silence.publishers),
        total=total,
        records=found,
        pages=-(-total // records.PAGE_SIZE),
        page_url=_with,
    )


def _with(**changed: str | int) -> str:
    """The address of this list with other words in it; an empty one leaves its word out."""
    words_said = {key: request.args.getlist(key) for key in request.args if key != "lang"}
    words_said |= {key: [str(value)] if value else [] for key, value in changed.items()}
    return f"/list?{urlencode(words_said, doseq=True)}"


def _query(public: Connection) -> tuple[Query, list[str], list[str]]:
    layer = LAYERS[choice("layer", list(LAYERS)) or DEVICES.name]
    kinds, states = (
        kept(("offered", layer.name, column), partial(records.offered, layer=layer, column=column))
        for column in ("kind", "state")
    )
    query = Query(
        layer,
        one_word("q", 80),
        _chosen("kind", kinds, layer),
        _chosen("state", states, layer),
        authority_asked(public),
        day_asked(),
        page_number(),
    )
    return query, kinds, states


def _chosen(key: str, offered: list[str], layer: Layer) -> tuple[str, ...]:
    """What a list is narrowed to; of a device any kind and state may be asked for, also where there is none now."""
    if layer is DEVICES:
        known = [*words.DEVICE_TYPES] if key == "kind" else [*DEVICE_STATES]
        return several(key, sorted({*offered, *known}))
    return several(key, offered)


def _list_headline(query: Query, total: int) -> str:
    what = words.layer(query.layer.name)
    if query.on:
        return gettext("%(what)s on %(date)s: %(n)s", what=what, date=day(query.on), n=total)
    if query.is_narrowed:
        return gettext("%(what)s: %(n)s match", what=what, n=total)
    return gettext("%(what)s: %(n)s published", what=what, n=total)


@section.page("/<any(device, area, point, route, zone):branch>/<public_id>", GET=Permission.BROWSE)
def record(branch: str, public_id: str) -> str:
    """One published record in full; the map's popup shows its card."""
    layer = BY_BRANCH[branch]
    too_long(public_id)
    with public_connection() as public:
        found = records.one(public, layer, public_id)
        return render_template("public/record.html", **_told(public, layer, found))


def too_long(public_id: str) -> None:
    """Refuses with 404 what no record can be called, before it is looked for."""
    if len(public_id) > 64:
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40])


def _told(public: Connection, layer: Layer, found: Record) -> dict[str, Any]:
    """All that a record's page says beside the record."""
    seen = records.appearances(public, found.public_id) if layer is not PRIVACY_ZONES else []
    return {
        "record": found,
        "seen": seen,
        "days": records.notice_days(found, seen),
        "announcements": records.announcements(public, found.public_id),
        "shares": records.shares(public, found.public_id) if layer is DEVICES else [],
        "flown": records.flown(public, found.public_id) if layer is PATROL_ROUTES else [],
        "past": history.states_of(public, layer, found.public_id),
    }


@section.page("/rules", GET=Permission.BROWSE)
def rules() -> str:
    """The rule pack in force and everybody's rights, in plain words."""
    pack = services().rules
    if pack is None:
        raise conflict("GD-02.1", "rules.no_pack", measured=today().isoformat())
    with public_connection() as public:
        authorities = [one for one in silence.publishers(public) if one.subjects]
    documents = [(dict(name), list(group)) for name, group in groupby(registry().values(), lambda rule: rule.document)]
    values = [(key, _shown(pack[key]), pack.source(key)) for key in sorted(KEYS)]
    return render_template("public/rules.html", pack=pack, documents=documents, authorities=authorities, values=values)


def _shown(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    dumped = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    return ", ".join(f"{k}: {v}" for k, v in dumped.items()) if isinstance(dumped, dict) else str(dumped)


@section.page("/privacy", GET=Permission.BROWSE)
def privacy() -> str:
    """What this site keeps about its readers."""
    return render_template(
        "public/privacy.html",
        idle_min=int(EXPIRY.idle.total_seconds() // 60),
        absolute_h=int(EXPIRY.absolute.total_seconds() // 3600),
        window_min=limit("login.window") // 60,
    )


@section.app_context_processor
def helpers() -> dict[str, Any]:
    """What all templates may use beside their own values."""
    return {"outlines": OUTLINES, "countdown": lambda until: days_left(until, today())}
