"""Touches the disk: what arrives becomes a placed image in quarantine, with nothing of it stored yet."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from affine import Affine
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from geo.photo_ground import Ground
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, refuse, unsupported
from sensing.bands import Role, is_order_known, roles_of
from sensing.beside import refuse_side_files
from sensing.derivative import surviving_pixels
from sensing.elevation import Heights, judge_heights, place
from sensing.frames import MosaicPlan, Pose, plan_mosaic, pose_of
from sensing.gaofen import Described, Named
from sensing.gathering import SATELLITE as SATELLITE
from sensing.gathering import UAV as UAV
from sensing.gathering import Image, gather
from sensing.georeference import Georeference, locate, usual_resolution_m
from sensing.grid import Grid, crs_name
from sensing.header import HeaderReport, finite, judge
from sensing.mask import ZoneBurner
from sensing.odm import measured_error
from sensing.originals import ContentStore
from sensing.placing import UNKNOWN, StatedPlace, Unplaced, leaves_place_unknown
from sensing.positions import Basis, Position, usual
from sensing.quarantine import Arrival, Guest, Layer, Progress, Quarantine, Written, readable
from sensing.relief import Relief
from sensing.sentinel import TILE_BYTES, is_product, read_product

# The year of the first photograph from the air: nothing was taken before.
FIRST_AERIAL = datetime(1858, 1, 1, tzinfo=UTC)
AERIAL = "aerial"
_POSE = "satellite receiver, gimbal, height and ground, at the worst corner"
# Finer than this, an image without a word on its sensor is listed with those from the air: a label, no position error.
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
    position_error_m: float | None = None
    position_source: str = ""
    place: StatedPlace | None = None
    terrain: Ground | None = field(default=None, compare=False)
    most_pixels: int = limit("raster.pixels")

    @property
    def stated(self) -> Position | None:
        """The position error that whoever hands the image in states."""
        if self.place is not None:
            return Position(self.place.error_m, Basis.STATED, self.place.source)
        if self.position_error_m is None:
            return None
        return Position(self.position_error_m, Basis.STATED, self.position_source)

    def position(self, place: Georeference, kind: str | None) -> Position | None:
        """The position error: as told, else as found in the image, else what is usual for the sensor that is named.

        None where no sensor is: nobody knows it then. Raises RuleViolation where nobody knows the datum.
        """
        if self.stated is not None:
            return self.stated
        if place.datum_error_m is None:
            raise invalid("raster.datum", "raster.datum", measured=crs_name(place.grid.crs_wkt))
        own = place.position or (usual(kind) if kind else None)
        if own is None:
            return None
        # No place is known better than to half a pixel.
        return replace(own, error_m=round(max(math.hypot(own.error_m, place.datum_error_m), place.gsd_m / 2), 2))


Photo = tuple[Guest, HeaderReport, Pose]


@dataclass(frozen=True)
class Placed:
    """An image, a product of several or a set of photos whose place on the ground is known.

    `sha256` identifies the scene: of the file, or of the sorted list of the hashes of all that belongs to it. `shown`
    is what it shows in EPSG:4326, which for photos is less than the rectangle of the grid. `attached` are texts that
    belong to it, `about` is what a product says of itself, `left_out` are photos of the set that have no place.
    """

    guests: tuple[Guest, ...]
    reports: tuple[HeaderReport, ...]
    sha256: str
    name: str
    grid: Grid
    roles: tuple[Role, ...]
    sensor: str
    gsd_m: float
    shown: BaseGeometry
    captured_at: datetime | None
    captured_until: datetime | None
    position: Position | None
    plan: MosaicPlan | None = None
    relief: Relief | None = None
    layers: tuple[Layer, ...] = ()
    attached: tuple[Arrival, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, tuple[Refusal, ...]] = field(default_factory=dict)
    stated: StatedPlace | None = None

    @property
    def position_error_m(self) -> float | None:
        """How far a place in the image may lie from where it is put; None where nobody knows."""
        return self.position.error_m if self.position else None

    @property
    def held(self) -> tuple[Refusal, ...]:
        """Why it may be kept and not used, whoever took it: nobody knows where its pixels lie."""
        return () if self.position else (refuse("raster.position", "raster.position_unknown", name=self.name),)

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """Every file that makes the scene."""
        return (*self.guests, *self.attached)

    def written(self, room: Quarantine, zones: Sequence[BaseGeometry], progress: Progress) -> tuple[Written, int]:
        """The masked copy, and how many pixels of zones survive in it when it is read back."""
        if self.plan is not None:
            copy = room.mosaic(self.guests, self.plan, zones, progress)
        elif self.layers:
            copy = room.stack(self.guests, self.layers, self.grid, zones, progress)
        else:
            guest, report = self.guests[0], _heeded(self.reports[0], self.roles)
            copy = room.transcode(guest, report, self.grid, zones, progress, relief=self.relief)
        return copy, surviving_pixels(copy.path, ZoneBurner.on(self.grid, zones))


def _heeded(report: HeaderReport, roles: Sequence[Role]) -> HeaderReport:
    """The header without the nodata values of bands that nothing uses: those void no pixel."""
    unused = [band for band, role in zip(report.data_bands, roles, strict=False) if role is Role.OTHER]
    if len(unused) == len(report.data_bands):
        return report
    nodata = [None if band in unused else value for band, value in enumerate(report.nodata, 1)]
    return report.model_copy(update={"nodata": tuple(nodata)})


def receive(room: Quarantine, files: Sequence[Path], told: Told) -> Placed | Unplaced:
    """Admit files into quarantine, inspect, judge and place them.

    One georeferenced image with or without its sensor model beside it, one satellite product, or any number of photos
    with poses, of which those without one are left out. An image of which nobody knows where it lies comes back
    `Unplaced`. Raises RuleViolation with every reason for anything else.
    """
    if not files:
        raise invalid("file.reference", "file.none")
    if len(files) == 1 and is_product(files[0]):
        return _from_product(room, files[0], told)
    if len(files) > 1:
        return _from_photos(*_good_photos(room, files, told), told)
    guest = room.admit(files[0])
    (report,) = room.inspect([guest])
    refuse_side_files(files[0])
    image = gather(room, files[0], guest, report)
    try:
        return _from_image(image, told)
    except RuleViolation as refused:
        if told.place is not None or not leaves_place_unknown(refused, report):
            raise
        return _without_place(image, told, refused)


def _good_photos(
    room: Quarantine, files: Sequence[Path], told: Told
) -> tuple[list[Photo], dict[str, tuple[Refusal, ...]]]:
    """The photos that have a place, and why the others have none. Raises RuleViolation where all are the same way."""
    guests, left_out = list[Guest](), dict[str, tuple[Refusal, ...]]()
    for file in files:
        try:
            guests.append(room.admit(file))
        except RuleViolation as refused:
            left_out[readable(file.name)] = refused.refusals
    good, others = list[Photo](), 0
    for guest, report in zip(guests, room.inspect_each(guests), strict=True):
        try:
            if isinstance(report, RuleViolation):
                raise report
            judge(report, most_pixels=told.most_pixels)
            others += not is_photo(report)
            if is_photo(report):
                good.append((guest, report, _pose(guest, report, told)))
        except RuleViolation as refused:
            left_out[guest.name] = refused.refusals
    if others:
        raise invalid("frame.mixed", "frame.mixed", measured=len(files) - others, required=len(files))
    if not good:
        raise RuleViolation(Kind.INVALID, [refusal for refusals in left_out.values() for refusal in refusals])
    return good, left_out


def _pose(guest: Guest, report: HeaderReport, told: Told) -> Pose:
    return pose_of(report, guest.name, hfov_deg=told.hfov_deg, utc_offset=told.utc_offset, ground=told.terrain)


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


def is_photo(report: HeaderReport) -> bool:
    """Whether an image is a photo as a camera writes it, without a place in the file's own terms."""
    return report.driver == "JPEG" and not report.has_affine and not report.gcps


def _from_image(image: Image, told: Told) -> Placed:
    guest, product, said = image.guest, image.product, image.said
    report = told.place.applied(image.report) if told.place else image.report
    judge(report, most_pixels=told.most_pixels)
    if is_photo(report):
        return _from_photos([(guest, report, _pose(guest, report, told))], {}, told)
    place = locate(report, ground=told.terrain, most_pixels=told.most_pixels)
    place = replace(place, position=place.position or measured_error(image.file))
    sensor = told.sensor or image.sensor(is_satellite=place.method == "rpc")
    usual_roles = product.roles(len(report.data_bands)) if product else ()
    if place.method == "rpc" and not told.bands and not is_order_known(report, usual_roles):
        raise invalid("scene.bands", "scene.bands_unknown", measured=len(report.data_bands))
    return Placed(
        guests=(guest,),
        reports=(report,),
        sha256=_identity(image.arrivals),
        name=guest.name,
        grid=place.grid,
        roles=roles_of(report, told.bands, usual_roles),
        sensor=sensor or (SATELLITE if place.gsd_m >= _SATELLITE_FROM_M else AERIAL),
        gsd_m=place.gsd_m,
        shown=place.footprint,
        captured_at=told.captured_at or said.captured_at or _tagged_time(report),
        captured_until=told.captured_at or said.captured_until or _tagged_time(report),
        position=told.position(place, sensor),
        relief=place.relief,
        attached=image.attached,
        about=_about(product, said) if product else {},
        stated=told.place,
    )


def _without_place(image: Image, told: Told, refused: RuleViolation) -> Unplaced:
    return Unplaced(
        arrivals=image.arrivals,
        report=image.report,
        sha256=_identity(image.arrivals),
        name=image.guest.name,
        sensor=told.sensor or image.sensor(is_satellite=image.report.rpc is not None) or UNKNOWN,
        captured_at=told.captured_at or image.said.captured_at or _tagged_time(image.report),
        held=refused.refusals,
    )


def _about(product: Named, said: Described) -> dict[str, str]:
    told = {"platform": product.platform, "level": product.level}
    return told | ({"cloud_percent": f"{said.cloud_percent:g}"} if said.cloud_percent is not None else {})


def _from_product(room: Quarantine, path: Path, told: Told) -> Placed:
    product = read_product(path, readable(path.name))
    documents = [room.admit_text(one.open, one.name, one.size_bytes) for one in product.documents]
    guests = [room.admit_member(band.member) for band in product.bands]
    reports = room.inspect(guests)
    for report in reports:
        judge(report, most_pixels=told.most_pixels, harmless_bytes=TILE_BYTES)
    finest = max(reports, key=lambda report: report.width * report.height)
    place = locate(finest, most_pixels=told.most_pixels)
    pairs = zip(product.bands, reports, strict=True)
    if odd := [band.band for band, report in pairs if not _same_ground(report, finest)]:
        raise invalid("product.grid", "product.grid", name=product.name, measured=", ".join(odd))
    captured_at = told.captured_at or product.captured_at
    return Placed(
        guests=tuple(guests),
        reports=tuple(reports),
        sha256=_identity([*guests, *documents]),
        name=product.name,
        grid=place.grid,
        roles=tuple(band.role for band in product.bands),
        sensor=told.sensor or SATELLITE,
        gsd_m=place.gsd_m,
        shown=place.footprint,
        captured_at=captured_at,
        captured_until=captured_at,
        position=told.position(place, SATELLITE),
        layers=tuple(Layer(band.scale, band.offset) for band in product.bands),
        attached=tuple(documents),
        about=product.about,
    )


def _same_ground(report: HeaderReport, finest: HeaderReport) -> bool:
    """Whether a band covers what the finest one covers, in the same CRS and north up, whatever its resolution."""
    if not (report.crs_wkt and report.transform and finest.crs_wkt and finest.transform and report.bands == 1):
        return False
    if CRS.from_wkt(report.crs_wkt) != CRS.from_wkt(finest.crs_wkt) or not finite(report.transform):
        return False
    own, other = Affine(*report.transform), Affine(*finest.transform)
    if own.b or own.d:
        return False
    far = zip(own @ (report.width, report.height), other @ (finest.width, finest.height), strict=True)
    near = zip((own.c, own.f), (other.c, other.f), strict=True)
    return all(abs(a - b) <= abs(own.a) for a, b in (*far, *near))


def _identity(files: Sequence[Arrival]) -> str:
    """What a scene is known by: its file's hash, or the hash of all its files' hashes, in whatever order they came."""
    if len(files) == 1:
        return files[0].sha256
    return hashlib.sha256("\n".join(sorted(file.sha256 for file in files)).encode()).hexdigest()


def _from_photos(photos: Sequence[Photo], left_out: Mapping[str, tuple[Refusal, ...]], told: Told) -> Placed:
    guests, reports, poses = (tuple(column) for column in zip(*photos, strict=True))
    plan = plan_mosaic(reports, poses, ground=told.terrain, most_pixels=told.most_pixels)
    return Placed(
        guests=guests,
        reports=reports,
        sha256=_identity(guests),
        name=guests[0].name if len(guests) == 1 else f"{len(guests)} photos from {guests[0].name}",
        grid=plan.grid,
        roles=roles_of(reports[0].model_copy(update={"bands": 3, "colours": ()}), told.bands),
        sensor=told.sensor or UAV,
        gsd_m=usual_resolution_m(plan.grid),
        shown=plan.footprint,
        captured_at=plan.captured_at,
        captured_until=plan.captured_until,
        position=told.stated or Position(plan.position_error_m, Basis.RECKONED, _POSE),
        plan=plan,
        left_out=left_out,
    )


def _tagged_time(report: HeaderReport) -> datetime | None:
    """The time in the TIFF tag, which names no zone; satellite products write UTC."""
    try:
        return datetime.strptime(report.tags.get("TIFFTAG_DATETIME", ""), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
