"""Touches the disk and starts processes: untrusted images are opened in a child process and nowhere else.

The child has no network, one named driver, little memory and little time (reliability.md 4.3). Where the
kernel gives neither root nor user namespaces, the child runs without a network namespace but still with every
driver skipped that could reach a network or another file; its reports say `drivers only`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import rasterio
from pydantic import ValidationError
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, invalid, too_large, violation
from sensing.elevation import Heights
from sensing.frames import Placement
from sensing.grid import Grid
from sensing.header import Driver, HeaderReport, driver_of
from sensing.scratch import private_directory

Progress = Callable[[float], None]

_CHUNK = 1 << 20
_GIB = 1 << 30
_ROOT = Path(__file__).resolve().parent.parent
# GTiff also writes our own copy; MEM holds arrays while control points are warped. No file can name MEM: the
# driver is given by its first bytes.
_DRIVERS = ("GTiff", "JPEG", "PNG", "JP2OpenJPEG", "MEM")
_INSPECT_S = 20
# A masked copy with its overviews, should nothing in it be compressible.
_COPY_SHARE = 1.4
_MIB = 1 << 20
# All bands of the widest type, and the mask.
_WIDEST_PIXEL_BYTES = 4 * limit("raster.bands") + 1
_SPARE_BYTES = 4 * _MIB
_SECONDS_PER_MEGAPIXEL = 3
_ANSWER_BYTES = 64 << 20


@dataclass(frozen=True)
class Guest:
    """One untrusted file, alone in its own directory under a generated name."""

    path: Path
    name: str
    driver: Driver
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Written:
    """What the child wrote: the masked copy and how many pixels are valid, void and private."""

    path: Path
    valid: int
    void: int
    private: int


def _chunks(source: Path, name: str) -> Iterator[bytes]:
    """A file's content, its first chunk long enough to tell its type. Raises RuleViolation `file.reference`."""
    try:
        with source.open("rb") as reader:
            while chunk := reader.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise invalid("file.reference", "file.unreadable", name=name) from error


def readable(name: str) -> str:
    """A file's name as it can be kept and shown: what no screen or database can hold is replaced."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


class Quarantine:
    """A private directory for untrusted files; everything in it is gone when the `with` block ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def admit(self, source: Path) -> Guest:
        """Copy one file in, hashing on the way.

        Raises RuleViolation `file.reference` for what is no file or cannot be read, `raster.magic` or
        `raster.corrupt` by its bytes, `disk.full` where there is no room.
        """
        name = readable(source.name)
        if not source.is_file():
            raise invalid("file.reference", "file.reference", name=name)
        # Once here and once among the originals.
        _expect_space(self._directory, 2 * source.stat().st_size)
        home = Path(tempfile.mkdtemp(dir=self._directory))
        path, digest, size = home / "data", hashlib.sha256(), 0
        chunks = _chunks(source, name)
        head = next(chunks, b"")
        driver = driver_of(head, name)
        with path.open("xb") as writer:
            for chunk in chain([head], chunks):
                digest.update(chunk)
                size += len(chunk)
                writer.write(chunk)
        path.chmod(0o400)
        return Guest(path, name, driver, digest.hexdigest(), size)

    def inspect(self, guests: Sequence[Guest]) -> list[HeaderReport]:
        """The headers of files, in their order. Raises RuleViolation `raster.corrupt` naming the first bad one."""
        job = {"task": "inspect", "files": _files(guests)}
        lines = _converse(job, guests, wall_s=_INSPECT_S + len(guests), written_bytes=0)
        try:
            reports = [HeaderReport.model_validate(line["report"]) for line in lines if "report" in line]
        except ValidationError as error:
            raise invalid("raster.corrupt", "raster.corrupt", name=guests[0].name) from error
        if len(reports) != len(guests):
            raise invalid("raster.corrupt", "raster.corrupt", name=guests[len(reports)].name)
        return reports

    def transcode(
        self,
        guest: Guest,
        report: HeaderReport,
        grid: Grid,
        zones: Sequence[BaseGeometry],
        progress: Progress,
    ) -> Written:
        """Our own masked copy of a file that `judge` and `locate` let pass; zones in EPSG:4326, margins included."""
        job = {"task": "transcode", "report": report.model_dump(), "by_points": not report.has_affine}
        job |= {"zones": [mapping(zone) for zone in zones]}
        pixel_bytes = report.unpacked_bytes / (report.width * report.height)
        _expect_space(self._directory, grid.width * grid.height * pixel_bytes * _COPY_SHARE)
        return _masked(*self._write(job, [guest], grid, progress))

    def mosaic(
        self,
        guests: Sequence[Guest],
        placements: Sequence[Placement],
        grid: Grid,
        zones: Sequence[BaseGeometry],
        progress: Progress,
    ) -> Written:
        """One masked scene from nadir photos; zones in EPSG:4326, margins included."""
        job = {"task": "mosaic", "placements": [placement.dump() for placement in placements]}
        job |= {"zones": [mapping(zone) for zone in zones]}
        _expect_space(self._directory, grid.width * grid.height * 3 * _COPY_SHARE)
        return _masked(*self._write(job, guests, grid, progress))

    def heights(self, guest: Guest, report: HeaderReport, grid: Grid) -> tuple[Path, Heights]:
        """Our own plain copy of an elevation model whose header was let pass, and what its cells hold.

        The copy has one band of float32 metres, NaN where the file has no height, and nothing else of the file.
        """
        job = {"task": "heights", "report": report.model_dump()}
        _expect_space(self._directory, grid.width * grid.height * 4 * _COPY_SHARE)
        path, written = self._write(job, [guest], grid, lambda _: None)
        return path, Heights.model_validate(written)

    def _write(
        self, job: dict[str, Any], guests: Sequence[Guest], grid: Grid, progress: Progress
    ) -> tuple[Path, dict[str, Any]]:
        """The file that the child wrote for `job`, and what it says about it."""
        output = Path(tempfile.mkdtemp(dir=self._directory)) / "copy.tif"
        job |= {"files": _files(guests), "grid": grid.dump(), "output": str(output)}
        megapixels = grid.width * grid.height / 1e6 + 2.0 * len(guests)
        wall_s = _INSPECT_S + int(megapixels * _SECONDS_PER_MEGAPIXEL)
        written: dict[str, Any] = {}
        written_bytes = max(grid.width * grid.height * _WIDEST_PIXEL_BYTES, _GIB)
        for line in _converse(job, guests, wall_s=wall_s, written_bytes=int(written_bytes * _COPY_SHARE)):
            if "progress" in line:
                progress(float(line["progress"]))
            written = line.get("written", written)
        if not written or not output.is_file():
            raise invalid("raster.corrupt", "raster.corrupt", name=guests[0].name)
        return output, written


def _masked(path: Path, counts: dict[str, int]) -> Written:
    return Written(path, counts["valid"], counts["void"], counts["private"])


@contextmanager
def quarantine(parent: Path) -> Iterator[Quarantine]:
    """A fresh quarantine below `parent`, mode 0700, removed with all its content at the end."""
    with private_directory(parent, "guest-") as directory:
        yield Quarantine(directory)


def _expect_space(directory: Path, needed_bytes: float) -> None:
    """Raise RuleViolation `disk.full` (507) before a file is begun that the disk may not hold."""
    free_bytes = shutil.disk_usage(directory).free
    if free_bytes < needed_bytes + _SPARE_BYTES:
        need_mib, free_mib = (math.ceil(size / _MIB) for size in (needed_bytes + _SPARE_BYTES, free_bytes))
        raise violation(Kind.NO_SPACE, "disk.full", measured=f"{free_mib} MiB", required=f"{need_mib} MiB")


def _files(guests: Sequence[Guest]) -> list[dict[str, str]]:
    return [{"path": str(guest.path), "driver": guest.driver} for guest in guests]


def _converse(
    job: dict[str, Any], guests: Sequence[Guest], *, wall_s: int, written_bytes: int
) -> Iterator[dict[str, Any]]:
    """Start a child, give it the job, pass on its lines; its failures and its death become refusals."""
    limits = {"memory_bytes": 2 * _GIB, "cpu_s": wall_s, "open_files": 64, "written_bytes": written_bytes}
    with tempfile.TemporaryFile() as request:
        request.write(json.dumps(job | {"limits": limits}).encode())
        request.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-B", "-s", "-m", "sensing.opener"],
            stdin=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd=guests[0].path.parent,
            close_fds=True,
        )
    patience = threading.Timer(wall_s, child.kill)
    patience.start()
    try:
        yield from _lines(child, guests)
    finally:
        patience.cancel()
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def _lines(child: subprocess.Popen[bytes], guests: Sequence[Guest]) -> Iterator[dict[str, Any]]:
    heard = 0
    for raw in child.stdout or ():
        heard += len(raw)
        if heard > _ANSWER_BYTES:
            raise too_large("raster.cost", "raster.cost", name=guests[0].name)
        line = json.loads(raw)
        if "failed" in line:
            raise _failure(line["failed"], guests[line.get("file", 0)].name)
        yield line
    if child.wait() != 0:
        # Killed by its limits or crashed in a decoder: either way this file asked for more than an image may.
        raise too_large("raster.cost", "raster.cost", name=guests[0].name)


def _failure(rule: str, name: str) -> RuleViolation:
    if rule == "raster.cost":
        return too_large("raster.cost", "raster.cost", name=name)
    return invalid("raster.corrupt", "raster.corrupt", name=name)


@cache
def _environment() -> dict[str, str]:
    """All that the child is given: no variable of ours, every driver skipped but the few that are needed."""
    with rasterio.Env() as env:
        known = env.drivers()
    return {
        "PYTHONPATH": str(_ROOT),
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "GDAL_SKIP": ",".join(sorted(set(known) - set(_DRIVERS))),
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_PAM_ENABLED": "NO",
        "GDAL_VRT_ENABLE_PYTHON": "NO",
        "GDAL_CACHEMAX": "256",
        "GDAL_NUM_THREADS": "1",
        "PROJ_NETWORK": "OFF",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
