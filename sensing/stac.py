"""Touches the disk: the masked copies as a static STAC catalogue that any program reads, and any person, without us.

Self-contained: every link is relative, every image lies beside its item. Originals are never in it, nor is a scene
that is quarantined.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pystac
import rasterio
from geoalchemy2 import WKBElement
from geoalchemy2.shape import to_shape
from pystac.extensions.eo import Band, EOExtension
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterBand, RasterExtension
from rasterio.io import DatasetReader
from rasterio.warp import transform_bounds
from shapely.geometry import mapping
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import conflict
from schemas.tables import Derivative, Scene
from sensing.bands import Role
from sensing.copies import is_current, refuse_overdue
from sensing.derivative import open_derivative
from sensing.intake import FIRST_AERIAL
from sensing.originals import ContentStore, flush_directory
from sensing.preview import Box, render
from sensing.scratch import private_directory
from sensing.stac_pages import write_pages

_PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
_IMAGE, _THUMBNAIL = "image", "thumbnail"
_THUMBNAIL_PX = 512
# The names that the EO extension has for what bands measure.
_COMMON = {
    Role.BLUE: "blue",
    Role.GREEN: "green",
    Role.RED: "red",
    Role.RED_EDGE: "rededge",
    Role.NIR: "nir",
    Role.SWIR1: "swir16",
    Role.SWIR2: "swir22",
}
_TITLES = {"satellite": "Satellite scenes", "aerial": "Aerial images", "uav": "Images from unmanned aircraft"}
_LINEAGE = "privacy zones burnt into the pixels, then tiled with overviews; nothing else of the original is kept"


@dataclass(frozen=True)
class Entry:
    """A scene and the masked copy that stands for it."""

    scene: Scene
    copy: Derivative


@dataclass(frozen=True)
class About:
    """What the catalogue says of itself: when it was made, and whether its data are invented."""

    made_at: datetime
    is_sample: bool


def entries(session: Session, at: datetime | None = None) -> list[Entry]:
    """Every scene that may be shown, with the masked copy that counts, in the order of their ids.

    Raises RuleViolation GD-43 where a copy does not hide every privacy zone yet.
    """
    rows = session.execute(
        select(Scene, Derivative)
        .join(Derivative, Derivative.scene_id == Scene.id)
        .where(is_current(), Scene.footprint.is_not(None))
        .order_by(Scene.public_id)
    )
    found = [Entry(scene, copy) for scene, copy in rows if not scene.quarantine]
    refuse_overdue(session, [entry.copy for entry in found], at)
    return found


def write_catalogue(
    out: Path,
    found: Sequence[Entry],
    store: ContentStore,
    about: About,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Write the catalogue as a new folder: all of it or nothing. Raises RuleViolation 409 where something is there."""
    if out.exists():
        raise conflict("catalogue.exists", name=out.name)
    with private_directory(out.absolute().parent, ".catalogue-") as draft:
        catalogue = pystac.Catalog(
            "skywarden",
            "Masked copies of images. "
            + ("Invented sample data: no real place. " if about.is_sample else "")
            + f"Written {about.made_at:%Y-%m-%d %H:%M}Z.",
            title="Skywarden",
        )
        done = 0
        for sensor in sorted({entry.scene.sensor for entry in found}):
            items = []
            for entry in (one for one in found if one.scene.sensor == sensor):
                items.append(_item(draft / sensor, entry, store, about))
                done += 1
                progress(done / len(found))
            catalogue.add_child(_collection(sensor, items))
        catalogue.normalize_and_save(str(draft), pystac.CatalogType.SELF_CONTAINED)
        write_pages(draft, catalogue, is_sample=about.is_sample)
        draft.chmod(0o755)
        draft.rename(out)
    flush_directory(out.absolute().parent)


def _collection(sensor: str, items: Sequence[pystac.Item]) -> pystac.Collection:
    collection = pystac.Collection(
        sensor,
        f"{_TITLES.get(sensor, sensor)}, privacy zones masked.",
        pystac.Extent.from_items(items),
        title=_TITLES.get(sensor, sensor),
        license="other",
    )
    collection.add_items(items)
    return collection


def _item(folder: Path, entry: Entry, store: ContentStore, about: About) -> pystac.Item:
    """One scene, its image and thumbnail beside it in a folder of their own."""
    scene, copy = entry.scene, entry.copy
    name = scene.public_id
    home = folder / name
    home.mkdir(parents=True)
    image = home / f"{name}.tif"
    stored, shown = store.get(copy.sha256), to_shape(cast("WKBElement", scene.footprint))
    shutil.copyfile(stored, image)
    with open_derivative(stored) as dataset:
        item = pystac.Item(
            name,
            geometry=mapping(shown),
            bbox=list(shown.bounds),
            datetime=scene.captured_at if scene.captured_until == scene.captured_at else None,
            # An interval is asked for where nobody knows the time: the widest that a camera in the air allows.
            start_datetime=scene.captured_at or FIRST_AERIAL,
            end_datetime=scene.captured_until or scene.recorded_at,
            properties=_properties(entry, about),
        )
        asset = pystac.Asset(image.name, title="Masked image", media_type=pystac.MediaType.COG, roles=["data"])
        item.add_asset(_IMAGE, asset)
        if (clouds := scene.header.get("about", {}).get("cloud_percent")) is not None:
            EOExtension.ext(item, add_if_missing=True).cloud_cover = float(clouds)
        _describe(item, asset, dataset, (entry, [Role(role) for role in copy.band_roles]))
        box = Box(*transform_bounds(dataset.crs, 4326, *dataset.bounds))
    _checksum(asset, image, copy.sha256)
    _add_thumbnail(item, home, stored, ([Role(role) for role in copy.band_roles], box))
    return item


def _properties(entry: Entry, about: About) -> dict[str, Any]:
    """What is known of a scene: its resolution, how sure its place is, and the proof that zones are masked."""
    scene, copy = entry.scene, entry.copy
    position, told = scene.header.get("position", {}), scene.header.get("about", {})
    properties: dict[str, Any] = {
        "created": copy.recorded_at.astimezone(UTC).isoformat(),
        "gsd": scene.gsd_m,
        "processing:facility": "Skywarden",
        "processing:software": {"GDAL": rasterio.__gdal_version__},
        "processing:lineage": _LINEAGE,
        "skywarden:original_sha256": scene.sha256,
        "skywarden:captured_known": scene.captured_at is not None,
        "skywarden:position_error_m": scene.position_error_m,
        "skywarden:position_basis": position.get("basis"),
        "skywarden:zone_version": copy.zone_hash,
        "skywarden:masked_pixels": copy.masked_pixels,
        "skywarden:surviving_pixels": copy.surviving_pixels,
        "skywarden:sample": about.is_sample,
    }
    if told.get("platform"):
        properties |= {"platform": told["platform"].lower(), "processing:level": told["level"]}
    return properties


def _describe(
    item: pystac.Item, asset: pystac.Asset, dataset: DatasetReader, known: tuple[Entry, Sequence[Role]]
) -> None:
    """Projection of the item; type, resolution and meaning of each band of its image."""
    entry, roles = known
    item.stac_extensions.append(_PROCESSING)
    epsg = dataset.crs.to_epsg()
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=f"EPSG:{epsg}" if epsg else None,
        wkt2=None if epsg else dataset.crs.to_wkt(version="WKT2_2019"),
        bbox=list(dataset.bounds),
        shape=[dataset.height, dataset.width],
        transform=list(dataset.transform)[:6],
    )
    RasterExtension.ext(asset, add_if_missing=True).bands = [
        RasterBand.create(data_type=kind, spatial_resolution=entry.scene.gsd_m, nodata=void)
        for kind, void in zip(dataset.dtypes, void_values(dataset), strict=True)
    ]
    EOExtension.ext(asset, add_if_missing=True).bands = [
        Band.create(name=f"{number:02}", description=role.value, common_name=_COMMON.get(role))
        for number, role in enumerate(roles, 1)
    ]


def void_values(dataset: DatasetReader) -> list[float | None]:
    """For each band of a masked copy, the number that stands for no data alone; None where pixels that count have it.

    Void pixels hold zero and are marked in the mask: where ground measures zero too, only the mask can tell them apart.
    """
    left = list(range(1, dataset.count + 1))
    for _, window in dataset.block_windows(1):
        if not left:
            break
        counts = dataset.dataset_mask(window=window) > 0
        planes = dataset.read(left, window=window)
        left = [band for band, plane in zip(left, planes, strict=True) if not (counts & (plane == 0)).any()]
    return [0.0 if band in left else None for band in range(1, dataset.count + 1)]


def _checksum(asset: pystac.Asset, file: Path, sha256: str) -> None:
    # A multihash: 0x12 is SHA-256, 0x20 its length.
    FileExtension.ext(asset, add_if_missing=True).apply(checksum=f"1220{sha256}", size=file.stat().st_size)


def _add_thumbnail(item: pystac.Item, home: Path, stored: Path, look: tuple[list[Role], Box]) -> None:
    roles, box = look
    wide, high = box.east - box.west, box.north - box.south
    scale = _THUMBNAIL_PX / max(wide, high)
    size = max(round(wide * scale), 1), max(round(high * scale), 1)
    (home / "thumbnail.png").write_bytes(render(stored, roles, box, size))
    item.add_asset(_THUMBNAIL, pystac.Asset("thumbnail.png", media_type=pystac.MediaType.PNG, roles=["thumbnail"]))
