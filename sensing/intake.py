"""Touches the disk: what arrives becomes a placed image in quarantine, with nothing of it stored yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from geo.terrain import Terrain
from schemas.limits import limit
from schemas.refusals import invalid, unsupported
from sensing.bands import Role, roles_of
from sensing.derivative import surviving_pixels
from sensing.elevation import Heights, judge_heights, place
from sensing.frames import MosaicPlan, plan_mosaic, pose_of
from sensing.georeference import locate, usual_resolution_m
from sensing.grid import Grid
from sensing.header import HeaderReport, judge
from sensing.mask import ZoneBurner
from sensing.originals import ContentStore
from sensing.quarantine import Guest, Progress, Quarantine, Written

UAV, SATELLITE, AERIAL = "uav", "satellite", "aerial"
# Finer than this, an image without a word on its sensor is taken for one from the air.
_SATELLITE_FROM_M = 1.5


@dataclass(frozen=True)
class Shelf:
    """Where this installation keeps originals and masked copies, and where strangers wait."""

    root: Path

    @property
    def originals(self) -> ContentStore:
        """What arrived, as it arrived; opened again only in quarantine."""
        return ContentStore(self.root / "originals")

    @property
    def derivatives(self) -> ContentStore:
        """Masked copies: what analysis and display read."""
        return ContentStore(self.root / "derivatives")

    @property
    def quarantine(self) -> Path:
        """Parent of the private directories in which untrusted files are opened."""
        return self.root / "quarantine"


@dataclass(frozen=True)
class Told:
    """What the person who hands in an image says about it, everything may be left out; and what the house adds.

    The house adds its elevation model and the most pixels that it takes in one scene.
    """

    captured_at: datetime | None = None
    sensor: str | None = None
    bands: Sequence[str] = ()
    hfov_deg: float | None = None
    utc_offset: timedelta | None = None
    terrain: Terrain | None = field(default=None, compare=False)
    most_pixels: int = limit("raster.pixels")


@dataclass(frozen=True)
class Placed:
    """An image or a set of photos whose place on the ground is known.

    `sha256` identifies the scene: of the file, or for photos of the sorted list of their hashes. `shown` is
    what it shows in EPSG:4326, which for photos is less than the rectangle of the grid.
    """

    guests: tuple[Guest, ...]
    reports: tuple[HeaderReport, ...]
    sha256: str
    grid: Grid
    roles: tuple[Role, ...]
    sensor: str
    gsd_m: float
    shown: BaseGeometry
    captured_at: datetime | None
    captured_until: datetime | None
    position_error_m: float | None
    plan: MosaicPlan | None = None

    def written(self, room: Quarantine, zones: Sequence[BaseGeometry], progress: Progress) -> tuple[Written, int]:
        """The masked copy, and how many pixels of zones survive in it when it is read back."""
        if self.plan is not None:
            copy = room.mosaic(self.guests, self.plan.placements, self.grid, zones, progress)
        else:
            copy = room.transcode(self.guests[0], self.reports[0], self.grid, zones, progress)
        return copy, surviving_pixels(copy.path, ZoneBurner.on(self.grid, zones))


def receive(room: Quarantine, files: Sequence[Path], told: Told) -> Placed:
    """Admit files into quarantine, inspect, judge and place them.

    One georeferenced image, or any number of photos with poses. Raises RuleViolation with every reason.
    """
    if not files:
        raise invalid("file.reference", "file.none")
    guests = [room.admit(path) for path in files]
    reports = room.inspect(guests)
    for report in reports:
        judge(report, most_pixels=told.most_pixels)
    photos = sum(_is_photo(report) for report in reports)
    if len(guests) > 1 and photos < len(guests):
        raise invalid("frame.mixed", "frame.mixed", measured=photos, required=len(guests))
    return _from_photos(guests, reports, told) if photos else _from_image(guests[0], reports[0], told)


def receive_elevation(room: Quarantine, file: Path) -> tuple[Guest, Path, Heights]:
    """Admit an elevation model; the guest, our own plain copy of it (still in quarantine), and what it holds.

    Raises RuleViolation with every reason for which it is none.
    """
    guest = room.admit(file)
    if guest.driver != "GTiff":
        raise unsupported("raster.magic", "terrain.not_geotiff", name=guest.name, measured=guest.driver)
    (report,) = room.inspect([guest])
    copy, heights = room.heights(guest, report, place(report, guest.name))
    judge_heights(heights, guest.name)
    return guest, copy, heights


def _is_photo(report: HeaderReport) -> bool:
    return report.driver == "JPEG" and not report.has_affine and not report.gcps


def _from_image(guest: Guest, report: HeaderReport, told: Told) -> Placed:
    place = locate(report, most_pixels=told.most_pixels)
    captured_at = told.captured_at or _tagged_time(report)
    sensor = told.sensor or (SATELLITE if place.gsd_m >= _SATELLITE_FROM_M else AERIAL)
    return Placed(
        guests=(guest,),
        reports=(report,),
        sha256=guest.sha256,
        grid=place.grid,
        roles=roles_of(report, told.bands),
        sensor=sensor,
        gsd_m=place.gsd_m,
        shown=place.footprint,
        captured_at=captured_at,
        captured_until=captured_at,
        position_error_m=place.position_error_m,
    )


def _from_photos(guests: Sequence[Guest], reports: Sequence[HeaderReport], told: Told) -> Placed:
    poses = [
        pose_of(report, guest.name, hfov_deg=told.hfov_deg, utc_offset=told.utc_offset, terrain=told.terrain)
        for report, guest in zip(reports, guests, strict=True)
    ]
    plan = plan_mosaic(reports, poses, most_pixels=told.most_pixels)
    # The order in which photos are named on a command line must not make another scene of them.
    identity = hashlib.sha256("\n".join(sorted(guest.sha256 for guest in guests)).encode()).hexdigest()
    return Placed(
        guests=tuple(guests),
        reports=tuple(reports),
        sha256=guests[0].sha256 if len(guests) == 1 else identity,
        grid=plan.grid,
        roles=roles_of(reports[0].model_copy(update={"bands": 3, "colours": ()}), told.bands),
        sensor=told.sensor or UAV,
        gsd_m=usual_resolution_m(plan.grid),
        shown=plan.footprint,
        captured_at=plan.captured_at,
        captured_until=plan.captured_until,
        position_error_m=plan.position_error_m,
        plan=plan,
    )


def _tagged_time(report: HeaderReport) -> datetime | None:
    """The time in the TIFF tag, which names no zone; satellite products write UTC."""
    try:
        return datetime.strptime(report.tags.get("TIFFTAG_DATETIME", ""), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def without_guests(placed: Placed) -> Placed:
    """The same placed image without its files, for use after the quarantine is closed."""
    return replace(placed, guests=())
