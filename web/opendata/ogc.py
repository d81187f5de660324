"""OGC API Features: the open layers for GIS programs, page by page; for people, the way to the pages."""

from __future__ import annotations

from typing import Any

from flask import Response, json, redirect, request

from schemas.refusals import not_found
from web.i18n import current_language, gettext
from web.opendata import ogc_api, ogc_check, stamps
from web.opendata.bounds import WHOLE_WORLD, bounds
from web.opendata.layers import COLUMNS, OpenLayer, open_layer
from web.opendata.ogc_terms import CONFORMANCE
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.layers import LAYERS
from web.public.sequence import conditional

section = Section("ogc", __name__, Audience.PUBLIC)
GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
LONGEST_ID = 64
OPENAPI_30 = "application/vnd.oai.openapi+json;version=3.0"


@section.page("/ogc", rate="data", GET=Permission.BROWSE)
@section.page("/ogc/", rate="data", GET=Permission.BROWSE)
def landing() -> Response:
    """Where everything is."""
    ogc_check.known(request.args)
    if _wants_page():
        return _to_page("/data")
    base = _base()
    links = [
        ("self", "application/json", gettext("This document"), f"{base}?f=json"),
        ("alternate", "text/html", gettext("Open data, as a page"), f"{base}?f=html"),
        ("service-desc", OPENAPI_30, gettext("What may be asked here"), f"{base}/openapi"),
        ("service-doc", "text/html", gettext("Open data, as a page"), f"{base}/openapi?f=html"),
        ("conformance", "application/json", gettext("What this service promises"), f"{base}/conformance"),
        ("data", "application/json", gettext("The layers"), f"{base}/collections"),
    ]
    body = {
        "title": "Skywarden",
        "description": gettext("Everything that watches here, as the law has it published."),
        "links": [{"rel": rel, "type": kind, "title": title, "href": href} for rel, kind, title, href in links],
    }
    return _json(body)


@section.page("/ogc/conformance", rate="data", GET=Permission.BROWSE)
def conformance() -> Response:
    """Which parts of the standard hold here."""
    ogc_check.known(request.args)
    if _wants_page():
        return _to_page("/data#standards")
    return _json({"conformsTo": list(CONFORMANCE)})


@section.page("/ogc/collections", rate="data", GET=Permission.BROWSE)
def collections() -> Response:
    """All layers."""
    ogc_check.known(request.args)
    if _wants_page():
        return _to_page("/data")
    _, body = _ask("collections", None)
    for collection in body["collections"]:
        _with_files(collection)
    return _json(body)


@section.page("/ogc/collections/<name>", rate="data", GET=Permission.BROWSE)
def collection(name: str) -> Response:
    """One layer."""
    layer = open_layer(name)
    ogc_check.known(request.args)
    if _wants_page():
        return _to_page(f"/data#{name}")
    _, body = _ask("collections", layer.name)
    return _json(_with_files(body))


@section.page("/ogc/collections/<name>/<any(queryables, schema):kind>", rate="data", GET=Permission.BROWSE)
def columns(name: str, kind: str) -> Response:
    """What a record holds, and what may be asked of it by name."""
    layer = open_layer(name)
    ogc_check.known(request.args)
    if _wants_page():
        return _to_page(f"/data#columns-{name}")
    _, body = _ask(kind, layer.name)
    for column, said in body["properties"].items():
        if column in COLUMNS:
            said["description"] = gettext(COLUMNS[column].meaning)
    if kind == "queryables":
        body["additionalProperties"] = False
    return _json(body, SCHEMA)


@section.page("/ogc/collections/<name>/items", rate="data", GET=Permission.BROWSE)
def items(name: str) -> Response:
    """Records of one layer, page by page."""
    layer = open_layer(name)
    asked = ogc_check.of_items(layer, request.args)
    if _wants_page():
        return _to_page(f"/list?layer={name}" if name in LAYERS else layer.page)
    return _records(layer, "items", asked, layer.name)


@section.page("/ogc/collections/<name>/items/<public_id>", rate="data", GET=Permission.BROWSE)
def item(name: str, public_id: str) -> Response:
    """One record."""
    layer = open_layer(name)
    asked = ogc_check.of_item(request.args)
    if len(public_id) > LONGEST_ID:
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40])
    if _wants_page():
        return _to_page(f"{layer.page}{public_id}" if name in LAYERS else layer.page)
    return _records(layer, "item", asked, layer.name, public_id)


def _records(layer: OpenLayer, function: str, asked: ogc_check.Asked, *named: str) -> Response:
    with public_connection() as public:
        stamp = stamps.current(public)
    tag = stamp.tag(request.url, current_language())
    if stamps.is_held(tag):
        return conditional(_varying(Response(mimetype=GEOJSON)), tag, stamp.at, fresh_s=0)
    headers, body = _ask(function, *named, asked=asked)
    if function == "items" and int(asked.get("offset", 0)) + body["numberReturned"] >= body["numberMatched"]:
        # A last page that is full has no next one.
        body["links"] = [link for link in body["links"] if link["rel"] != "next"]
    response = _json(body, GEOJSON)
    response.headers["Content-Crs"] = headers["Content-Crs"]
    return conditional(response, tag, stamp.at, fresh_s=0)


def _ask(function: str, *named: str | None, asked: ogc_check.Asked | None = None) -> tuple[Any, dict[str, Any]]:
    box = WHOLE_WORLD
    if asked is None:
        with public_connection() as public:
            box = bounds(public)
    return ogc_api.ask(function, _base(), box, asked or ogc_check.Asked(), *named, titles=_titles)


def _titles(layer: OpenLayer) -> tuple[str, str]:
    return gettext(layer.title), gettext(layer.about)


def _with_files(body: dict[str, Any]) -> dict[str, Any]:
    """A collection with the links to its whole files."""
    from web.opendata.downloads import MEDIA_TYPES

    body["links"] += [
        {
            "rel": "enclosure",
            "type": kind,
            "title": f"{body['id']}.{suffix}",
            "href": f"{_root()}/data/{body['id']}.{suffix}",
        }
        for suffix, kind in MEDIA_TYPES.items()
    ]
    return body


def _root() -> str:
    return request.url_root.rstrip("/")


def _base() -> str:
    return f"{_root()}/ogc"


def _wants_page() -> bool:
    """Whether a person asks: by `f=html`, or by a browser that says nothing else."""
    form = request.args.get("f")
    if form is not None:
        return form == "html"
    kinds = [GEOJSON, SCHEMA, "application/json", "text/html"]
    return request.accept_mimetypes.best_match(kinds, default="application/json") == "text/html"


def _to_page(path: str) -> Response:
    response = redirect(path, 303)
    assert isinstance(response, Response)
    return _varying(response)


def _json(body: dict[str, Any], kind: str = "application/json") -> Response:
    return _varying(Response(json.dumps(body, ensure_ascii=False, sort_keys=False), mimetype=kind))


def _varying(response: Response) -> Response:
    response.vary.update(("Accept", "Accept-Language", "Cookie"))
    return response
