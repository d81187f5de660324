"""What burns while it burns: found by heat, by flames and by smoke; told from what looks so; refused without bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from schemas.rules import Rulebook
from sensing.bands import Role
from sensing.evaluate import Outline, evaluate
from sensing.segment.model import Segmentation
from sensing.violations import judge
from tests.unit.sensing.ground import DAY, Ground, blob, rectangle
from tests.unit.sensing.pictures import write_tif
from tests.unit.sensing.test_spectral import RGB, RGBN, leads, segmented

# rasterio still multiplies transforms in a way that its own dependency deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
SIX = (*RGBN, Role.SWIR1, Role.SWIR2)
# What smoke, dust and drops of water look like where nothing is seen through them, and how much each band sees of it.
TONES = {"smoke": (0.24, 0.27, 0.32, 0.30), "dust": (0.34, 0.27, 0.19, 0.42), "drops": (0.62, 0.62, 0.62, 0.60)}
DEPTHS = {"smoke": (0.6, 0.8, 1.0, 0.25), "dust": (1.0, 1.0, 1.0, 0.95), "drops": (1.0, 1.0, 1.0, 1.0)}


def trail(ground: Ground, source: tuple[float, float], length: float, width: float) -> np.ndarray:
    """Optical depth of what drifts to the right from a source, all in pixels."""
    rows, columns = np.mgrid[: ground.height, : ground.width]
    run, aside = (columns - source[0]) / length, rows - source[1]
    spread = width * (0.25 + 0.5 * np.clip(run, 0, None))
    return np.where(run >= 0, 1.3 * np.exp(-((aside / spread) ** 2)) * np.exp(-1.4 * np.clip(run, 0, None) ** 1.3), 0)


def patch(ground: Ground, middle: tuple[float, float], radius: float, depth: float) -> np.ndarray:
    """Optical depth of something round with a soft rim."""
    rows, columns = np.mgrid[: ground.height, : ground.width]
    away = np.hypot(columns - middle[0], rows - middle[1]) / radius
    return depth * np.clip(1.6 - 1.2 * away, 0, 1)


def veiled(plane: np.ndarray, what: str, depth: np.ndarray) -> np.ndarray:
    """Reflectances behind a veil of smoke, dust or drops."""
    out = plane.copy()
    for band in range(plane.shape[0]):
        hidden = 1 - np.exp(-DEPTHS[what][band] * depth)
        out[band] = plane[band] * (1 - hidden) + TONES[what][band] * hidden
    return out


def visible(ground: Ground, depth: np.ndarray) -> shapely.Polygon:
    """Where smoke hides a quarter of the blue light, on the map."""
    seen = (1 - np.exp(-depth) >= 0.25).astype(np.uint8)
    shapes = [shapely.geometry.shape(one) for one, value in rasterio.features.shapes(seen) if value]
    return ground.to_map(max(shapes, key=lambda one: one.area))


def country(seed: int = 2) -> Ground:
    ground = Ground(width=260, height=220, seed=seed)
    ground.paint(rectangle((60, 50), (50, 34)), "soil")
    ground.paint(rectangle((200, 180), (13, 7)), "roof")
    ground.paint(rectangle((40, 190), (15, 8)), "blue roof")
    return ground


def saved(path: Path, plane: np.ndarray, ground: Ground) -> Path:
    return write_tif(path, np.rint(plane * 10_000).astype(np.uint16), transform=ground.transform, nodata=0)


def of_kind(found: Segmentation, kind: str) -> list[Outline]:
    return [Outline(one.kind, one.geom) for one in found.candidates if one.kind == kind]


@pytest.fixture(scope="module")
def smoky(tmp_path_factory) -> tuple[Ground, Path, list[Outline], list[Outline], Segmentation]:
    """Two trails of smoke; dust, a small cloud and a patch of mist beside them."""
    folder = tmp_path_factory.mktemp("smoke")
    ground = country()
    plane = ground.reflectance(seed=3)
    truth = []
    for source in ((120, 40), (90, 130)):
        depth = trail(ground, source, 60, 10)
        plane = veiled(plane, "smoke", depth)
        truth.append(Outline("smoke_plume", visible(ground, depth)))
    silent = []
    for what, depth, reason in (
        ("dust", trail(ground, (30, 90), 35, 6), "dust"),
        ("drops", patch(ground, (215, 100), 5, 2.0), "cloud"),
        ("smoke", patch(ground, (190, 30), 18, 0.5), "mist"),
    ):
        plane = veiled(plane, what, depth)
        silent.append(Outline("smoke_plume", visible(ground, depth), reason))
    path = saved(folder / "smoky.tif", plane, ground)
    return ground, path, truth, silent, segmented(folder, (path, None), ground.context)


def test_satellite__smoke__found_and_drawn(smoky):
    _, _, truth, silent, found = smoky
    outcome = evaluate(of_kind(found, "smoke_plume"), truth, silent)
    assert outcome.misses == ()
    assert outcome.median_iou()["smoke_plume"] > 0.5


def test_satellite__dust_cloud_mist_and_roofs__silent(smoky):
    _, _, truth, silent, found = smoky
    outcome = evaluate(of_kind(found, "smoke_plume"), truth, silent)
    assert (outcome.hits, outcome.false_alarms) == ((), ())


def test_satellite__smoke__says_in_words_what_was_seen_and_that_it_must_be_corroborated(smoky):
    ground, _, _, _, found = smoky
    pack = Rulebook.load()["cn-gd-2025"]
    told = [one for one in judge(found.candidates, pack, ground.context, DAY) if one.candidate.kind == "smoke_plume"]
    assert told
    for verdict in told:
        for lang in ("en", "zh"):
            assert all(sentence.render(lang) for sentence in verdict.trace)
        keys = [sentence.key for sentence in verdict.trace]
        assert keys[:3] == ["seen.smoke", "seen.trail", "seen.no_stack"]
        assert {"law.corroboration", "law.trust_low"} <= set(keys)
        assert verdict.is_lead


def test_satellite__smoke_over_a_permit_for_burning__no_finding(smoky):
    ground, _, truth, _, found = smoky
    licensed = Ground(width=260, height=220, places=[*ground.places])
    for thing in truth:
        licensed.places.append(place_over(thing))
    assert "smoke_plume" not in {one.kind for one in leads(found, licensed.context)}


def place_over(thing: Outline):
    from sensing.context import Place

    return Place("permits", "CF-9", "burning", thing.geom.buffer(0.003), kind="burning", number="P-9")


def test_satellite__smoke__same_labels_for_any_tile(smoky, tmp_path):
    ground, path, _, _, found = smoky
    other = segmented(tmp_path, (path, None), ground.context, tile_px=70)
    assert other.labels_sha256 == found.labels_sha256
    assert [one.measures for one in other.candidates] == [one.measures for one in found.candidates]


def test_pair__what_was_as_hazy_before__no_smoke(smoky, tmp_path):
    ground, path, _, _, _ = smoky
    found = segmented(tmp_path, (path, path), ground.context)
    assert of_kind(found, "smoke_plume") == []


def test_satellite_without_near_infrared__smoke_refused_and_the_band_named(smoky, tmp_path):
    ground, path, _, _, _ = smoky
    with rasterio.open(path) as scene:
        plain = write_tif(tmp_path / "rgb.tif", scene.read([1, 2, 3]), transform=ground.transform, nodata=0)
    refused = segmented(tmp_path, (plain, None), ground.context, roles=RGB).refused
    assert refused["smoke_plume"].render("en") == "needs near infrared too"


# -- heat ------------------------------------------------------------------------------------------


def heated(ground: Ground, *, fires: tuple[tuple[int, int], ...], bright: tuple[int, int] | None = None) -> np.ndarray:
    """Six bands; what burns adds to 2.2 micrometres, a little to 1.6, nothing else; a bright roof shines in all."""
    plane = ground.reflectance(seed=3)
    leafy = plane[3] > 3 * plane[0]
    short = np.where(leafy, 0.5 * plane[3], 1.15 * plane[3]), np.where(leafy, 0.22 * plane[3], 1.0 * plane[3])
    plane = np.concatenate([plane, np.stack(short)])
    for row, column in fires:
        plane[4, row : row + 2, column : column + 4] += 0.12
        plane[5, row : row + 2, column : column + 4] += 0.8
    if bright is not None:
        plane[:, bright[0] : bright[0] + 8, bright[1] : bright[1] + 8] = 0.85
    return plane


def test_shortwave__fires__found_where_they_are_and_nothing_else(tmp_path):
    ground = country()
    path = saved(tmp_path / "hot.tif", heated(ground, fires=((40, 60), (150, 120)), bright=(100, 200)), ground)
    found = segmented(tmp_path, (path, None), ground.context, roles=SIX)
    truth = [Outline("open_flame", ground.to_map(shapely.box(c, r, c + 4, r + 2))) for r, c in ((40, 60), (150, 120))]
    outcome = evaluate(of_kind(found, "open_flame"), truth, [])
    assert (outcome.misses, outcome.false_alarms) == ((), ())
    assert outcome.median_iou()["open_flame"] > 0.9
    one = next(one for one in found.candidates if one.kind == "open_flame")
    assert "2.2" in one.trace[0].render("en")
    assert one.measures["swir2_over_swir1"] > 1.4


def test_shortwave__warm_soil_roofs_and_char__not_hot(tmp_path):
    ground = country()
    ground.paint(blob((150, 100), 14, 3), "char")
    ground.paint(blob((200, 60), 12, 4), "pit")
    path = saved(tmp_path / "cool.tif", heated(ground, fires=(), bright=(100, 200)), ground)
    assert of_kind(segmented(tmp_path, (path, None), ground.context, roles=SIX), "open_flame") == []


def test_flames__smoke_from_a_fire_that_is_hot__told_with_the_fire_and_not_again(tmp_path):
    ground = country()
    plane = heated(ground, fires=((39, 118),))
    plane[:4] = veiled(plane[:4], "smoke", trail(ground, (122, 40), 60, 10))
    path = saved(tmp_path / "both.tif", plane, ground)
    found = segmented(tmp_path, (path, None), ground.context, roles=SIX)
    (fire,) = [one for one in found.candidates if one.kind in ("open_flame", "smoke_plume")]
    assert fire.kind == "open_flame"
    assert fire.trace[-1].key == "seen.smoke_from"


def test_no_shortwave__flames_refused_and_the_bands_named_smoke_still_looked_for(smoky):
    *_, found = smoky
    told = found.refused["open_flame"].render("en")
    assert "shortwave infrared 1" in told
    assert "shortwave infrared 2" in told
    assert "smoke_plume" not in found.refused
    assert "短波红外" in found.refused["open_flame"].render("zh")


# -- from the air ----------------------------------------------------------------------------------


def strip(folder: Path, *, smoke: bool) -> tuple[Ground, Path, Outline]:
    """Half-metre pixels: a line of flames of many tones, with or without smoke; an orange sheet; red earth; a roof."""
    ground = Ground(width=300, height=220, pixel_m=0.5, seed=5)
    ground.paint(rectangle((60, 170), (50, 36)), "pit")
    ground.paint(rectangle((240, 180), (30, 18)), "roof")
    plane = ground.reflectance(noise=0.004, seed=3)[:3]
    if smoke:
        plane = veiled(plane, "smoke", trail(ground, (104, 60), 110, 12))
    rng = np.random.default_rng(4)
    fire = shapely.box(96, 52, 104, 70)
    hot = rng.uniform(0, 1, (9, 4)).repeat(2, 0).repeat(2, 1)
    for band, (low, high) in enumerate(((0.5, 0.6), (0.11, 0.42), (0.02, 0.12))):
        plane[band, 52:70, 96:104] = low + (high - low) * hot
    plane[:, 120:134, 200:216] = np.array((0.55, 0.20, 0.05))[:, None, None]
    light = np.clip(plane / 0.45, 0, 1) ** 0.6
    path = write_tif(folder / "strip.tif", np.rint(light * 255).astype(np.uint8), transform=ground.transform)
    return ground, path, Outline("open_flame", ground.to_map(fire))


def test_drone__flames_with_smoke__found_once_sheet_earth_and_roof_silent(tmp_path):
    ground, path, fire = strip(tmp_path, smoke=True)
    found = segmented(tmp_path, (path, None), ground.context)
    burning = [Outline(one.kind, one.geom) for one in found.candidates if one.kind in ("open_flame", "smoke_plume")]
    assert [one.kind for one in burning] == ["open_flame"]
    assert evaluate(burning, [fire], []).median_iou()["open_flame"] > 0.5


def test_drone__colours_of_flames_without_any_smoke__silent(tmp_path):
    ground, path, _ = strip(tmp_path, smoke=False)
    assert of_kind(segmented(tmp_path, (path, None), ground.context), "open_flame") == []


def test_drone__reflectances_instead_of_a_camera_s_picture__refused_in_words(tmp_path):
    ground = Ground(width=120, height=100, pixel_m=0.5)
    path = saved(tmp_path / "linear.tif", ground.reflectance()[:3], ground)
    refused = segmented(tmp_path, (path, None), ground.context, roles=RGB).refused
    assert refused["open_flame"].key == refused["smoke_plume"].key == "cannot.not_shown"


def test_brightened_picture_with_shortwave__heat_refused_in_words(tmp_path):
    ground = country()
    data = np.clip(heated(ground, fires=((40, 60),)) * 255, 1, 255).astype(np.uint8)
    path = write_tif(tmp_path / "shown.tif", data, transform=ground.transform)
    refused = segmented(tmp_path, (path, None), ground.context, roles=SIX).refused
    assert refused["open_flame"].key == "cannot.shown"
