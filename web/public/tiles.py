"""Public vector tiles: drawn by PostGIS from the public views, a pure function of layer, place, day and version.

A tile is drawn when it is asked for and nothing newer is kept. While nothing that the public sees has changed, which is
asked of the database once a second, tiles are handed out without it.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from flask import Response, current_app, request
from sqlalchemy import Connection, text

from schemas.refusals import invalid, not_found
from web.lasting import Lasting
from web.packing import PACKED_AT, takes_gzip
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.kept import Keeper, database_name, kept, later, map_lag_s, revision_now
from web.public.prepared import Statement, moment, one_row, statement
from web.public.sequence import is_settled
from web.public.tile_sql import HISTORY_LAYERS, LEVELS, SINGLE_FROM, TILE_LAYERS, VALUES, TileLayer
from web.security import Edge

section = Section("tiles", __name__, Audience.PUBLIC)

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
# A reader of the map may hold a tile this long without asking again.
FRESH_S = 60
# No tile is larger, packed or not; one that would be is drawn with less in it.
MOST_BYTES = 500_000
KEPT_BYTES = 64 << 20
# What a tile takes beside its bytes, most of it the heads of its answers.
BESIDE_BYTES = 4500
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Manner(NamedTuple):
    """How a tile is asked for: all that its answer depends on, beside the tile."""

    edge: Edge
    is_secure: bool
    held: bool
    packed: bool


@dataclass(frozen=True)
class Tile:
    """A tile as it is sent, the version that it was drawn from, and the answers that were given with it."""

    version: str
    packed: bytes
    # Since when all that is public has been as it was when this was drawn; None where nothing tells that.
    at: datetime | None = None
    answers: dict[Manner, Lasting] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Asked:
    """Which tile: its layer and address, the day for which the map is asked, and whose devices alone."""

    layer: TileLayer
    z: int
    x: int
    y: int
    on: date | None = None
    authority: str | None = None

    @property
    def tag(self) -> str:
        """What every ETag of this tile begins with."""
        of_day = f"-{self.on}" if self.on else ""
        of_one = f"-{self.authority}" if self.authority else ""
        return f"{self.layer.name}-{self.z}-{self.x}-{self.y}{of_day}{of_one}-"

    @property
    def values(self) -> dict[str, Any]:
        """What its statement takes."""
        return {"z": self.z, "x": self.x, "y": self.y, "on": self.on, "authority": self.authority}


@section.page("/tiles/<layer>/<z>/<x>/<y>.mvt", rate="tiles", GET=Permission.BROWSE)
def tile(layer: str, z: str, x: str, y: str) -> Response:
    """One tile; 304 when the reader holds it already, 422 outside the pyramid or for a day that is none."""
    asked = _asked(layer, z, x, y)
    found = _current(asked)
    tag = asked.tag + found.version
    settled = found.at if found.at and is_settled(found.at) else None
    held = _is_held(tag, settled)
    packed = not held and takes_gzip(request.headers.get("Accept-Encoding", ""))
    manner = Manner(current_app.extensions["edge"], request.is_secure, held, packed)
    return found.answers.get(manner) or _answer(found, tag, settled, manner)


def _answer(found: Tile, tag: str, settled: datetime | None, manner: Manner) -> Response:
    """The answer made anew; it is kept where it will be the same in a second, and of the bodies the packed one."""
    response: Response
    if not (manner.held or manner.packed):
        response = Response(gzip.decompress(found.packed), mimetype=MEDIA_TYPE)
    else:

        def keep(whole: Lasting) -> None:
            if settled or not found.at:
                found.answers[manner] = whole

        if manner.held:
            response = Lasting(status=304, keep=keep)
        else:
            response = Lasting(found.packed, mimetype=MEDIA_TYPE, keep=keep)
            response.headers["Content-Encoding"] = "gzip"
    # Weak: packed and plain are two sequences of bytes of one tile.
    response.headers["ETag"] = f'W/"{tag}"'
    if settled:
        response.last_modified = settled
    response.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _is_held(tag: str, at: datetime | None) -> bool:
    """Whether the reader holds the tile; who names contents is not answered by a date (RFC 9110, 13.1.3)."""
    named = request.headers.get("If-None-Match")
    if named is not None:
        return named == f'W/"{tag}"' or request.if_none_match.contains_weak(tag)
    since = request.if_modified_since
    return at is not None and since is not None and at.replace(microsecond=0) <= since


def _asked(name: str, z: str, x: str, y: str) -> Asked:
    if name not in TILE_LAYERS:
        raise not_found("layer.unknown", "web.layer_unknown", measured=name[:40], required=", ".join(TILE_LAYERS))
    layer = TILE_LAYERS[name]
    if not request.query_string:
        return Asked(layer, *_address(layer, z, x, y))
    on, authority = _day(), request.args.get("authority") or None
    if on:
        if name not in HISTORY_LAYERS:
            raise not_found(
                "layer.unknown", "web.layer_unknown", measured=name[:40], required=", ".join(HISTORY_LAYERS)
            )
        layer = HISTORY_LAYERS[name]
    if authority and (name != "clusters" or authority not in kept("authorities", _authorities)):
        raise invalid(
            "query.unknown", "web.query_unknown", name="authority", measured=authority[:40], required="clusters"
        )
    return Asked(layer, *_address(layer, z, x, y), on, authority)


def _address(layer: TileLayer, z: str, x: str, y: str) -> tuple[int, int, int]:
    if all(len(part) <= 6 and part.isascii() and part.isdigit() for part in (z, x, y)):
        address = int(z), int(x), int(y)
        if layer.first <= address[0] <= layer.last and max(address[1:]) < 2 ** address[0]:
            return address
    raise invalid("tile.range", "web.tile_range", measured=f"{z}/{x}/{y}"[:40], required=layer.last, first=layer.first)


def _day() -> date | None:
    """The past day for which the map is asked; None for today."""
    value = request.args.get("on", "")
    if not value:
        return None
    try:
        asked = date.fromisoformat(value) if _DAY.fullmatch(value) else None
    except ValueError:
        asked = None
    now = today()
    if asked is None or asked > now:
        raise invalid(
            "query.unknown", "web.query_unknown", name="on", measured=value[:40], required=f"YYYY-MM-DD, {now} at most"
        )
    return asked if asked < now else None


def _authorities(public: Connection) -> frozenset[str]:
    return frozenset(public.execute(text("SELECT public_id FROM public_map.authorities")).scalars())


TILES = Keeper(KEPT_BYTES, lambda tile: len(tile.packed) + BESIDE_BYTES)


def _current(asked: Asked) -> Tile:
    """The tile as it is now: from near as of a second ago at most, from afar and of the past as of some more."""
    is_near = asked.z >= SINGLE_FROM and asked.on is None and asked.layer.by_cell
    return TILES.current(
        (database_name(), asked),
        None if asked.layer.by_content else revision_now(),
        lambda last: _drawn(asked, last),
        0.0 if is_near else map_lag_s(),
        later(),
    )


def _drawn(asked: Asked, last: Tile | None) -> Tile:
    """The tile drawn anew; the last one where it is of the present version."""
    layer = asked.layer
    version = None if layer.by_content else layer.version(asked.z, of_day=asked.on is not None)
    with public_connection() as public:
        values = asked.values | {"known": last.version if last else ""}
        now, drawn, at = _row(public, _statement(version, layer.drawing(asked.z)), values)
        if drawn is None:
            assert last is not None
            return last
        for level in LEVELS:
            if len(drawn) <= MOST_BYTES:
                break
            values |= {"known": "", "level": level}
            now, drawn, at = _row(public, _statement(version, layer.thinned), values)
            assert drawn is not None
    return Tile(now, gzip.compress(drawn, PACKED_AT, mtime=0), at)


def _row(public: Connection, asked: Statement, values: dict[str, Any]) -> tuple[str, bytes | None, datetime | None]:
    version, drawn, at = one_row(public, asked, values)
    assert version is not None
    return version.decode(), drawn, moment(at)


@lru_cache(256)
def _statement(version: str | None, drawing: str) -> Statement:
    """The version and the tile, of one snapshot, in one trip; a tile whose version is known is not drawn.

    Without a version of its own a tile is drawn, and its bytes say whether it is another.
    """
    if version is None:
        changed = "md5(d.tile) <> :known"
        sql = f"SELECT md5(d.tile), CASE WHEN {changed} THEN d.tile END, NULL::timestamptz FROM ({drawing}) AS d (tile)"
    else:
        # The version is asked for once, and not again for each of its two uses.
        once = f"{version} OFFSET 0"
        changed, at = "v.version <> :known", "SELECT s.at FROM public_map.sequence s"
        sql = (
            f"SELECT v.version, CASE WHEN {changed} THEN ({drawing}) END, CASE WHEN {changed} THEN ({at}) END "
            f"FROM ({once}) AS v (version)"
        )
    return statement(sql, VALUES)
