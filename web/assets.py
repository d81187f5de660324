"""Bundles and pictures of our own: each address carries the hash of its content, so browsers keep it for a year."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Flask, Response, request, url_for
from werkzeug.security import safe_join

from schemas.refusals import not_found
from web.permissions import Audience, Permission, Section

FOLDER = Path(__file__).parent / "static"
YEAR_S = 31_536_000
# What is served, and as what; a file of any other kind is not there.
KINDS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

section = Section("assets", __name__, Audience.PUBLIC)


@dataclass(frozen=True)
class Asset:
    """A file as it is sent: plain and packed by the name of the packing, with the hash of its content."""

    plain: bytes
    packed: Mapping[str, bytes]
    digest: str


def register(app: Flask) -> None:
    """Gives templates `asset("dist/app.css")` and `needed("map.js")`."""
    app.jinja_env.globals.update(asset=asset, needed=needed)
    app.register_blueprint(section)


@section.page("/static/<path:name>", rate=None, GET=Permission.BROWSE)
def static(name: str) -> Response:
    """One file of the bundle; chunks carry a hash in their name, entries in their query."""
    inside = safe_join(str(FOLDER), name)
    kind = KINDS.get(Path(name).suffix)
    # `os.path.isfile` answers for a name of any length, where `Path.is_file` raises.
    if inside is None or kind is None or not os.path.isfile(inside):
        raise not_found("page.unknown", "web.page_unknown")
    found = _load(inside, Path(inside).stat().st_mtime_ns)
    packing = next((name for name in found.packed if request.accept_encodings.quality(name) > 0), None)
    content = found.packed[packing] if packing else found.plain
    response = Response(content, content_type=f"{kind}; charset=utf-8")
    if packing:
        response.headers["Content-Encoding"] = packing
    response.vary.add("Accept-Encoding")
    named_by_content = "v" in request.args or "/chunk-" in name
    response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable" if named_by_content else "no-cache"
    response.set_etag(f"{found.digest}{f'-{packing}' if packing else ''}")
    return response.make_conditional(request)  # type: ignore[return-value]


def asset(name: str) -> str:
    """The address of a file in web/static, with the hash of its content."""
    path = FOLDER / name
    return url_for("assets.static", name=name, v=_load(str(path), path.stat().st_mtime_ns).digest)


def needed(script: str) -> list[str]:
    """The addresses of what a script of the bundle needs before it can begin, as its own imports name them."""
    path = FOLDER / "dist" / "needs.json"
    return [f"/static/dist/{name}" for name in _needs(str(path), path.stat().st_mtime_ns)[script]]


@cache
def _needs(path: str, _changed_ns: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(Path(path).read_bytes())
    return found


@cache
def _load(path: str, _changed_ns: int) -> Asset:
    plain = Path(path).read_bytes()
    packed = {"gzip": gzip.compress(plain, 6)}
    beside = Path(f"{path}.br")
    if beside.is_file():
        # The build made it, at its best; it is the smaller one and so comes first.
        packed = {"br": beside.read_bytes(), **packed}
    return Asset(plain, packed, hashlib.sha256(plain).hexdigest()[:12])
