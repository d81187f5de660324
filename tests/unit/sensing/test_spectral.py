"""The default engine on made-up ground: what it finds, what it leaves alone, what it refuses to judge."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.warp import Resampling, reproject

from schemas.rules import Rulebook
from sensing.bands import Role
from sensing.context import Context
from sensing.derivative import DerivativeWriter
from sensing.evaluate import Outline, evaluate, iou
from sensing.grid import Grid, windows
from sensing.mask import ZoneBurner
from sensing.picture import open_picture
from sensing.segment.model import CHANGE_RANK, Job, Segmentation
from sensing.segment.spectral import Parameters, Spectral
from sensing.violations import judge
from tests.unit.sensing.ground import DAY, Ground, blob, rectangle
from tests.unit.sensing.pictures import noise, north_up, write_tif

# rasterio still multiplies transforms in a way that its own dependency deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
RGB = (Role.RED, Role.GREEN, Role.BLUE)
RGBN = (*RGB, Role.NIR)


@dataclass
class World:
    before: Ground
    after: Ground
    truth: list[Outline]


def satellite_world(seed: int) -> World:
    """A valley with a river, a field, a road; and what happened in it between two dates."""
    before, after = Ground(seed=seed), Ground(seed=seed)
    river = shapely.LineString([(0, 300), (150, 290), (300, 320), (420, 310)]).buffer(9)
    for ground in (before, after):
        ground.paint(river, "water")
        ground.place("water", river)
        ground.paint(rectangle((330, 60), (60, 40)), "soil")
        ground.paint(shapely.LineString([(0, 200), (420, 180)]).buffer(1.5), "road")
    truth = [
        Outline("excavation", after.paint(blob((80, 80), 12, seed), "pit")),
        Outline("building", after.paint(rectangle((200, 120), (11, 8)), "roof")),
        Outline("burn_scar", after.paint(blob((300, 230), 15, seed + 5), "char")),
    ]
    after.paint(blob((82, 82), 3.5, seed + 1), "pond")
    plume = shapely.intersection(blob((150, 298), 15, seed + 7).buffer(0), river)
    truth.append(Outline("discoloured_water", after.paint(plume, "outfall")))
    after.place("protected", blob((200, 120), 60, 3))
    quarry = blob((380, 345), 15, seed + 9)
    after.paint(quarry, "pit")
    after.place("permits", quarry.buffer(3), kind="quarry", number="P-1")
    field = rectangle((60, 160), (40, 25))
    after.paint(field, "soil")
    after.place("farmland", field.buffer(2))
    after.paint(rectangle((330, 130), (14, 5)), "roof")
    after.shadows.append(blob((260, 50), 15, seed + 11))
    return World(before, after, truth)


def drone_world(seed: int) -> World:
    """A strip seen from the air at half a metre, on one date."""
    ground = Ground(width=900, height=520, pixel_m=0.5, seed=seed)
    river = rectangle((450, 480), (1000, 60), 0)
    ground.paint(river, "water")
    ground.place("water", river)
    truth = [
        Outline("excavation", ground.paint(blob((150, 150), 45, seed), "pit")),
        Outline("building", ground.paint(rectangle((420, 150), (60, 36)), "roof")),
        Outline("burn_scar", ground.paint(blob((700, 150), 42, seed + 3), "char")),
    ]
    ground.paint(blob((150, 150), 10, seed + 2), "pond")
    plume = shapely.intersection(blob((300, 480), 42, seed + 4).buffer(0), river)
    truth.append(Outline("discoloured_water", ground.paint(plume, "outfall")))
    ground.place("protected", blob((420, 150), 150, 2))
    quarry = blob((150, 350), 40, seed + 5)
    ground.paint(quarry, "pit")
    ground.place("permits", quarry.buffer(4), kind="mining", number="P-2")
    ground.paint(rectangle((640, 350), (120, 80)), "soil")
    ground.shadows.append(blob((420, 340), 40, seed + 6))
    return World(ground, ground, truth)


def segmented(tmp_path: Path, files: tuple[Path, Path | None], context: Context, **options: object) -> Segmentation:
    after, before = files
    roles = options.pop("roles", None)
    workdir = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
    workdir.mkdir()
    with ExitStack() as stack:
        pictures = []
        for path in (after, before):
            if path is None:
                pictures.append(None)
                continue
            with rasterio.open(path) as image:
                usual = {3: RGB, 4: RGBN}.get(image.count, (Role.OTHER,) * image.count)
            pictures.append(stack.enter_context(open_picture(path, roles or usual)))
        return Spectral().segment(Job(pictures[0], pictures[1], context, DAY, workdir, **options), lambda _: None)


def leads(found: Segmentation, context: Context) -> list[Outline]:
    pack = Rulebook.load()["cn-gd-2025"]
    verdicts = judge(found.candidates, pack, context, DAY)
    return [Outline(v.candidate.kind, v.candidate.geom) for v in verdicts if v.is_lead]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    world = satellite_world(1)
    folder = tmp_path_factory.mktemp("pair")
    after = world.after.satellite(folder / "after.tif", seed=3, haze=0.03)
    return world, (after, world.before.satellite(folder / "before.tif", seed=4)), folder


@pytest.fixture(scope="module")
def found_in_pair(pair):
    world, files, folder = pair
    return segmented(folder, files, world.after.context)


def test_pair__four_kinds__found_and_well_drawn(pair, found_in_pair):
    world, _, _ = pair
    outcome = evaluate(leads(found_in_pair, world.after.context), world.truth, [])
    assert outcome.misses == ()
    assert all(value > 0.6 for value in outcome.median_iou().values()), outcome.median_iou()


def test_pair__quarry_field_shade_and_lawful_building__silent(pair, found_in_pair):
    world, _, _ = pair
    outcome = evaluate(leads(found_in_pair, world.after.context), world.truth, [])
    assert outcome.false_alarms == ()


def test_pair__every_candidate__says_why(found_in_pair):
    for candidate in found_in_pair.candidates:
        assert candidate.trace
        assert 0 < candidate.score < 1
        assert candidate.geom.is_valid
        assert candidate.area_m2 > 0


def test_pair__every_candidate__changed_more_than_most_of_the_picture(found_in_pair):
    ranks = [candidate.measures[CHANGE_RANK] for candidate in found_in_pair.candidates]
    assert min(ranks) > 0.9
    assert all("seen.altered" in [sentence.key for sentence in one.trace] for one in found_in_pair.candidates)


def test_pair__hazy_or_toned_differently__same_kinds(pair, tmp_path):
    world, (_, before), _ = pair
    hazy = world.after.satellite(tmp_path / "hazy.tif", seed=5, haze=0.15)
    found = segmented(tmp_path, (hazy, before), world.after.context)
    outcome = evaluate(leads(found, world.after.context), world.truth, [])
    assert {miss.kind for miss in outcome.misses} <= {"discoloured_water"}


def test_pair__nothing_happened__nothing_found(pair, tmp_path):
    world, (_, before), _ = pair
    later = world.before.satellite(tmp_path / "later.tif", seed=8, haze=0.02)
    assert leads(segmented(tmp_path, (later, before), world.after.context), world.after.context) == []


@pytest.mark.parametrize("tile_px", [256, 300, 512])
def test_pair__any_tile__same_labels_and_outlines(pair, found_in_pair, tile_px, tmp_path):
    world, files, _ = pair
    found = segmented(tmp_path, files, world.after.context, tile_px=tile_px)
    assert found.labels_sha256 == found_in_pair.labels_sha256
    assert [c.geom.wkt for c in found.candidates] == [c.geom.wkt for c in found_in_pair.candidates]


def test_pair__before_on_another_grid__is_brought_onto_this_one(pair, tmp_path):
    """The earlier scene in another CRS and resolution, half a pixel off: the same things are found."""
    world, (after, before), _ = pair
    with rasterio.open(before) as source:
        other = tmp_path / "other.tif"
        transform, width, height = rasterio.warp.calculate_default_transform(
            source.crs, "EPSG:3857", source.width, source.height, *source.bounds, resolution=9.7
        )
        data = np.zeros((4, height, width), np.uint16)
        reproject(
            rasterio.band(source, [1, 2, 3, 4]),
            data,
            dst_transform=transform,
            dst_crs="EPSG:3857",
            resampling=Resampling.bilinear,
        )
        write_tif(other, data, crs="EPSG:3857", transform=transform, nodata=0)
    found = segmented(tmp_path, (after, other), world.after.context)
    outcome = evaluate(leads(found, world.after.context), world.truth, [])
    assert {match.truth.kind for match in outcome.matches if match.iou > 0.5} >= {"excavation", "burn_scar", "building"}


def test_single__four_kinds_from_the_air__found_and_look_alikes_silent(tmp_path):
    world = drone_world(3)
    found = segmented(tmp_path, (world.after.drone(tmp_path / "drone.tif"), None), world.after.context)
    outcome = evaluate(leads(found, world.after.context), world.truth, [])
    assert outcome.misses == ()
    assert outcome.false_alarms == ()
    assert all(value > 0.6 for value in outcome.median_iou().values()), outcome.median_iou()


def test_single__any_tile__same_labels(tmp_path):
    world = drone_world(4)
    path = world.after.drone(tmp_path / "drone.tif")
    seen = {segmented(tmp_path, (path, None), world.after.context, tile_px=px).labels_sha256 for px in (200, 512, 1024)}
    assert len(seen) == 1


def test_single__earlier_scene_without_near_infrared__changes_nothing(tmp_path):
    world = drone_world(5)
    path, earlier = world.after.drone(tmp_path / "a.tif"), world.after.drone(tmp_path / "b.tif", seed=2)
    alone = segmented(tmp_path, (path, None), world.after.context)
    assert segmented(tmp_path, (path, earlier), world.after.context).labels_sha256 == alone.labels_sha256


def test_masked_zone__is_void_and_holds_no_candidate(pair, tmp_path):
    """A zone over the pit: nothing of the pit may be found, and the zone's rim is no find either."""
    world, (after, before), _ = pair
    pit = world.truth[0].geom
    zone = pit.buffer(0.0006)
    masked = tmp_path / "masked.tif"
    with rasterio.open(after) as source:
        grid = Grid(source.crs.to_wkt(), source.transform, source.width, source.height)
        with DerivativeWriter(masked, grid, (4, "uint16"), ZoneBurner.on(grid, [zone])) as writer:
            for window, _ in windows(grid, writer.row_bytes):
                data = source.read(window=window)
                writer.write(window, data, np.ones(data.shape[1:], bool))
    found = segmented(tmp_path, (masked, before), world.after.context)
    assert found.analysed_px < 420 * 380
    assert not any(iou(candidate.geom, zone) for candidate in found.candidates)


# -- what cannot be judged ------------------------------------------------------------------------


def refused(tmp_path, data: np.ndarray, context: Context | None = None, **options: object) -> dict[str, str]:
    profile = {"transform": north_up(options.pop("pixel_m", 0.5))}
    path = write_tif(tmp_path / "odd.tif", data, **profile | options.pop("profile", {}))
    found = segmented(tmp_path, (path, None), context or Context([]), **options)
    assert found.candidates == ()
    return {kind: reason.render("en") for kind, reason in found.refused.items()}


def test_refused__one_band__every_kind_with_the_reason(tmp_path):
    reasons = refused(tmp_path, noise(1, 100, 100))
    assert set(reasons) == set(found_kinds())
    assert all("red, green and blue" in reason for reason in reasons.values())


def found_kinds() -> tuple[str, ...]:
    from sensing.segment.detectors import KINDS

    return KINDS


def test_refused__bands_in_another_order__said_so(tmp_path):
    data = noise(4, 100, 100)
    data[1] += 9000
    assert "not in the order" in refused(tmp_path, data)["excavation"]


def test_refused__pixels_too_coarse__names_what_would_do(tmp_path):
    assert "299" in refused(tmp_path, noise(3, 60, 60), pixel_m=300.0)["excavation"]


def test_refused__layers_unknown__only_the_kinds_that_need_them(tmp_path):
    reasons = refused(tmp_path, noise(3, 100, 100))
    assert set(reasons) == {
        *("building", "discoloured_water", "vegetation_loss", "land_conversion", "algal_bloom", "black_water"),
        "bare_soil",
        *("open_flame", "smoke_plume"),
    }


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 1, 50), (4, 7, 7)])
def test_refused__tiny_image__too_few_pixels(tmp_path, shape):
    assert "pixels could be judged" in refused(tmp_path, noise(*shape))["excavation"]


@pytest.mark.parametrize("value", [1, 255])
def test_constant_image__nothing_found(tmp_path, value):
    assert "excavation" not in refused(tmp_path, np.full((3, 300, 300), value, np.uint8))


def test_pixels_of_a_centimetre__refused_without_reading_around_them(tmp_path):
    """What looks twelve metres around each pixel would ask for gigabytes here."""
    reasons = refused(tmp_path, noise(3, 40, 40, high=200, dtype="uint8"), pixel_m=0.01)
    assert "too little ground" in reasons["excavation"]


def test_void_image__too_few_pixels(tmp_path):
    data = np.zeros((3, 300, 300), np.uint8)
    assert "only 0 pixels" in refused(tmp_path, data, profile={"nodata": 0})["excavation"]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_any_type__is_looked_at(tmp_path, dtype):
    high = {"float32": 1}.get(dtype, 200)
    data = noise(3, 200, 200, high=200).astype(np.float64) / 200 * high
    assert "excavation" not in refused(tmp_path, data.astype(dtype))


def test_geographic_grid__areas_in_square_metres(pair, tmp_path):
    world, (after, before), _ = pair
    files = []
    for path in (after, before):
        with rasterio.open(path) as source:
            transform, width, height = rasterio.warp.calculate_default_transform(
                source.crs, "EPSG:4326", source.width, source.height, *source.bounds
            )
            data = np.zeros((4, height, width), np.uint16)
            reproject(
                rasterio.band(source, [1, 2, 3, 4]), data, dst_transform=transform, dst_crs="EPSG:4326", dst_nodata=0
            )
        files.append(write_tif(tmp_path / path.name, data, crs="EPSG:4326", transform=transform, nodata=0))
    found = segmented(tmp_path, (files[0], files[1]), world.after.context)
    outcome = evaluate(leads(found, world.after.context), world.truth, [])
    assert len(outcome.misses) <= 1
    (pit,) = [c for c in found.candidates if c.kind == "excavation" and iou(c.geom, world.truth[0].geom) > 0.5]
    assert pit.area_m2 == pytest.approx(np.pi * 120**2, rel=0.4)


def test_parameters__hash__changes_with_any_number():
    one = Parameters.load()
    values = {**one.values, "version": 2}
    assert Parameters(values).sha256 != one.sha256
    assert Parameters.load().sha256 == one.sha256
