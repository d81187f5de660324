"""Vector tiles by ST_AsMVT, read through the public role; a tile is a function of layer, z, x, y and revision."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

from flask import Response, request
from sqlalchemy import Connection, text

from schemas.refusals import invalid, not_found
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.layers import LAYERS, PRIVACY_ZONES

section = Section("tiles", __name__, Audience.PUBLIC)

MAX_ZOOM = 16
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
# A reader of the map may hold a tile this long without asking again.
FRESH_S = 60
# Symbols reach over the edge of their tile; without a margin they would be cut there.
BUFFER_PX = 64
EXTENT = 4096
CACHED_TILES = 2048
_TILE = """
WITH cell AS (SELECT ST_TileEnvelope(:z, :x, :y) AS exact, ST_TileEnvelope(:z, :x, :y, margin => :margin) AS wide)
SELECT coalesce(ST_AsMVT(t, :layer, :extent, 'shape'), '')
FROM (
    SELECT {columns}, ST_AsMVTGeom(r.geom_3857, cell.exact, :extent, :buffer, true) AS shape
    FROM {source}, cell
    WHERE r.geom_3857 && cell.wide AND {condition}
) AS t WHERE t.shape IS NOT NULL
"""
_THEME = "r.public_id, r.kind, r.state, r.title_en, r.title_zh"
_BASE_SOURCE = "public_map.base_features AS r"
# Every page says in its banner that the sample district is fictional; on a map, that word in each name is noise.
_BASE_COLUMNS = (
    "r.public_id, r.kind, r.rank, replace(r.name_en, ' (fictional)', '') AS name_en, "
    "replace(r.name_zh, '（虚构）', '') AS name_zh"
)
# What has a high rank shows only from near.
_BASE_CONDITION = "r.rank <= greatest(:z - 10, 0)"
STATEMENTS = {
    name: _TILE.format(columns=_THEME, source=layer.select, condition="r.state <> 'retired'")
    for name, layer in LAYERS.items()
} | {"basemap": _TILE.format(columns=_BASE_COLUMNS, source=_BASE_SOURCE, condition=_BASE_CONDITION)}
# The revision and the tile come from one snapshot, in one trip; what the asker knows already is not drawn.
_ASK = "SELECT now.revision, CASE WHEN now.revision <> ALL (:known) THEN ({tile}) END FROM {now} AS now"
# A zone begins and ends at its own hour, when nothing is recorded and no day begins.
_ZONES_NOW = (
    "(SELECT r.revision || (SELECT format('-%s-%s', count(*), count(*) FILTER (WHERE z.valid_from <= now())) "
    "FROM public_map.privacy_zones z) AS revision FROM public_map.revision r)"
)
_ASKED = {
    name: text(_ASK.format(tile=tile, now=_ZONES_NOW if name == PRIVACY_ZONES.name else "public_map.revision"))
    for name, tile in STATEMENTS.items()
}


@section.page("/tiles/<layer>/<z>/<x>/<y>.mvt", GET=Permission.BROWSE)
def tile(layer: str, z: str, x: str, y: str) -> Response:
    """One tile; 304 when the reader holds it already, 422 outside the pyramid."""
    if layer not in STATEMENTS:
        raise not_found("layer.unknown", "web.layer_unknown", measured=layer[:40], required=", ".join(STATEMENTS))
    address = _address(z, x, y)
    prefix = f"{layer}-{'-'.join(map(str, address))}-"
    tags = request.if_none_match.as_set(include_weak=True)
    held = [tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)]
    with public_connection() as public:
        version, packed = _current(public, layer, address, held)
    tag = prefix + version
    response = Response(status=304) if request.if_none_match.contains_weak(tag) else _body(packed)
    # Weak: packed and plain are two sequences of bytes of one tile.
    response.set_etag(tag, weak=True)
    response.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _address(z: str, x: str, y: str) -> tuple[int, int, int]:
    if all(len(part) <= 6 and part.isascii() and part.isdigit() for part in (z, x, y)):
        address = int(z), int(x), int(y)
        if address[0] <= MAX_ZOOM and max(address[1:]) < 2 ** address[0]:
            return address
    raise invalid("tile.range", "web.tile_range", measured=f"{z}/{x}/{y}"[:40], required=MAX_ZOOM)


def _body(packed: bytes) -> Response:
    if request.accept_encodings.quality("gzip") > 0:
        return Response(packed, mimetype=MEDIA_TYPE, headers={"Content-Encoding": "gzip"})
    return Response(gzip.decompress(packed), mimetype=MEDIA_TYPE)


class TileCache:
    """The packed tiles that were asked for last, each with the revision that it was drawn from."""

    def __init__(self, size: int = CACHED_TILES) -> None:
        self._size = size
        self._tiles: OrderedDict[Hashable, tuple[str, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> tuple[str, bytes] | None:
        """The tile of that key with its revision, or None."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
            return self._tiles.get(key)

    def put(self, key: Hashable, version: str, packed: bytes) -> None:
        """Keeps a tile; the one that was asked for longest ago goes when there is no more room."""
        with self._lock:
            self._tiles[key] = version, packed
            self._tiles.move_to_end(key)
            while len(self._tiles) > self._size:
                self._tiles.popitem(last=False)


_cache = TileCache()


def _current(public: Connection, layer: str, address: tuple[int, int, int], held: list[str]) -> tuple[str, bytes]:
    """The present revision and the packed tile; the tile counts only where the reader does not hold that revision."""
    key = (public.engine.url.database, layer, address)
    kept_version, kept = _cache.get(key) or ("", b"")
    version, drawn = _drawn(public, layer, address, [*held, kept_version])
    if drawn is None:
        return version, kept
    packed = gzip.compress(drawn, 6)
    _cache.put(key, version, packed)
    return version, packed


def _drawn(public: Connection, layer: str, address: tuple[int, int, int], known: list[str]) -> tuple[str, bytes | None]:
    """The present revision and the tile as Mapbox Vector Tile bytes; None for a revision that is known."""
    values = dict(zip("zxy", address, strict=True)) | {
        "layer": layer,
        "extent": EXTENT,
        "buffer": BUFFER_PX * EXTENT // 512,
        "margin": BUFFER_PX / 512,
        "known": known,
    }
    version, drawn = public.execute(_ASKED[layer], values).one()
    return version, None if drawn is None else bytes(drawn)
