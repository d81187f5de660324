"""Touches the disk: what the child process does with an image once it is locked in; imported by the child alone."""

from __future__ import annotations

import math
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS as RasterCRS
from rasterio.enums import ColorInterp, Interleaving, MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window
from shapely.geometry import shape

from sensing import frames, photo
from sensing.derivative import DerivativeWriter
from sensing.elevation import Heights, vertical_of
from sensing.grid import BLOCK, Grid, windows
from sensing.header import Driver, GroundPoint, HeaderReport
from sensing.mask import ZoneBurner, validity
from sensing.projecting import picked, through_model
from sensing.relief import Relief
from sensing.rpc import Rpc

_FRAME_CACHE_BYTES = 512 << 20
_TILE = 1024
_LEAST_CACHE_BYTES, _MOST_CACHE_BYTES = 256 << 20, 768 << 20
# Decoders of a dozen files at once hold much by themselves. Two rows of our tiles share a row of blocks of a coarser
# band, and no more is asked for twice.
_STACK_CACHE_BYTES = 320 << 20
_TAGS_KEPT = (
    *("TIFFTAG_DATETIME", "AREA_OR_POINT", "TIFFTAG_SOFTWARE", "TIFFTAG_IMAGEDESCRIPTION"),
    *("SENSOR", "SPACECRAFT_ID", "PLATFORM"),
)
_TAG_LENGTH = 200
_NAME_LENGTH = 80
_OWN_TYPES = {"int8": "int16", "uint32": "float32", "int32": "float32", "float64": "float32"}


_Pixels = tuple[NDArray[Any], NDArray[np.bool_]]


class Unreadable(Exception):
    """Pixels of one file of the job cannot be decoded; `file` is its place in the job."""

    def __init__(self, file: int) -> None:
        super().__init__(f"file {file}")
        self.file = file


def inspect(job: dict[str, Any], isolation: str) -> Iterator[dict[str, Any]]:
    """The header of every file; no pixel is decoded."""
    for index, file in enumerate(job["files"]):
        try:
            yield {"report": _header(Path(file["path"]), file["driver"], isolation).model_dump()}
        # What a broken file makes the parsers raise; anything else is our own mistake and ends the child.
        except (RasterioError, OSError, ValueError, SyntaxError, struct.error) as error:
            raise Unreadable(index) from error


def _header(path: Path, driver: Driver, isolation: str) -> HeaderReport:
    with rasterio.open(path, driver=driver) as source:
        size = {"driver": driver, "width": source.width, "height": source.height, "bands": source.count}
        size |= {"file_bytes": path.stat().st_size, "isolation": isolation}
        if source.count > len(source.dtypes) or source.count > 1000:
            return HeaderReport.model_validate(size)
        points, points_crs = source.gcps
        placed = source.transform != Affine.identity()
        return HeaderReport.model_validate(
            size
            | {
                "dtypes": tuple(dict.fromkeys(source.dtypes)),
                "crs_wkt": source.crs.to_wkt() if source.crs else None,
                "transform": tuple(source.transform)[:6] if placed else None,
                "gcps": tuple(GroundPoint(row=p.row, col=p.col, x=p.x, y=p.y) for p in points),
                "gcp_crs_wkt": points_crs.to_wkt() if points and points_crs else None,
                "rpc": Rpc.of_tags(source.rpcs.to_dict()) if source.rpcs else None,
                "scales": source.scales,
                "offsets": source.offsets,
                "palette": _is_painted(source),
                "block_bytes": _block_bytes(source),
                "nodata": tuple(None if value is None else float(value) for value in source.nodatavals),
                "colours": tuple(colour.name for colour in source.colorinterp),
                "tags": {k: source.tags()[k][:_TAG_LENGTH] for k in _TAGS_KEPT if k in source.tags()},
                "unpacked_bytes": sum(np.dtype(t).itemsize for t in source.dtypes) * source.width * source.height,
                "photo": photo.read(path) if driver == "JPEG" else None,
            }
        )


def _is_painted(source: DatasetReader) -> bool:
    """Whether the only band holds numbers of a colour table; a table of greys leaves them what they are."""
    if source.count != 1 or source.colorinterp[0] != ColorInterp.palette:
        return False
    return any(len(set(colour[:3])) > 1 for colour in source.colormap(1).values())


def _block_bytes(source: DatasetReader) -> int:
    """What has to be unpacked at once to read any pixel: a tile or a strip, of all bands where they lie together."""
    together = source.count if source.interleaving == Interleaving.pixel else 1
    rows, columns = source.block_shapes[0]
    return int(rows * columns * np.dtype(source.dtypes[0]).itemsize * together)


def transcode(job: dict[str, Any], isolation: str) -> Iterator[dict[str, Any]]:
    """Write our own masked copy of file 0 on the job's grid, window by window; the last line holds the counts."""
    grid = Grid.load(job["grid"])
    report = HeaderReport.model_validate(job["report"])
    with ExitStack() as stack:
        file = job["files"][0]
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=_cache_bytes(report)))
        source = stack.enter_context(rasterio.open(file["path"], driver=file["driver"]))
        bands = report.own_bands
        if job["by"] != "affine":
            flat = Path(job["output"]).with_suffix(".flat")
            _flatten(source, report, flat)
            source = stack.enter_context(rasterio.open(flat, driver="GTiff"))
            stack.callback(flat.unlink)
        read = _reader(job, source, report, grid)
        writer = stack.enter_context(_writer(job, grid, bands, _common_type(report)))
        for window, done in windows(grid, writer.row_bytes, tile=_TILE if job["by"] == "rpc" else None):
            writer.write(window, *read(window))
            yield {"progress": done}
    yield {"written": writer.counts()}


def _reader(
    job: dict[str, Any], source: DatasetReader, report: HeaderReport, grid: Grid
) -> Callable[[Window], _Pixels]:
    """How a window of our grid is filled, by what places the image."""
    if job["by"] == "affine":
        return lambda window: _read(source, report, window)
    if job["by"] == "gcp" or report.rpc is None:
        return lambda window: _warped(source, grid, window)
    rpc, relief = report.rpc, Relief.load(job["relief"])
    return lambda window: _projected(source, through_model(window, grid, rpc, relief))


def _cache_bytes(report: HeaderReport) -> int:
    """Room for all strips of a row of our tiles, so that a wide image is unpacked once and not once per tile."""
    row_bytes = report.unpacked_bytes // report.height
    return min(max(2 * BLOCK * row_bytes, _LEAST_CACHE_BYTES), _MOST_CACHE_BYTES)


def mosaic(job: dict[str, Any], isolation: str) -> Iterator[dict[str, Any]]:
    """Write one masked scene from photos; each pixel comes from the one that looks at it most steeply."""
    grid = Grid.load(job["grid"])
    poses = [frames.Placement.load(entry) for entry in job["placements"]]
    album = _Album(job["files"])
    relief = Relief.load(job["relief"]) if job["relief"] else None
    with _writer(job, grid, 3, "uint8") as writer:
        for window, done in windows(grid, writer.row_bytes, tile=_TILE):
            writer.write(window, *frames.draw(window, grid.transform, poses, album.pixels, relief))
            yield {"progress": done}
    yield {"written": writer.counts()}


def stack(job: dict[str, Any], isolation: str) -> Iterator[dict[str, Any]]:
    """Write one masked scene of bands in files of their own; each pixel is the nearest one of its band.

    A pixel is void where any band holds zero, which is what satellite products store where they have nothing.
    """
    grid = Grid.load(job["grid"])
    with ExitStack() as opened:
        opened.enter_context(rasterio.Env(GDAL_CACHEMAX=_STACK_CACHE_BYTES))
        sources = [opened.enter_context(rasterio.open(file["path"], driver=file["driver"])) for file in job["files"]]
        writer = opened.enter_context(_writer(job, grid, len(sources), "uint16"))
        for window, done in windows(grid, writer.row_bytes, tile=_TILE):
            shape = (len(sources), int(window.height), int(window.width))
            data, valid = np.zeros(shape, dtype=np.uint16), np.ones(shape[1:], dtype=np.bool_)
            for number, (source, layer) in enumerate(zip(sources, job["layers"], strict=True)):
                raw = _nearest(source, grid, window, number)
                valid &= raw != 0
                scaled = np.rint(raw * layer["scale"] + layer["offset"])
                data[number] = np.clip(scaled, 0, np.iinfo(np.uint16).max)
            writer.write(window, data, valid)
            yield {"progress": done}
    yield {"written": writer.counts()}


def _nearest(source: DatasetReader, grid: Grid, window: Window, number: int) -> NDArray[Any]:
    """The pixels of a band under those of a window of the grid, zero beyond its rim; both are north up in one CRS."""
    across = np.arange(int(window.width)) + window.col_off + 0.5
    down = np.arange(int(window.height)) + window.row_off + 0.5
    back = ~source.transform @ grid.transform
    columns, rows = np.meshgrid(back.c + back.a * across, back.f + back.e * down)
    try:
        pixels, _ = picked(columns, rows, (source.width, source.height), lambda part: source.read([1], window=part))
    except (RasterioError, OSError) as error:
        raise Unreadable(number) from error
    return pixels[0] if pixels is not None else np.zeros(columns.shape, dtype=np.uint16)


def heights(job: dict[str, Any], isolation: str) -> Iterator[dict[str, Any]]:
    """Write our own plain copy of an elevation model, window by window; the last line tells what it holds."""
    grid = Grid.load(job["grid"])
    report = HeaderReport.model_validate(job["report"])
    file, known, lowest_m, highest_m = job["files"][0], 0, math.inf, -math.inf
    with ExitStack() as stack:
        # Older GeoTIFFs show their vertical datum only when asked.
        stack.enter_context(rasterio.Env(GTIFF_REPORT_COMPD_CS=True))
        source = stack.enter_context(rasterio.open(file["path"], driver=file["driver"]))
        target = stack.enter_context(rasterio.open(job["output"], "w", **_plain(grid)))
        for window, done in windows(grid, grid.width * 8):
            heights_m = _heights_m(source, report, window)
            target.write(heights_m, 1, window=window)
            found_m = heights_m[~np.isnan(heights_m)]
            known += found_m.size
            lowest_m = float(found_m.min(initial=lowest_m))
            highest_m = float(found_m.max(initial=highest_m))
            yield {"progress": done}
        unit, vertical = (source.units[0] or "")[:_NAME_LENGTH], vertical_of(source.crs.to_wkt(version="WKT2_2019"))
    told = Heights(known=known, lowest_m=lowest_m, highest_m=highest_m, unit=unit, vertical=vertical)
    yield {"written": told.model_dump()}


def _heights_m(source: DatasetReader, report: HeaderReport, window: Window) -> NDArray[np.float32]:
    """Heights by the file's own scale and offset, NaN where it has none; what no float32 holds stays infinite."""
    raw, valid = _measured(source, report, window)
    with np.errstate(over="ignore", invalid="ignore"):
        heights_m = raw[0].astype(np.float64) * source.scales[0] + source.offsets[0]
        return np.where(valid, heights_m.astype(np.float32), np.float32(np.nan))


def _plain(grid: Grid) -> dict[str, Any]:
    size = {"width": grid.width, "height": grid.height, "count": 1, "dtype": "float32", "nodata": math.nan}
    place = {"crs": RasterCRS.from_wkt(grid.crs_wkt), "transform": grid.transform}
    tiles = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "BIGTIFF": "IF_SAFER"}
    return {"driver": "GTiff", **size, **place, **tiles, "compress": "deflate", "zlevel": 3, "predictor": 3}


def _writer(job: dict[str, Any], grid: Grid, bands: int, dtype: str) -> DerivativeWriter:
    burner = ZoneBurner((shape(zone) for zone in job["zones"]), CRS.from_wkt(grid.crs_wkt), grid.transform)
    return DerivativeWriter(Path(job["output"]), grid, (bands, dtype), burner)


def _common_type(report: HeaderReport) -> str:
    """The smallest of our own types that holds all bands; 64-bit floats become 32-bit ones."""
    if report.palette:
        return "uint8"
    if report.is_scaled:
        return "float32"
    kinds = {_OWN_TYPES.get(kind, kind) for kind in report.dtypes}
    common = np.result_type(*kinds).name
    return _OWN_TYPES.get(common, common)


def _read(source: DatasetReader, report: HeaderReport, window: Window) -> _Pixels:
    """The measurements of a window: colours instead of numbers of a palette, scale and offset applied."""
    raw, valid = _measured(source, report, window)
    if report.palette:
        return _painted(source, raw, valid)
    if report.is_scaled:
        bands = [band - 1 for band in report.data_bands]
        scales, offsets = (np.array(all_of)[bands, None, None] for all_of in (report.scales, report.offsets))
        raw = raw * scales + offsets
    return raw.astype(_common_type(report), copy=False), valid


def _painted(source: DatasetReader, raw: NDArray[Any], valid: NDArray[np.bool_]) -> _Pixels:
    """Red, green and blue of a picture that holds numbers of its colour table; entries that it lacks are void."""
    colours = np.zeros((max(256, int(np.iinfo(raw.dtype).max) + 1), 4), dtype=np.uint8)
    for number, colour in source.colormap(1).items():
        colours[number] = colour
    painted = np.moveaxis(colours[raw[0]], 2, 0)
    return painted[:3], valid & (painted[3] != 0)


def _measured(source: DatasetReader, report: HeaderReport, window: Window) -> _Pixels:
    """The data bands as the file holds them, and which pixels count."""
    try:
        raw = source.read(report.data_bands, window=window)
        alpha = source.read(report.alpha_band, window=window) if report.alpha_band else None
        own_mask = source.read_masks(report.data_bands[0], window=window) if _has_mask_band(source) else None
    except (RasterioError, OSError) as error:
        raise Unreadable(0) from error
    nodata = [report.nodata[band - 1] for band in report.data_bands]
    return raw, validity(raw, nodata=nodata, alpha=alpha, mask=own_mask)


def _has_mask_band(source: DatasetReader) -> bool:
    flags = source.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _flatten(source: DatasetReader, report: HeaderReport, path: Path) -> None:
    """A plain copy in the source's own pixel grid with validity as a last band, so that both are warped alike."""
    dtype = _common_type(report)
    grid = Grid("", Affine.identity(), source.width, source.height)
    profile = {"driver": "GTiff", "count": report.own_bands + 1, "dtype": dtype, "tiled": True, "BIGTIFF": "IF_SAFER"}
    placed: dict[str, Any] = {}
    if report.gcps and report.gcp_crs_wkt:
        points = [GroundControlPoint(row=p.row, col=p.col, x=p.x, y=p.y, z=0.0) for p in report.gcps]
        placed = {"gcps": points, "crs": RasterCRS.from_wkt(report.gcp_crs_wkt)}
    with rasterio.open(path, "w", width=source.width, height=source.height, **profile, **placed) as flat:
        for window, _ in windows(grid, source.width * 8 * (report.own_bands + 1)):
            data, valid = _read(source, report, window)
            flat.write(np.concatenate([data, valid[None].astype(dtype)]), window=window)


def _warped(flat: DatasetReader, grid: Grid, window: Window) -> _Pixels:
    target = np.zeros((flat.count, int(window.height), int(window.width)), dtype=flat.dtypes[0])
    # Nearest neighbour keeps measured values as they are: nothing is blended, least of all across the rim.
    reproject(
        rasterio.band(flat, list(range(1, flat.count + 1))),
        target,
        dst_transform=grid.transform @ Affine.translation(window.col_off, window.row_off),
        dst_crs=RasterCRS.from_wkt(grid.crs_wkt),
        resampling=Resampling.nearest,
    )
    return target[:-1], target[-1] != 0


def _projected(flat: DatasetReader, places: tuple[NDArray[np.float64], NDArray[np.float64]]) -> _Pixels:
    pixels, shown = picked(*places, (flat.width, flat.height), lambda window: flat.read(window=window))
    if pixels is None:
        pixels = np.zeros((flat.count, *shown.shape), dtype=flat.dtypes[0])
    return pixels[:-1], shown & (pixels[-1] != 0)


class _Album:
    """Decoded photos, the least recently used ones let go when the cache is full."""

    def __init__(self, files: list[dict[str, Any]]) -> None:
        self._files = files
        self._held: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()

    def pixels(self, index: int) -> NDArray[np.uint8]:
        """The photo at `index` as 3 x height x width."""
        if index not in self._held:
            file = self._files[index]
            try:
                with rasterio.open(file["path"], driver=file["driver"]) as source:
                    bands = [1, 2, 3] if source.count >= 3 else [1, 1, 1]
                    self._held[index] = source.read(bands)
            except (RasterioError, OSError) as error:
                raise Unreadable(index) from error
            while len(self._held) > 1 and sum(p.nbytes for p in self._held.values()) > _FRAME_CACHE_BYTES:
                self._held.popitem(last=False)
        self._held.move_to_end(index)
        return self._held[index]


def look(job: dict[str, Any], isolation: str) -> Iterator[dict[str, Any]]:
    """What a snapshot looks like in a few numbers, or the rule that refuses it."""
    # Only this task needs what judges the health of cameras.
    from schemas.refusals import RuleViolation
    from sensing.sensors import health

    try:
        grey = health.read_snapshot(Path(job["files"][0]["path"]).read_bytes())
        yield {"look": health.look(grey).dump()}
    except RuleViolation as refused:
        (reason,) = refused.refusals
        yield {"refused": {"rule": reason.rule, "measured": reason.measured, "required": reason.required}}


TASKS: dict[str, Callable[[dict[str, Any], str], Iterator[dict[str, Any]]]] = {
    "inspect": inspect,
    "transcode": transcode,
    "mosaic": mosaic,
    "stack": stack,
    "heights": heights,
    "look": look,
}
