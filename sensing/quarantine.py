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
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO, Any

import rasterio
from pydantic import ValidationError
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, invalid, too_large, violation
from sensing.elevation import Heights
from sensing.frames import MosaicPlan
from sensing.grid import Grid
from sensing.header import Driver, HeaderReport, driver_of
from sensing.relief import Relief
from sensing.scratch import private_directory, still_used
from sensing.sensors.health import Look, refusal
from sensing.sentinel import Member

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
# The copy, the draft that it is made from, and the flat picture of what has to be projected, all at once.
_WORK_SHARE = 3 * _COPY_SHARE
_MIB = 1 << 20
# All bands of the widest type, and the mask.
_WIDEST_PIXEL_BYTES = 4 * limit("raster.bands") + 1
_SPARE_BYTES = 4 * _MIB
_SECONDS_PER_MEGAPIXEL, _USUAL_BANDS = 3, 4
# Those are seconds of a processor; who shares it with many others waits so many times as long.
_PATIENCE = 10
_ANSWER_BYTES = 64 << 20


@dataclass(frozen=True)
class Arrival:
    """One untrusted file, alone in its own directory under a generated name."""

    path: Path
    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Guest(Arrival):
    """An image among them, and the one driver that may open it."""

    driver: Driver


@dataclass(frozen=True)
class Layer:
    """How the numbers of one file become ten-thousandths of reflectance: number x scale + offset."""

    scale: float
    offset: float


@dataclass(frozen=True)
class Written:
    """What the child wrote: the masked copy and how many pixels are valid, void and private."""

    path: Path
    valid: int
    void: int
    private: int


def _chunks(open_file: Callable[[], IO[bytes]], name: str) -> Iterator[bytes]:
    """A file's content, its first chunk long enough to tell its type. Raises RuleViolation `file.reference`."""
    try:
        with open_file() as reader:
            while chunk := reader.read(_CHUNK):
                yield chunk
    # What unpacking raises for a broken member of a zip is no error of the disk.
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
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
        chunks = _chunks(lambda: source.open("rb"), name)
        head = next(chunks, b"")
        driver = driver_of(head, name)
        kept = self._written(chain([head], chunks), name, source.stat().st_size, may_grow=True)
        return Guest(kept.path, name, kept.sha256, kept.size_bytes, driver)

    def admit_member(self, member: Member) -> Guest:
        """Copy one image of a product in; raises as `admit` does, and where it is larger than it says."""
        chunks = _chunks(member.open, member.name)
        head = next(chunks, b"")
        driver = driver_of(head, member.name)
        kept = self._written(chain([head], chunks), member.name, min(member.size_bytes, limit("product.band_bytes")))
        return Guest(kept.path, member.name, kept.sha256, kept.size_bytes, driver)

    def admit_text(self, open_file: Callable[[], IO[bytes]], name: str, size_bytes: int) -> Arrival:
        """Copy a text in that belongs to an image; whoever reads it knows its kind."""
        return self._written(_chunks(open_file, name), name, min(size_bytes, limit("product.band_bytes")))

    def _written(self, chunks: Iterable[bytes], name: str, size_bytes: int, *, may_grow: bool = False) -> Arrival:
        """A file in a directory of its own. Raises RuleViolation `archive.bytes` where it exceeds its stated size."""
        # Once here and once among the originals.
        _expect_space(self._directory, 2 * size_bytes)
        home = Path(tempfile.mkdtemp(dir=self._directory))
        path, digest, size = home / "data", hashlib.sha256(), 0
        with path.open("xb") as writer:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                if size > size_bytes and not may_grow:
                    raise too_large("archive.bytes", "product.size", name=name, measured=name)
                writer.write(chunk)
        path.chmod(0o400)
        return Arrival(path, name, digest.hexdigest(), size)

    def inspect(self, guests: Sequence[Guest]) -> list[HeaderReport]:
        """The headers of files, in their order. Raises RuleViolation `raster.corrupt` naming the first bad one."""
        reports, failed = self._reports(guests)
        if failed is not None:
            raise failed
        return reports

    def inspect_each(self, guests: Sequence[Guest]) -> list[HeaderReport | RuleViolation]:
        """The header of every file that has one, and for the others what `inspect` would raise."""
        found: list[HeaderReport | RuleViolation] = []
        while len(found) < len(guests):
            reports, failed = self._reports(guests[len(found) :])
            found += reports
            if failed is not None:
                found.append(failed)
        return found

    def _reports(self, guests: Sequence[Guest]) -> tuple[list[HeaderReport], RuleViolation | None]:
        """The headers up to the first file that has none, and what is wrong with that one."""
        job = {"task": "inspect", "files": _files(guests)}
        reports: list[HeaderReport] = []
        try:
            for line in _converse(job, guests, cpu_s=_INSPECT_S + len(guests), written_bytes=0):
                if "report" in line:
                    reports.append(HeaderReport.model_validate(line["report"]))
        except RuleViolation as failed:
            return reports[: len(guests) - 1], failed
        except ValidationError:
            pass
        if len(reports) == len(guests):
            return reports, None
        return reports, invalid("raster.corrupt", "raster.corrupt", name=guests[len(reports)].name)

    def transcode(
        self,
        guest: Guest,
        report: HeaderReport,
        grid: Grid,
        zones: Sequence[BaseGeometry],
        progress: Progress,
        *,
        relief: Relief | None = None,
    ) -> Written:
        """Our own masked copy of a file that `judge` and `locate` let pass; zones in EPSG:4326, margins included.

        `relief` is the ground that a sensor model is projected onto.
        """
        by = "affine" if report.has_affine else "rpc" if relief else "gcp"
        job: dict[str, Any] = {"task": "transcode", "report": report.model_dump(), "by": by}
        job |= {"zones": [mapping(zone) for zone in zones], "relief": self._kept(relief)}
        pixel_bytes = report.unpacked_bytes / (report.width * report.height)
        _expect_space(self._directory, grid.width * grid.height * pixel_bytes * _WORK_SHARE)
        return _masked(*self._write(job, [guest], grid, progress))

    def stack(
        self,
        guests: Sequence[Guest],
        layers: Sequence[Layer],
        grid: Grid,
        zones: Sequence[BaseGeometry],
        progress: Progress,
    ) -> Written:
        """One masked scene of bands in files of their own, of any resolution; zones in EPSG:4326, margins included."""
        job = {
            "task": "stack",
            "layers": [asdict(layer) for layer in layers],
            "zones": [mapping(zone) for zone in zones],
        }
        _expect_space(self._directory, grid.width * grid.height * 2 * len(guests) * _WORK_SHARE)
        return _masked(*self._write(job, guests, grid, progress))

    def mosaic(
        self,
        guests: Sequence[Guest],
        plan: MosaicPlan,
        zones: Sequence[BaseGeometry],
        progress: Progress,
    ) -> Written:
        """One masked scene from photos; zones in EPSG:4326, margins included."""
        grid = plan.grid
        job: dict[str, Any] = {"task": "mosaic", "placements": [placement.dump() for placement in plan.placements]}
        job |= {"zones": [mapping(zone) for zone in zones], "relief": self._kept(plan.relief)}
        _expect_space(self._directory, grid.width * grid.height * 3 * _WORK_SHARE)
        return _masked(*self._write(job, guests, grid, progress))

    def _kept(self, relief: Relief | None) -> dict[str, Any] | None:
        """The ground as a file for the child, and what it is told of it."""
        if relief is None:
            return None
        _expect_space(self._directory, relief.heights_m.nbytes)
        return relief.dump(Path(tempfile.mkdtemp(dir=self._directory)) / "heights.npy")

    def heights(self, guest: Guest, report: HeaderReport, grid: Grid) -> tuple[Path, Heights]:
        """Our own plain copy of an elevation model whose header was let pass, and what its cells hold.

        The copy has one band of float32 metres, NaN where the file has no height, and nothing else of the file.
        """
        job = {"task": "heights", "report": report.model_dump()}
        _expect_space(self._directory, grid.width * grid.height * 4 * _COPY_SHARE)
        path, written = self._write(job, [guest], grid, lambda _: None)
        return path, Heights.model_validate(written)

    def look(self, data: bytes) -> Look:
        """What a camera's snapshot looks like, in numbers; raises RuleViolation 413, 415 or 422."""
        kept = self._written([data], "snapshot", len(data))
        job = {"task": "look", "files": [{"path": str(kept.path)}]}
        for line in _converse(job, [kept], cpu_s=_INSPECT_S, written_bytes=0):
            if "refused" in line:
                raise refusal(**line["refused"])
            return Look.load(line["look"])
        raise invalid("snapshot.broken")

    def _write(
        self, job: dict[str, Any], guests: Sequence[Guest], grid: Grid, progress: Progress
    ) -> tuple[Path, dict[str, Any]]:
        """The file that the child wrote for `job`, and what it says about it."""
        output = Path(tempfile.mkdtemp(dir=self._directory)) / "copy.tif"
        job |= {"files": _files(guests), "grid": grid.dump(), "output": str(output)}
        planes = max(len(job.get("layers", ())) / _USUAL_BANDS, 1.0)
        megapixels = planes * grid.width * grid.height / 1e6 + 2.0 * len(guests)
        cpu_s = _INSPECT_S + int(megapixels * _SECONDS_PER_MEGAPIXEL)
        written: dict[str, Any] = {}
        written_bytes = max(grid.width * grid.height * _WIDEST_PIXEL_BYTES, _GIB)
        for line in _converse(job, guests, cpu_s=cpu_s, written_bytes=int(written_bytes * _COPY_SHARE)):
            if "progress" in line:
                still_used(self._directory)
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
    job: dict[str, Any], guests: Sequence[Arrival], *, cpu_s: int, written_bytes: int
) -> Iterator[dict[str, Any]]:
    """Start a child, give it the job, pass on its lines; its failures and its death become refusals."""
    limits = {"memory_bytes": 2 * _GIB, "cpu_s": cpu_s, "open_files": 64, "written_bytes": written_bytes}
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
    patience = threading.Timer(_PATIENCE * cpu_s, child.kill)
    patience.start()
    try:
        yield from _lines(child, guests)
    finally:
        patience.cancel()
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def _lines(child: subprocess.Popen[bytes], guests: Sequence[Arrival]) -> Iterator[dict[str, Any]]:
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
