"""Touches the disk: masked copies are masked anew when a privacy zone comes later than they did.

The masked copy itself is masked, not its original: that gives back nothing that was hidden before, and opens nothing
that a stranger made. Files first, rows after, removal last: what is cut off in between is done again, or removed, by
the next pass.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.errors import RasterioError
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from schemas.ids import public_id
from schemas.refusals import RuleViolation, conflict
from schemas.store.work import Work
from schemas.tables import Derivative, Scene, SegmentationRun
from sensing import runs
from sensing.copies import is_current, overdue, zones_to_burn
from sensing.derivative import DerivativeWriter, open_derivative, surviving_pixels
from sensing.grid import Grid, windows
from sensing.intake import Shelf
from sensing.mask import Zone, ZoneBurner, grown, zone_version
from sensing.quarantine import Progress
from sensing.scratch import private_directory
from sensing.segment import embeddings

_FOLDER = "remasking"


@dataclass(frozen=True)
class Overdue:
    """A copy that shows what a zone hides: of which scene, and the zones that it does not hold yet."""

    scene: str
    copy: str
    copy_id: uuid.UUID
    pixels: int
    zones: tuple[str, ...]


@dataclass(frozen=True)
class Remasked:
    """What became of an overdue copy: the copy that took its place, or why there is none yet."""

    overdue: Overdue
    copy: str | None
    hidden_pixels: int = 0
    refused: RuleViolation | None = None


@dataclass(frozen=True)
class House:
    """What the job works with; `sessions` read, `work` writes."""

    shelf: Shelf
    sessions: Callable[[], AbstractContextManager[Session]]
    work: Callable[[], AbstractContextManager[Work]]
    now: Callable[[], datetime]


def find_overdue(session: Session, at: datetime) -> list[Overdue]:
    """Every copy that shows what a zone hides, the oldest first."""
    found = []
    for copy, scene in session.execute(overdue(at)):
        missing = [zone.public_id for zone in zones_to_burn(session, copy, at) if not _holds(copy, zone)]
        found.append(Overdue(scene.public_id, copy.public_id, copy.id, copy.width * copy.height, tuple(missing)))
    return found


def _holds(copy: Derivative, zone: Zone) -> bool:
    return int(copy.zone_versions.get(zone.public_id, 0)) >= zone.version


def remask(house: House, progress: Progress = lambda _: None) -> Iterator[Remasked]:
    """Mask anew every copy that shows what a zone hides, then remove what it was made from; one event for each.

    What cannot be masked now is told with the reason, and tried again by the next pass.
    """
    with house.sessions() as session:
        left = find_overdue(session, house.now())
    clean(house)
    for one in left:
        try:
            yield _again(house, one, progress)
        except RuleViolation as refused:
            yield Remasked(one, None, refused=refused)
        except (RasterioError, OSError) as error:
            broken = conflict("GD-43", "scene.remask_failed", measured=type(error).__name__)
            yield Remasked(one, None, refused=broken)
        clean(house)


def _again(house: House, one: Overdue, progress: Progress) -> Remasked:
    with house.sessions() as session:
        old, scene, zones = _facts(session, one, house.now())
    source = house.shelf.derivatives.get(old.sha256)
    shapes = [grown(zone, scene.position_error_m or 0.0) for zone in zones]
    with private_directory(house.shelf.root / _FOLDER, "copy-") as folder:
        target = folder / "copy.tif"
        counts, hidden = masked_again(source, target, shapes, progress)
        surviving = surviving_pixels(target, ZoneBurner.on(_grid(target), shapes))
        if surviving:
            raise conflict("GD-43", "scene.masking", measured=surviving)
        sha256 = house.shelf.derivatives.put(target)
    new = Derivative(
        id=uuid.uuid4(),
        public_id=public_id("DR"),
        scene_id=old.scene_id,
        sha256=sha256,
        zone_hash=zone_version(zones),
        zone_ids=[zone.public_id for zone in zones],
        zone_versions={zone.public_id: zone.version for zone in zones},
        supersedes_id=old.id,
        masked_pixels=max(counts["private"], old.masked_pixels),
        surviving_pixels=surviving,
        width=old.width,
        height=old.height,
        bands=old.bands,
        band_roles=list(old.band_roles),
    )
    return Remasked(one, _settle(house, (old, new, scene), one, hidden), hidden)


def _facts(session: Session, one: Overdue, at: datetime) -> tuple[Derivative, Scene, list[Zone]]:
    old = session.get_one(Derivative, one.copy_id)
    return old, session.get_one(Scene, old.scene_id), zones_to_burn(session, old, at)


def _settle(house: House, rows: tuple[Derivative, Derivative, Scene], one: Overdue, hidden: int) -> str:
    """Write the new copy down, unless somebody else did meanwhile; the public id of the copy that counts now."""
    old, new, scene = rows
    with house.work() as work:
        # Whoever takes the same image in, or masks it anew, at the same moment waits here.
        work.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(scene.sha256, 0))))
        taken = work.session.scalars(select(Derivative).where(Derivative.supersedes_id == old.id)).one_or_none()
        if taken is not None:
            return taken.public_id
        work.session.add(new)
        work.session.flush()
        body = {
            "scene": scene.public_id,
            "superseded_sha256": old.sha256,
            "derivative_sha256": new.sha256,
            "zone_hash": new.zone_hash,
            "zones": list(one.zones),
            "masked_pixels": new.masked_pixels,
            "newly_hidden_pixels": hidden,
            "surviving_pixels": new.surviving_pixels,
        }
        work.record("scene.remask", "scene", scene.id, body)
        work.commit()
        return new.public_id


def masked_again(
    source: Path, target: Path, shapes: Sequence[BaseGeometry], progress: Progress
) -> tuple[dict[str, int], int]:
    """Write a masked copy with more zones burnt in; its counts, and how many pixels it hides that were shown before.

    Every other pixel keeps its value to the last bit.
    """
    with open_derivative(source) as old:
        grid = _grid(source)
        burner = ZoneBurner.on(grid, shapes)
        hidden = 0
        with DerivativeWriter(target, grid, (old.count, old.dtypes[0]), burner) as writer:
            for window, done in windows(grid, writer.row_bytes):
                valid = old.dataset_mask(window=window) > 0
                writer.write(window, old.read(window=window), valid)
                hidden += int(np.count_nonzero(valid & burner.burn(window)))
                progress(done)
    return writer.counts(), hidden


def _grid(path: Path) -> Grid:
    with open_derivative(path) as dataset:
        return Grid(dataset.crs.to_wkt(), dataset.transform, dataset.width, dataset.height)


def clean(house: House) -> int:
    """Remove what still shows places that are hidden since; how many files and folders went.

    These are files of copies that were superseded, rasters of labels that were drawn from them, what SAM's encoder made
    of them, and what runs left to be taken up again.
    """
    with house.sessions() as session:
        copies = session.execute(_copies()).all()
        drawn = session.execute(_drawn()).all()
    hidden = {row.scene_id: row.zone_versions for row in copies if row.current}
    outdated = {row.id: row.sha256 for row in copies if row.zone_versions != hidden[row.scene_id]}
    gone = set(outdated.values()) - {row.sha256 for row in copies if row.id not in outdated}
    stale = {row.labels for row in drawn if outdated.keys() & {row.after, row.before}}
    stale -= {row.labels for row in drawn if not outdated.keys() & {row.after, row.before}}
    store = runs.rasters(house.shelf.root)
    removed = sum(house.shelf.derivatives.remove(sha256) for sha256 in gone)
    removed += sum(store.remove(sha256) for sha256 in stale)
    removed += embeddings.forget(house.shelf.root, gone)
    return removed + runs.clear_made_from(house.shelf.root, gone)


def _copies() -> Select[uuid.UUID, uuid.UUID, str, dict[str, Any], bool]:
    copy = Derivative
    return select(copy.id, copy.scene_id, copy.sha256, copy.zone_versions, is_current().label("current"))


def _drawn() -> Select[uuid.UUID, uuid.UUID | None, str | None]:
    after, before = SegmentationRun.derivative_id.label("after"), SegmentationRun.before_derivative_id.label("before")
    labels = SegmentationRun.labels_file_sha256.label("labels")
    return select(after, before, labels).where(SegmentationRun.labels_file_sha256.is_not(None))
