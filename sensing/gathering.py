"""Touches the disk: an image, and what its producer says of it in its name, its tags and the files beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sensing.beside import metadata_beside, model_beside
from sensing.gaofen import Described, Named, describe, named
from sensing.header import HeaderReport
from sensing.odm import is_odm
from sensing.positions import sensor_said
from sensing.quarantine import Arrival, Guest, Quarantine, readable
from sensing.rpc import read_rpc

UAV, SATELLITE = "uav", "satellite"


@dataclass(frozen=True)
class Image:
    """An image, what it says of itself, and what lay beside it."""

    file: Path
    guest: Guest
    report: HeaderReport
    attached: tuple[Arrival, ...]
    product: Named | None
    said: Described

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """Every file that makes the scene."""
        return (self.guest, *self.attached)

    def sensor(self, *, is_satellite: bool = False) -> str | None:
        """Who took it, by who made the file; None where nothing says it."""
        if is_odm(self.file):
            return UAV
        if is_satellite or self.product is not None:
            return SATELLITE
        return sensor_said(self.file.stem, self.report.tags)


def gather(room: Quarantine, file: Path, guest: Guest, report: HeaderReport) -> Image:
    """An image with the sensor model and the metadata beside it; raises RuleViolation where those are broken."""
    attached: tuple[Arrival, ...] = ()
    if not report.has_affine and not report.gcps and (beside := model_beside(file)):
        text = _text(room, beside)
        report = report.model_copy(update={"rpc": read_rpc(text.path.read_bytes(), text.name)})
        attached = (text,)
    product = named(file.stem)
    said, papers = _described(room, file, product)
    return Image(file, guest, report, (*attached, *papers), product, said)


def _text(room: Quarantine, file: Path) -> Arrival:
    return room.admit_text(lambda: file.open("rb"), readable(file.name), file.stat().st_size)


def _described(room: Quarantine, file: Path, product: Named | None) -> tuple[Described, tuple[Arrival, ...]]:
    """What the metadata beside the image of a product say, and they themselves."""
    beside = metadata_beside(file) if product else None
    if beside is None:
        return Described(None, None, None), ()
    paper = _text(room, beside)
    return describe(lambda: paper.path.open("rb"), paper.name, paper.size_bytes), (paper,)
