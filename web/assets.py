"""Bundles and pictures of our own: each address carries the hash of its content, so browsers keep it for a year."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, request, send_from_directory, url_for

from web.permissions import Audience, Permission, Section

FOLDER = Path(__file__).parent / "static"
YEAR_S = 31_536_000
PACKED = (".js", ".css", ".svg")

section = Section("assets", __name__, Audience.PUBLIC)


def register(app: Flask) -> None:
    """Gives templates `asset("dist/app.css")`."""
    app.jinja_env.globals.update(asset=asset)
    app.register_blueprint(section)


@section.page("/static/<path:name>", GET=Permission.BROWSE)
def static(name: str) -> Response:
    """One file of the bundle; chunks carry a hash in their name, entries in their query."""
    named_by_content = "v" in request.args or "/chunk-" in name
    # The plain file decides first: unknown names, paths that leave the folder and known ETags are its matter.
    response = send_from_directory(FOLDER, name, conditional=True, max_age=YEAR_S if named_by_content else None)
    if name.endswith(".js"):
        response.headers["Content-Type"] = "text/javascript; charset=utf-8"
    if response.status_code == 200 and request.method == "GET" and name.endswith(PACKED):
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0:
            response.direct_passthrough = False
            response.set_data(_packed(name, (FOLDER / name).stat().st_mtime_ns))
            response.headers["Content-Encoding"] = "gzip"
    return response


@cache
def _packed(name: str, _changed_ns: int) -> bytes:
    return gzip.compress((FOLDER / name).read_bytes(), 6)


def asset(name: str) -> str:
    """The address of a file in web/static, with the hash of its content."""
    return url_for("assets.static", name=name, v=_hash(name, (FOLDER / name).stat().st_mtime_ns))


@cache
def _hash(name: str, _changed_ns: int) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]
