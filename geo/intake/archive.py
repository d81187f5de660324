"""Touches the disk: the parts of a shapefile, from a folder or a zip, copied into a directory of their own.

Nothing is opened under a name that somebody else chose, and nothing else lies beside it: GDAL reads whatever
it finds next to a file.
"""

from __future__ import annotations

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from schemas.limits import limit
from schemas.refusals import invalid, too_large

NEEDED = (".shp", ".shx", ".dbf")
TAKEN = (*NEEDED, ".prj", ".cpg")

_MOST_ENTRIES = 200
_CHUNK = 1 << 20
# What unpacking raises for archives that are damaged, or packed in a way that nobody uses for maps.
_CORRUPT = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Shapefile:
    """A staged shapefile: the path of its `.shp`, and the text of its `.prj` and `.cpg`, empty where missing."""

    path: Path
    projection: str
    code_page: str


@contextmanager
def staged(path: Path, wanted: str | None) -> Iterator[Shapefile]:
    """The shapefile at a `.shp` or in a zip, staged for as long as the context lasts.

    `wanted` names one of several in a zip, by its name without extension.
    """
    with TemporaryDirectory(prefix="skywarden-layer-") as folder:
        target = Path(folder) / "layer.shp"
        if path.suffix.lower() == ".shp":
            _stage_files(path, target)
        else:
            _stage_zip(path, wanted, target)
        missing = [part for part in NEEDED if not target.with_suffix(part).exists()]
        if missing:
            raise invalid("layer.archive", "layer.parts_missing", measured=", ".join(missing))
        yield Shapefile(target, _text(target, ".prj"), _text(target, ".cpg"))


def _stage_files(path: Path, target: Path) -> None:
    room = limit("layer.bytes")
    for sibling in path.parent.iterdir():
        part = sibling.suffix.lower()
        if sibling.stem == path.stem and part in TAKEN and sibling.is_file():
            with sibling.open("rb") as source:
                room -= _copy(source, target.with_suffix(part), room)


def _stage_zip(path: Path, wanted: str | None, target: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, wanted)
            room = limit("layer.bytes")
            for part, info in members.items():
                with archive.open(info) as source:
                    room -= _copy(source, target.with_suffix(part), room)
    except _CORRUPT as error:
        raise invalid("layer.archive", "layer.archive_corrupt") from error


def _members(archive: zipfile.ZipFile, wanted: str | None) -> dict[str, zipfile.ZipInfo]:
    """The parts of the one shapefile that is wanted, by extension."""
    infos = archive.infolist()
    if len(infos) > _MOST_ENTRIES:
        raise too_large("layer.archive", "layer.archive_entries", measured=len(infos), required=_MOST_ENTRIES)
    found: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for info in infos:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        part = name.suffix.lower()
        if part not in TAKEN or info.is_dir() or name.name.startswith("._"):
            continue
        if info.flag_bits & _ENCRYPTED:
            raise invalid("layer.archive", "layer.archive_encrypted")
        stem = str(name.with_suffix(""))
        if part in found.setdefault(stem, {}):
            raise invalid("layer.archive", "layer.archive_corrupt")
        found[stem][part] = info
    layers = {stem: parts for stem, parts in found.items() if ".shp" in parts}
    if wanted is not None:
        layers = {stem: parts for stem, parts in layers.items() if PurePosixPath(stem).name == wanted}
    if not layers and wanted is None:
        raise invalid("layer.archive", "layer.archive_empty")
    if len(layers) != 1:
        names = ", ".join(sorted(PurePosixPath(stem).name for stem in layers)) or "—"
        raise invalid("layer.choose", "layer.choose", measured=len(layers), required=names[:300])
    return layers.popitem()[1]


def _copy(source: IO[bytes], target: Path, room: int) -> int:
    """Copy at most `room` bytes, whatever the archive says about sizes; returns how many there were."""
    copied = 0
    with target.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            copied += len(chunk)
            if copied > room:
                raise too_large("layer.bytes", measured=f"> {limit('layer.bytes')}", required=limit("layer.bytes"))
            sink.write(chunk)
    return copied


def _text(target: Path, part: str) -> str:
    path = target.with_suffix(part)
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file; of a loose shapefile, of all its parts in the order of their names."""
    parts = [path]
    if path.suffix.lower() == ".shp":
        beside = (p for p in path.parent.iterdir() if p.stem == path.stem and p.suffix.lower() in TAKEN)
        parts = sorted(beside, key=lambda p: p.suffix.lower())
    size = sum(part.stat().st_size for part in parts)
    if size > limit("layer.bytes"):
        raise too_large("layer.bytes", measured=size, required=limit("layer.bytes"))
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
