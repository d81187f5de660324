"""Which answers pages of other sites may read: what anyone may read anyway, without cookies, and nothing else."""

from __future__ import annotations

from flask import Flask, Response, request

from web.security import SAFE_METHODS

# Where the addresses begin that programs read; a page, a form or a desk is none of them.
PUBLIC_READS: tuple[str, ...] = ("/data/", "/tiles/", "/ogc", "/openapi.json", "/feeds/", "/ledger/")
PUBLIC_FILES: tuple[str, ...] = ("/proof.json",)
# Where the front page leads programs that read its head alone (RFC 8288).
LINKS = (
    '</openapi.json>; rel="service-desc"; type="application/json"',
    '</ogc>; rel="service"; type="application/json"; title="OGC API Features"',
    '</data>; rel="service-doc"; type="text/html"',
    '</feeds/changes.atom>; rel="alternate"; type="application/atom+xml"',
)
ASKED_BY_CACHES = "If-Modified-Since, If-None-Match, If-Range, Range"
TOLD = "Accept-Ranges, Content-Crs, Content-Disposition, Content-Range, ETag, Last-Modified, Link, Retry-After"
DAY_S = 86_400


def register(app: Flask) -> None:
    """Installs the answers to preflights and the headers, which are wider than those of web/security.py."""
    app.before_request(preflight)
    app.after_request(open_to_all)
    app.after_request(lead_programs)


def is_public_read(path: str) -> bool:
    """Whether programs read there; an error there is told as problem+json and may be read from anywhere as well."""
    return path.startswith(PUBLIC_READS) or path.endswith(PUBLIC_FILES)


def preflight() -> Response | None:
    """The answer to a browser that asks whether a page of another site may read with headers of its own."""
    if request.method != "OPTIONS" or not is_public_read(request.path):
        return None
    if request.headers.get("Access-Control-Request-Method") not in SAFE_METHODS:
        return None
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
    response.headers["Access-Control-Allow-Headers"] = ASKED_BY_CACHES
    response.headers["Access-Control-Max-Age"] = str(DAY_S)
    return response


def open_to_all(response: Response) -> Response:
    """Lets any page read what is public; without credentials, so that nobody's session is lent."""
    if is_public_read(request.path) and request.method in SAFE_METHODS:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = TOLD
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        # The language that a page remembers is no matter of a program.
        response.headers.remove("Set-Cookie")
    return response


def lead_programs(response: Response) -> Response:
    """Tells on the front page where programs find everything."""
    if request.path == "/" and response.status_code == 200:
        response.headers["Link"] = ", ".join(LINKS)
    return response
