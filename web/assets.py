"""Bundles and pictures of our own: each address carries the hash of its content, so browsers keep it for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, request, send_from_directory, url_for

from web.permissions import Audience, Permission, Section

FOLDER = Path(__file__).parent / "static"
YEAR_S = 31_536_000

section = Section("assets", __name__, Audience.PUBLIC)


def register(app: Flask) -> None:
    """Gives templates `asset("dist/app.css")`."""
    app.jinja_env.globals.update(asset=asset)
    app.register_blueprint(section)


@section.page("/static/<path:name>", GET=Permission.BROWSE)
def static(name: str) -> Response:
    """One file of the bundle; chunks carry a hash in their name, entries in their query."""
    named_by_content = "v" in request.args or "/chunk-" in name
    response = send_from_directory(FOLDER, name, conditional=True, max_age=YEAR_S if named_by_content else None)
    if name.endswith((".js", ".mjs")):
        response.headers["Content-Type"] = "text/javascript; charset=utf-8"
    return response


def asset(name: str) -> str:
    """The address of a file in web/static, with the hash of its content."""
    return url_for("assets.static", name=name, v=_hash(name, (FOLDER / name).stat().st_mtime_ns))


@cache
def _hash(name: str, _changed_ns: int) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]
