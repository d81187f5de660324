"""The edge: headers on every answer, the origin of every unsafe request, hosts, bodies, and no plain http outside."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import LengthRequired
from werkzeug.middleware.proxy_fix import ProxyFix

from schemas.limits import limit
from schemas.refusals import Kind, forbidden, invalid, not_found, violation

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# No inline script or style, nothing from elsewhere. MapLibre's worker is our own file; its images are data or blobs.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
# What stands below this may be put into a frame by anyone: it reads, and knows nobody.
FRAMED = "/embed/"
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), payment=(), usb=(), geolocation=(self)",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
HSTS = "max-age=31536000; includeSubDomains"


class UnsafeBinding(Exception):
    """The pages cannot, or must not, be served there; the message is the line that start-up prints."""


@dataclass(frozen=True)
class Edge:
    """Under which names the server answers, and whether a proxy in front of it ends TLS."""

    trusted_hosts: tuple[str, ...]
    behind_tls_proxy: bool = False
    tiles_from: str | None = None
    """Another origin that this installation was told to take its base map from."""

    @property
    def session_cookie(self) -> str:
        """The cookie's name; the prefix, which browsers enforce, needs https."""
        return "__Host-sid" if self.behind_tls_proxy else "sid"


def refuse_plain_http(host: str, *, behind_tls_proxy: bool) -> None:
    """Raises UnsafeBinding when passwords would cross a network in clear."""
    if behind_tls_proxy or is_loopback(host):
        return
    raise UnsafeBinding(
        f"Refusing to serve plain http on {host}: passwords and session cookies would cross the network in clear. "
        "Listen on 127.0.0.1, or put a proxy that ends TLS in front and set SKYWARDEN_BEHIND_TLS_PROXY=1."
    )


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine only: localhost, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def register(app: Flask, edge: Edge) -> None:
    """Installs hosts, limits, the origin check and the headers."""
    app.config.update(
        MAX_CONTENT_LENGTH=limit("form.bytes"),
        MAX_FORM_MEMORY_SIZE=limit("form.bytes"),
        MAX_FORM_PARTS=limit("form.parts"),
    )
    if edge.behind_tls_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=0)  # type: ignore[method-assign]
    app.wsgi_app = _whole_bodies(app.wsgi_app)  # type: ignore[method-assign]
    app.extensions["edge"] = edge
    app.before_request(lambda: check_host(edge))
    app.before_request(check_origin)
    app.before_request(check_length)
    app.before_request(check_text)
    app.after_request(set_headers)


def _whole_bodies(wsgi_app: Callable[..., Any]) -> Callable[..., Any]:
    """Has a body that ends before its declared length refused, where it would be read as if it were all."""

    def call(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401
        if environ.get("CONTENT_LENGTH"):
            # With this flag werkzeug takes any end of the stream for the end of the body.
            environ.pop("wsgi.input_terminated", None)
        return wsgi_app(environ, start_response)

    return call


def check_host(edge: Edge) -> None:
    """Refuses a host name that is not ours (werkzeug's own check knows no IPv6 literal)."""
    name = request.host
    bare = name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
    if bare.lower() not in edge.trusted_hosts:
        raise violation(Kind.SYNTAX, "host.unknown", "web.host_unknown")


def check_origin() -> None:
    """Refuses an unsafe request that another site caused; the browser itself says so, no form needs a token."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site != "same-origin":
            raise forbidden("origin.foreign", "web.origin_foreign")
        return
    origin = request.headers.get("Origin")
    if origin is not None:
        if origin != f"{request.scheme}://{request.host}":
            raise forbidden("origin.foreign", "web.origin_foreign")
        return
    # Every browser sends one of the two headers with a POST. A program without a cookie acts for nobody else.
    if request.cookies:
        raise forbidden("origin.foreign", "web.origin_foreign")


def check_length() -> None:
    """Refuses a body without a length: werkzeug takes what fits under the limit for all of it."""
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        raise LengthRequired


def check_text() -> None:
    """Refuses a NUL in the address: it is no text, and PostgreSQL takes none."""
    if "\x00" in request.path:
        raise not_found("page.unknown", "web.page_unknown")
    # To take apart a question that is none costs a tile a thirtieth.
    if request.query_string:
        _refuse_nul(request.args)


def check_form() -> None:
    """The same for a form; asked after permissions, because looking at a form reads the body."""
    if request.method not in SAFE_METHODS:
        _refuse_nul(request.form)


def _refuse_nul(texts: MultiDict[str, str]) -> None:
    for key, value in texts.items(multi=True):
        if "\x00" in key or "\x00" in value:
            shown = value[:40].replace("\x00", "\\0")
            name = key[:40].replace("\x00", "\\0")
            raise invalid("query.unknown", "web.query_unknown", name=name, measured=shown, required="text")


def content_security_policy(*, framed: bool, tiles_from: str | None) -> str:
    """The policy of a page: what may stand in a frame sends no form; a base map from elsewhere is fetched there."""
    policy = CONTENT_SECURITY_POLICY
    if framed:
        policy = policy.replace("frame-ancestors 'none'", "frame-ancestors *").replace(
            "form-action 'self'", "form-action 'none'"
        )
    if tiles_from:
        for directive in ("img-src 'self'", "connect-src 'self'"):
            policy = policy.replace(directive, f"{directive} {tiles_from}")
    return policy


@cache
def _every_answer(*, framed: bool, tiles_from: str | None) -> tuple[tuple[str, str], ...]:
    """The headers that stand on every answer which says nothing else."""
    found = {"Content-Security-Policy": content_security_policy(framed=framed, tiles_from=tiles_from)} | HEADERS
    return tuple((found if framed else found | {"X-Frame-Options": "DENY"}).items())


def set_headers(response: Response) -> Response:
    """Adds the security headers to every answer, errors included."""
    edge: Edge = current_app.extensions["edge"]
    framed = request.path.startswith(FRAMED)
    if framed:
        # Whoever looks into a frame of another site gets nothing to be known by.
        response.headers.remove("Set-Cookie")
    said = {name.lower() for name, _ in response.headers}
    for name, value in _every_answer(framed=framed, tiles_from=edge.tiles_from):
        if name.lower() not in said:
            response.headers.add(name, value)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = HSTS
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store" if request.cookies else "no-cache"
    # What caches may share is the same for every reader.
    if "public" not in response.headers["Cache-Control"]:
        response.vary.update(("Cookie", "Accept-Language"))
    return response
