"""Makes the fictional Qinghe District from a seed: registers, maps, terrain, imagery with ground truth. Writes files.

`python -m sample_data.make --seed N --out DIR`. One seed and one day give the same bytes again with the same
library versions; `manifest.json` holds the hash of every file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from shapely.geometry import Point

from sample_data import district, fixtures, plans
from sample_data.aerial import aerial_grid, render_aerial, strip_grid
from sample_data.basemap import base_map, context_layers, feature
from sample_data.burning import render_burning
from sample_data.found_burning import FAR, SMOKE, burning_from_air, burning_from_space, strip
from sample_data.found_from_air import drone_sites
from sample_data.found_from_space import satellite_sites
from sample_data.frame import EPSG, Grid, from_wgs84
from sample_data.incidents import Site
from sample_data.landscape import Landscape, make_landscape
from sample_data.satellite import Pass, render, scene_grid
from sample_data.terrain import terrain_grid

IMAGERY, VECTORS, BURNING = "imagery", "vectors", "burning"
PARTS = frozenset({IMAGERY, VECTORS, BURNING})
# What the demo tells of: the day of the fires is for judging those who look for them.
OF_DEMO = PARTS - {BURNING}
AERIAL_SUN = (150.0, 40.0)
# An overpass in the late morning, local time, a month before today and a year before that.
OVERPASS = time(3, 0)
SINCE_LAST_PASS = timedelta(days=30)
BETWEEN_PASSES = timedelta(days=365)
SINCE_SURVEY = timedelta(days=2)
SINCE_FIRES = timedelta(days=5)
NOTICE = "Fictional: made from a seed for demonstration; no place, person or event in it is real."
MANIFEST = "manifest.json"

Progress = Callable[[str], None]


def make(
    seed: int, out: Path, *, today: date, parts: Iterable[str] = PARTS, progress: Progress = lambda _: None
) -> dict[str, Any]:
    """Writes the district of `seed` as of `today` into `out` and returns its manifest.

    `parts` chooses between the pictures (slow), those of another day on which things burn, and everything else; the
    manifest names what was written.
    """
    out.mkdir(parents=True, exist_ok=True)
    wanted = frozenset(parts)
    files: list[Path] = []
    # The two kinds of picture share nothing but the seed, so each gets a core of its own.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        makers = {
            IMAGERY: (("satellite scenes", _satellite), ("orthophoto", _aerial)),
            BURNING: (("satellite scene with fires", _satellite_burning), ("orthophoto with fires", _aerial_burning)),
        }
        asked = [one for part, makes in makers.items() if part in wanted for one in makes]
        jobs = [(what, pool.submit(maker, seed, out, today)) for what, maker in asked]
        if VECTORS in wanted:
            progress("registers, maps and terrain")
            files += _vectors(make_landscape(seed), out, today)
        for what, job in jobs:
            progress(what)
            files += job.result()
    manifest = {
        "fictional": True,
        "notice": NOTICE,
        "seed": seed,
        "today": today.isoformat(),
        "files": {path.relative_to(out).as_posix(): _sha256(path) for path in sorted(files)},
    }
    _write_json(out / MANIFEST, manifest)
    return manifest


def _satellite(seed: int, out: Path, today: date) -> list[Path]:
    land = make_landscape(seed)
    sites, _permits = satellite_sites(land)
    later = datetime.combine(today - SINCE_LAST_PASS, OVERPASS, UTC)
    files = []
    for label, at, sun, after in (
        ("before", later - BETWEEN_PASSES, (151.0, 54.0), False),
        ("after", later, (149.0, 52.0), True),
    ):
        scene = render(land, sites, Pass(label, at, sun, after=after))
        path = out / f"satellite_{label}.tif"
        _write_raster(path, scene, scene_grid(), nodata=0, taken=("satellite", at))
        files.append(path)
    return [*files, _truth(out / "truth_satellite.geojson", sites)]


def _aerial(seed: int, out: Path, today: date) -> list[Path]:
    land = make_landscape(seed)
    sites, _permits = drone_sites(land, AERIAL_SUN)
    path = out / "drone_orthophoto.tif"
    at = datetime.combine(today - SINCE_SURVEY, OVERPASS, UTC)
    _write_raster(
        path, render_aerial(land, sites, AERIAL_SUN, aerial_grid()), aerial_grid(), nodata=None, taken=("uav", at)
    )
    return [path, _truth(out / "truth_drone.geojson", sites)]


def _satellite_burning(seed: int, out: Path, today: date) -> list[Path]:
    """One scene twice: with the shortwave infrared, and as a satellite without it sees the same fires."""
    land, grid = make_landscape(seed), scene_grid()
    sites = burning_from_space(land, grid)
    at = datetime.combine(today - SINCE_FIRES, OVERPASS, UTC)
    scene = render_burning(land, sites, grid, Pass("burning", at, (149.0, 52.0), after=True))
    # The little that burnt already is part of its fire: one date of such pixels does not tell it from a wet field.
    told = [site for site in sites if site.kind != "burn_scar"]
    files = [
        _truth(out / "truth_satellite_burning.geojson", told),
        _truth(out / "truth_satellite_smoke.geojson", [_without_heat(site) for site in told]),
    ]
    for name, count in (("burning", 6), ("smoke", 4)):
        files.append(out / f"satellite_{name}.tif")
        _write_raster(files[-1], scene[:count], grid, nodata=0, taken=("satellite", at))
    return files


def _without_heat(site: Site) -> Site:
    """What of a site those see who feel no heat: of a fire, its smoke."""
    if site.veil is None:
        return site
    return replace(site, kind=SMOKE, outline=site.veil.outline(FAR.outline_m))


def _aerial_burning(seed: int, out: Path, today: date) -> list[Path]:
    land = make_landscape(seed)
    frame = strip(land)
    sites, grid = burning_from_air(land, frame), strip_grid(frame)
    path = out / "drone_burning.tif"
    at = datetime.combine(today - SINCE_FIRES, OVERPASS, UTC)
    _write_raster(path, render_aerial(land, sites, AERIAL_SUN, grid), grid, nodata=None, taken=("uav", at))
    return [path, _truth(out / "truth_drone_burning.geojson", sites)]


def _vectors(land: Landscape, out: Path, today: date) -> list[Path]:
    _, from_space = satellite_sites(land)
    seen_from_air, from_air = drone_sites(land, AERIAL_SUN)
    ponds = [site.outline for site in seen_from_air if site.look == "pond"]
    dem = out / "dem.tif"
    _write_raster(dem, land.ground_m[None].astype(np.float32), terrain_grid(), nodata=None)
    files = [dem, _write_json(out / "district.json", district.build(land, today))]
    files.append(_collection(out / "base_map.geojson", base_map(land)))
    for name, features in context_layers(land, (*from_space, *from_air), ponds).items():
        files.append(_collection(out / f"{name}.geojson", features))
    (out / "plans").mkdir(exist_ok=True)
    home_m = height_at(land, fixtures.LAUNCH_POINT)
    for code in ("R1", "R2", "R3", "R4"):
        for name, data in plans.write_all(code, home_m).items():
            path = out / "plans" / name
            path.write_bytes(data)
            files.append(path)
    readme = out / "README.md"
    readme.write_text(f"# Qinghe District, seed {land.seed}\n\n{NOTICE}\n", encoding="utf-8")
    return [*files, readme]


def height_at(land: Landscape, lonlat: tuple[float, float]) -> float:
    """Ground height in metres above mean sea level at a place (EPSG:4326)."""
    place = from_wgs84(Point(lonlat))
    grid = terrain_grid()
    row, column = int((grid.north_m - place.y) // grid.res_m), int((place.x - grid.west_m) // grid.res_m)
    return round(float(land.ground_m[row, column]), 2)


def _write_raster(
    path: Path, bands: np.ndarray, grid: Grid, *, nodata: int | None, taken: tuple[str, datetime] | None = None
) -> None:
    """Write a raster; `taken` names the sensor that took it, and when."""
    profile = {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": bands.shape[0],
        "dtype": bands.dtype.name,
        "crs": f"EPSG:{EPSG}",
        "transform": grid.utm_transform,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 3 if bands.dtype.kind == "f" else 2,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(bands)
        target.update_tags(TIFFTAG_IMAGEDESCRIPTION=NOTICE)
        if taken:
            sensor, at = taken
            target.update_tags(SENSOR=sensor, TIFFTAG_DATETIME=at.strftime("%Y:%m:%d %H:%M:%S"))


def _truth(path: Path, sites: Iterable[Site]) -> Path:
    return _collection(path, [_known(site) for site in sites])


def _known(site: Site) -> dict[str, Any]:
    about = {"kind": site.kind, "expect": site.expect, "reason": site.reason}
    return feature(site.outline, **about, area_m2=round(site.outline.area, 1))


def _collection(path: Path, features: list[dict[str, Any]]) -> Path:
    return _write_json(path, {"type": "FeatureCollection", "fictional": True, "features": features})


def _write_json(path: Path, value: Any) -> Path:  # noqa: ANN401
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True), encoding="utf-8")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def main() -> int:
    """The command line of the generator."""
    parser = argparse.ArgumentParser(prog="sample_data.make", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--today", type=date.fromisoformat, default=date(2026, 11, 21), help="YYYY-MM-DD")
    parser.add_argument("--parts", default=",".join(sorted(PARTS)), help=",".join(sorted(PARTS)))
    asked = parser.parse_args()
    chosen = frozenset(asked.parts.split(","))
    if asked.seed < 0:
        parser.error("a seed is a whole number from 0 on")
    if not chosen <= PARTS:
        parser.error(f"parts are {', '.join(sorted(PARTS))}")
    make(asked.seed, asked.out, today=asked.today, parts=chosen, progress=lambda what: _say(what))
    return 0


def _say(what: str) -> None:
    sys.stderr.write(f"{what} ...\n")


if __name__ == "__main__":
    # Run as a script, the checkout is not on the path yet.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(main())
