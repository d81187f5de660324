"""Feeds of what changes: everywhere, or within a circle, a polygon or a box (Atom, RFC 4287)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import shapely
from flask import Response, render_template, request
from shapely.geometry import Polygon, box
from sqlalchemy import text

from geo import measure
from geo.geojson import parse_geometry
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import LANGUAGES, RuleViolation, invalid
from web.asking.changes import SUBJECTS, Change, Filter, latest, tell
from web.asking.places import WATCHED
from web.i18n import current_language
from web.identity.request_identity import services
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.words import N_

section = Section("feeds", __name__, Audience.PUBLIC)

MOST = 100
FRESH_S = 300
KNOWN = ("circle", "polygon", "bbox", "authority", "kind", "before", "lang")
# Programs write a double with up to 18 digits.
_NUMBER = re.compile(r"-?\d{1,3}(?:\.\d{1,22})?")
_METRES = re.compile(r"\d{1,5}(?:\.\d{1,3})?")
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
# XML 1.0 has no way to write these.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SEQUENCE = text("SELECT seq, at FROM public_map.sequence")


@dataclass(frozen=True)
class _Wanted:
    shape: Polygon | None
    authority: str
    kind: str
    before: int | None


@section.page("/feeds/changes.atom", GET=Permission.BROWSE)
def changes() -> Response:
    """The newest changes, at most a hundred and those of the same moment; `next` leads to older ones."""
    wanted = _wanted()
    shape = shapely.to_geojson(wanted.shape) if wanted.shape is not None else ""
    with public_connection() as public:
        sequence = public.execute(_SEQUENCE).one()
        asked = Filter(shape, wanted.authority, wanted.kind)
        found = latest(public, asked, before=wanted.before, most=MOST)
    body = _atom(found, updated=found[0].at if found else sequence.at)
    response = Response(body, mimetype="application/atom+xml")
    if "lang" in request.args:
        # Otherwise the language is the reader's, and what caches share is the same for all.
        response.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    # What is in the feed, and nothing else, makes it another one: changes elsewhere leave it as it is.
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:32])
    response.last_modified = found[0].at if found else sequence.at
    return response.make_conditional(request)  # type: ignore[return-value]


def _atom(found: list[Change], updated: object) -> str:
    lang, house = current_language(), services()
    home = (house.settings.public_url or request.host_url).rstrip("/")
    args = {name: request.args[name] for name in KNOWN if name in request.args} | {"lang": lang}
    # A feed stays the same one in whatever page of it somebody reads.
    same = urlencode({name: value for name, value in args.items() if name != "before"})
    name = f"tag:{urlsplit(home).hostname or 'localhost'},2025:skywarden"
    entries = [
        {
            "id": f"{name}/change/{one.seq}/{one.public_id}/{one.change}",
            "title": _written(one.sentence(lang)),
            "updated": one.at.isoformat(),
            "url": f"{home}{one.path}",
        }
        for one in found
    ]
    older = f"{home}/feeds/changes.atom?{urlencode(args | {'before': found[-1].seq})}" if len(found) >= MOST else ""
    told = tell(lang, N_("What changes on the public map here"))
    return render_template(
        "asking/changes.xml",
        feed={
            "id": f"{name}/changes/{hashlib.sha256(same.encode()).hexdigest()[:24]}",
            "title": told if len(args) > 1 else tell(lang, N_("What changes on the public map")),
            "updated": updated.isoformat(),  # type: ignore[attr-defined]
            "self": f"{home}/feeds/changes.atom?{urlencode(args)}",
            "home": f"{home}/",
            "next": older,
            "lang": "zh-CN" if lang == "zh" else "en",
        },
        entries=entries,
    )


def _written(said: str) -> str:
    return _UNWRITABLE.sub("\ufffd", said)


def _wanted() -> _Wanted:
    args = request.args
    for name in args:
        if name not in KNOWN or len(args.getlist(name)) > 1:
            raise _wrong(name, args[name], ", ".join(KNOWN))
    if args.get("lang", "en") not in LANGUAGES:
        raise _wrong("lang", args["lang"], ", ".join(LANGUAGES))
    if sum(name in args for name in ("circle", "polygon", "bbox")) > 1:
        raise _wrong("circle, polygon, bbox", "", "1")
    kind, authority, before = args.get("kind", ""), args.get("authority", ""), args.get("before", "")
    if kind and kind not in SUBJECTS:
        raise _wrong("kind", kind, ", ".join(SUBJECTS))
    if authority and not _ID.fullmatch(authority):
        raise _wrong("authority", authority, "AU-…")
    if before and not (before.isascii() and before.isdigit() and len(before) < 18):
        raise _wrong("before", before, "1")
    return _Wanted(_shape(), authority, kind, int(before) if before else None)


def _shape() -> Polygon | None:
    if "circle" in request.args:
        return _circle(request.args["circle"])
    if "bbox" in request.args:
        west, south, east, north = _numbers("bbox", 4)
        if not (west < east and south < north):
            raise _wrong("bbox", request.args["bbox"], "west,south,east,north")
        return box(west, south, east, north)
    return _polygon(request.args["polygon"]) if "polygon" in request.args else None


def _circle(said: str) -> Polygon:
    parts = said.split(",")
    if len(parts) != 3 or not all(map(_NUMBER.fullmatch, parts[:2])) or not _METRES.fullmatch(parts[2]):
        raise _wrong("circle", said, "113.27,23.13,500")
    lon, lat, radius_m = map(float, parts)
    if abs(lon) > 180 or abs(lat) > 89 or not WATCHED.least_m <= radius_m <= WATCHED.most_m:
        raise _wrong("circle", said, f"113.27,23.13,{WATCHED.least_m:g}-{WATCHED.most_m:g}")
    return _sound("circle", [[lon, lat] for lon, lat in measure.circle(LonLat(lon, lat), radius_m).exterior.coords])


def _polygon(said: str) -> Polygon:
    corners = [corner.split(",") for corner in said.split(";")]
    most = limit("ask.corners")
    if len(corners) > most or any(len(one) != 2 or not all(map(_NUMBER.fullmatch, one)) for one in corners):
        raise _wrong("polygon", said, f"113.25,23.12;113.29,23.12;113.29,23.14 (3-{most})")
    ring = [[float(lon), float(lat)] for lon, lat in corners]
    return _sound("polygon", ring if ring[0] == ring[-1] else [*ring, ring[0]])


def _sound(name: str, ring: list[list[float]]) -> Polygon:
    shape = parse_geometry({"type": "Polygon", "coordinates": [ring]}, allow={"Polygon"})
    assert isinstance(shape, Polygon)
    if measure.area_m2(shape) > limit(WATCHED.area):
        raise _wrong(name, "", f"{limit(WATCHED.area) / 1e6:g} km²")
    return shape


def _numbers(name: str, count: int) -> list[float]:
    parts = request.args[name].split(",")
    if len(parts) != count or not all(map(_NUMBER.fullmatch, parts)):
        raise _wrong(name, request.args[name], "113.25,23.12,113.29,23.14")
    values = list(map(float, parts))
    if any(abs(value) > most for value, most in zip(values, (180, 90) * 2, strict=True)):
        raise _wrong(name, request.args[name], "-180..180, -90..90")
    return values


def _wrong(name: str, measured: str, required: str) -> RuleViolation:
    return invalid("query.unknown", "web.query_unknown", name=name[:40], measured=measured[:40], required=required)
