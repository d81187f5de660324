"""The base map of an installation: its own vectors, or tiles from elsewhere as a file of its operator says.

Tiles in GCJ-02, the shifted datum of maps made in China, are moved in the browser while they are drawn; no shifted
coordinate is ever stored, computed with or sent.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from flask import Response, current_app, send_file
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from schemas.refusals import not_found
from web.i18n import current_language
from web.permissions import Audience, Permission, Section

section = Section("basemap", __name__, Audience.PUBLIC)
ARCHIVE = "/basemap/tiles.pmtiles"
MAGIC = b"PMTiles\x03"
# A part of an archive may be kept so long; a new archive is a new file, told apart by its ETag.
FRESH_S = 3600
_PLACES = ("{z}", "{x}", "{y}")
_WMTS = re.compile(r"\{(TileMatrix|TileCol|TileRow)\}", re.IGNORECASE)
_WMTS_TO_XYZ = {"tilematrix": "{z}", "tilecol": "{x}", "tilerow": "{y}"}
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^<>]*$")]


class BasemapUnreadable(Exception):
    """The file that names a base map does not; the message is the line that start-up prints."""


class Basemap(BaseModel):
    """One source of base map tiles, as its TOML file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["xyz", "wmts", "pmtiles"]
    """How tiles are asked for: by z, x and y, by a WMTS REST template, or out of one PMTiles archive of pictures."""

    url: str | None = Field(default=None, max_length=2000)
    """The template of an address (https), with {z} {x} {y} or {TileMatrix} {TileCol} {TileRow}."""

    path: Path | None = None
    """The PMTiles archive on this machine; it is served from here."""

    attribution_en: Said
    attribution_zh: Said
    """Whose map it is, shown on the map at all times."""

    max_zoom: int = Field(default=18, ge=1, le=22)
    tile_px: Literal[256, 512] = 256
    datum: Literal["wgs84", "gcj02"] = "wgs84"
    """The datum of its pictures; those in GCJ-02 are put in their true place while they are drawn."""

    @model_validator(mode="after")
    def _is_whole(self) -> Basemap:
        if self.kind == "pmtiles":
            if self.path is None or self.url is not None:
                raise ValueError("a PMTiles base map has a path, and no url")
            return self
        if self.url is None or self.path is not None:
            raise ValueError("a base map of tiles has a url, and no path")
        parts = urlsplit(self.template)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
            raise ValueError("tiles come over https")
        if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?", parts.netloc):
            raise ValueError("the address names no host, or one with a password")
        if any(place not in self.template for place in _PLACES):
            raise ValueError("the address lacks one of {z}, {x} and {y}")
        return self

    @property
    def template(self) -> str:
        """The address with `{z}`, `{x}` and `{y}`."""
        return _WMTS.sub(lambda word: _WMTS_TO_XYZ[word[1].lower()], self.url or "")

    @property
    def origin(self) -> str | None:
        """Where tiles come from, for the policy of the pages; None where they come from here."""
        if self.kind == "pmtiles":
            return None
        parts = urlsplit(self.template)
        return f"{parts.scheme}://{parts.netloc}"

    def for_script(self) -> dict[str, Any]:
        """What the map script needs of it."""
        return {
            "kind": self.kind,
            "url": ARCHIVE if self.kind == "pmtiles" else self.template,
            "attribution": self.attribution_zh if current_language() == "zh" else self.attribution_en,
            "maxZoom": self.max_zoom,
            "tilePx": self.tile_px,
            "datum": self.datum,
            "foreign": self.origin,
        }


def read_basemap(path: Path | None) -> Basemap | None:
    """The base map that a file names; None for the district's own vectors; raises BasemapUnreadable."""
    if path is None:
        return None
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        if document == {"kind": "own"}:
            return None
        found = Basemap.model_validate(document)
        if found.path is not None:
            with found.path.open("rb") as archive:
                if archive.read(len(MAGIC)) != MAGIC:
                    raise BasemapUnreadable(f"{found.path} is no PMTiles archive of version 3.")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BasemapUnreadable(f"The base map {path} cannot be read: {error}") from error
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".lstrip(": ") for one in error.errors())
        raise BasemapUnreadable(f"The base map {path} is not as it must be: {said}") from None
    return found


@section.page(ARCHIVE, GET=Permission.BROWSE)
def archive() -> Response:
    """The PMTiles archive of this installation, in the parts that a browser asks for."""
    found: Basemap | None = current_app.extensions["basemap"]
    if found is None or found.path is None or not os.path.isfile(found.path):
        raise not_found("page.unknown", "web.page_unknown")
    response = send_file(found.path.absolute(), mimetype="application/octet-stream", conditional=True, etag=True)
    response.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    response.headers["Accept-Ranges"] = "bytes"
    return response
