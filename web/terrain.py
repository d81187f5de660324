"""Touches the disk: the elevation model of this installation, brought in through quarantine, and told."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from flights.ground import TERRAIN_FILE
from schemas.actors import HOST, Actor
from schemas.ids import new_id
from schemas.refusals import invalid
from sensing.derivative import open_derivative
from sensing.elevation import Heights
from sensing.georeference import ground_resolution_m, outline
from sensing.grid import Grid, crs_name, windows
from sensing.intake import Shelf, receive_elevation
from sensing.originals import flush_directory
from sensing.quarantine import quarantine
from sensing.scratch import sweep
from web.wiring import Services

_ARRIVING = "terrain-arriving-"
_READABLE = 0o644
_DECIMALS = 6


@dataclass(frozen=True)
class Model:
    """An elevation model as it lies on the disk.

    `bounds` are west, south, east, north in EPSG:4326; `resolution_m` is the size of a cell on the ground at the
    centre; `void_share` the share of cells without a height.
    """

    sha256: str
    crs: str
    bounds: tuple[float, float, float, float]
    resolution_m: float
    void_share: float


@dataclass(frozen=True)
class Imported:
    """An elevation model that was put in place; `before` is the file in which the one before it is kept."""

    model: Model
    heights: Heights
    source_sha256: str
    before: str | None


def model_of(services: Services, name: str = TERRAIN_FILE) -> Model | None:
    """The elevation model of this installation, with SURFACE_FILE that of what stands on the ground, or None.

    Raises RuleViolation for a file that is none.
    """
    path = services.data_dir / name
    return _described(path) if path.is_file() else None


def import_model(services: Services, file: Path, *, actor: Actor = HOST, name: str = TERRAIN_FILE) -> Imported:
    """Makes `file` the elevation model from now on, or with SURFACE_FILE the surface model upon it.

    Flights in the air go on with the file that they opened. Raises RuleViolation with the reasons.
    """
    with quarantine(Shelf(services.data_dir).quarantine) as room:
        guest, copy, heights = receive_elevation(room, file)
        model = _described(copy)
        with _arriving(copy, services.data_dir) as arriving:
            current = services.data_dir / name
            before = _kept(current) if current.is_file() else None
            # The record comes first: a database that is away must not leave a model that nobody accounts for.
            with services.work(actor) as work:
                facts = asdict(model) | {"source_sha256": guest.sha256, "vertical_datum": heights.datum}
                kind = current.stem
                work.record(f"{kind}.import", kind, new_id(), facts)
                work.commit()
            arriving.rename(current)
            flush_directory(services.data_dir)
    return Imported(model, heights, guest.sha256, before)


@contextmanager
def _arriving(copy: Path, data_dir: Path) -> Iterator[Path]:
    """A flushed copy on the file system of the model, gone at the end unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=_ARRIVING, dir=data_dir)
    arriving = Path(name)
    sweep(data_dir, _ARRIVING, arriving)
    try:
        with os.fdopen(handle, "wb") as writer, copy.open("rb") as reader:
            shutil.copyfileobj(reader, writer)
            writer.flush()
            os.fsync(writer.fileno())
        arriving.chmod(_READABLE)
        yield arriving
    finally:
        arriving.unlink(missing_ok=True)


def _kept(current: Path) -> str:
    """Give the model that is to be replaced a second name, by its hash, under which it stays."""
    kept = current.with_stem(f"{current.stem}-{_sha256(current)[:12]}")
    # The same bytes may have been kept before.
    with suppress(FileExistsError):
        os.link(current, kept)
    return kept.name


def _described(path: Path) -> Model:
    try:
        with open_derivative(path) as dataset:
            if dataset.crs is None:
                raise invalid("raster.crs", "terrain.unplaced", name=path.name)
            grid = Grid(dataset.crs.to_wkt(), dataset.transform, dataset.width, dataset.height)
            west, south, east, north = (round(degrees, _DECIMALS) for degrees in outline(grid).bounds)
            return Model(
                sha256=_sha256(path),
                crs=crs_name(grid.crs_wkt),
                bounds=(west, south, east, north),
                resolution_m=round(ground_resolution_m(grid), 3),
                void_share=round(_void_cells(dataset, grid) / (grid.width * grid.height), _DECIMALS),
            )
    except RasterioError as error:
        raise invalid("raster.corrupt", "raster.corrupt", name=path.name) from error


def _void_cells(dataset: DatasetReader, grid: Grid) -> int:
    count = 0
    for window, _ in windows(grid, grid.width * 8):
        cells = dataset.read(1, window=window, masked=True)
        count += int(np.isnan(np.ma.filled(cells.astype(np.float64), np.nan)).sum())
    return count


def _sha256(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
