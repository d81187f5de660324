"""Answers packed for whoever asks: what the public reads, and nothing that may tell a session by how much it weighs.

Tiles and bundles are kept packed by who makes them (web/public/tiles.py, web/assets.py); every other public answer is
packed here, as the last thing that is done to it. Beside a session nothing is: how small a page becomes tells what in
it repeats what was asked (BREACH).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from gzip import compress

from flask import Response, request
from werkzeug.http import parse_accept_header

from web.lasting import Lasting
from web.permissions import Audience, GuardedFlask, declared_needs
from web.public.kept import Keeper
from web.security import SAFE_METHODS, Edge

# Below this the heads of an answer weigh more than what packing spares.
LEAST_BYTES = 1000
# Half the time of the usual level, for a tenth more bytes.
PACKED_AT = 4
KEPT_BYTES = 16 << 20
TEXTS = frozenset({"text/html", "text/css", "text/javascript", "text/plain", "application/json", "image/svg+xml"})

# Most pages are the same for many readers: each is packed once while it stays as it is.
_PACKED = Keeper(KEPT_BYTES, len)


def register(app: GuardedFlask) -> None:
    """Packs answers; to be called before whatever else changes them, for what is registered first is done last."""
    app.after_request(lambda response: pack(app, response))


@lru_cache(256)
def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` wants gzip, and wants the plain answer no more than that (RFC 9110, 12.5.3)."""
    said = parse_accept_header(accepted)
    plain = next((quality for name, quality in said if name == "identity"), 0.0)
    return 0 < said.quality("gzip") >= plain


def pack(app: GuardedFlask, response: Response) -> Response:
    """The answer packed, where it is text for everybody and its reader asks for that."""
    if not _may_be_packed(app, response):
        return response
    response.vary.add("Accept-Encoding")
    tag, is_weak = response.get_etag()
    if tag and not is_weak:
        # Packed and plain are two sequences of bytes of one answer.
        response.set_etag(tag, weak=True)
    if response.status_code == 304 or not takes_gzip(request.headers.get("Accept-Encoding", "")):
        return response
    plain = response.get_data()
    if len(plain) < LEAST_BYTES:
        return response
    key = hashlib.sha256(plain).digest()
    response.set_data(_PACKED.current(key, "", lambda _last: compress(plain, PACKED_AT, mtime=0), 0.0))
    response.headers["Content-Encoding"] = "gzip"
    return response


def _may_be_packed(app: GuardedFlask, response: Response) -> bool:
    """Whether it is text that is there as a whole, and nobody's session has a part in it."""
    needs = declared_needs(app)
    if request.method not in SAFE_METHODS or needs is None or needs.audience is not Audience.PUBLIC:
        return False
    if isinstance(response, Lasting) or not response.is_sequence or "Content-Encoding" in response.headers:
        return False
    kind = response.mimetype or ""
    if kind not in TEXTS and not kind.endswith(("+json", "+xml")):
        return False
    edge: Edge = app.extensions["edge"]
    return edge.session_cookie not in request.cookies and not _sets(response, edge.session_cookie)


def _sets(response: Response, cookie: str) -> bool:
    return any(said.startswith(f"{cookie}=") for said in response.headers.getlist("Set-Cookie"))
