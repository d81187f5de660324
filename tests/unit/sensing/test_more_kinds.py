"""Yards on fields, open soil, dumps, blooms and black water: found, told from what is lawful, refused without bands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from sensing.evaluate import Outline, evaluate
from sensing.segment.model import Segmentation
from tests.unit.sensing.ground import Ground, blob, rectangle
from tests.unit.sensing.pictures import write_tif
from tests.unit.sensing.test_spectral import RGB, leads, segmented

# rasterio still multiplies transforms in a way that its own dependency deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
SEED = 11


@dataclass
class Scene:
    ground: Ground
    files: tuple[Path, Path | None]
    truth: list[Outline]
    silent: list[Outline]
    found: Segmentation


def pond(ground: Ground, centre: tuple[float, float], surface: str, size: tuple[float, float] = (14, 11)):
    shape = rectangle(centre, size)
    ground.place("water", shape)
    return ground.paint(shape, surface)


def site(ground: Ground, centre: tuple[float, float], surface: str, size: tuple[float, float] = (18, 14)):
    shape = rectangle(centre, size)
    ground.place("permits", shape.buffer(1), kind="construction", number="P-1")
    return ground.paint(shape, surface)


def valley(folder: Path) -> tuple[Ground, Ground, list[Outline], list[Outline]]:
    """Fields, ponds and building sites at 10 m, before and after."""
    before, after = (Ground(width=230, height=200, seed=SEED) for _ in range(2))
    fields = shapely.box(5, 5, 225, 90)
    for ground in (before, after):
        ground.paint(fields, "crop")
        ground.place("farmland", fields)
    truth = [
        Outline("land_conversion", after.paint(rectangle((35, 30), (18, 12)), "paving")),
        Outline("bare_soil", site(after, (40, 120), "graded")),
        Outline("algal_bloom", pond(after, (120, 120), "scum")),
        Outline("black_water", pond(after, (155, 120), "foul")),
    ]
    silent = [
        Outline("land_conversion", after.paint(rectangle((80, 30), (18, 12)), "film"), "greenhouse"),
        Outline("land_conversion", after.paint(rectangle((125, 30), (18, 12)), "stubble"), "harvested"),
        Outline("land_conversion", after.paint(rectangle((170, 30), (18, 12)), "flood"), "flooded"),
        Outline("bare_soil", site(after, (80, 120), "net"), "covered"),
        Outline("bare_soil", after.paint(rectangle((40, 160), (12, 10)), "soil"), "no site"),
    ]
    for ground in (before, after):
        silent.append(Outline("black_water", pond(ground, (190, 120), "water"), "deep"))
        silent.append(Outline("algal_bloom", pond(ground, (120, 160), "leaves"), "planted"))
    pond(before, (120, 120), "water")
    pond(before, (155, 120), "water")
    return before, after, truth, silent


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Scene:
    folder = tmp_path_factory.mktemp("kinds")
    before, after, truth, silent = valley(folder)
    files = after.satellite(folder / "after.tif", seed=3), before.satellite(folder / "before.tif", seed=4)
    return Scene(after, files, truth, silent, segmented(folder, files, after.context))


def told(scene: Scene, found: Segmentation) -> tuple[Counter[str], list[str]]:
    """How often each kind of the truth was found, and the reasons of lawful things that were reported."""
    outcome = evaluate(leads(found, scene.ground.context), scene.truth, scene.silent)
    hit = Counter(match.truth.kind for match in outcome.matches if match.iou > 0.5)
    return hit, [quiet.reason for _, quiet in outcome.hits]


@pytest.mark.parametrize("kind", ["land_conversion", "bare_soil", "algal_bloom", "black_water"])
def test_pair__each_kind__found_and_well_drawn(pair, kind):
    outcome = evaluate(leads(pair.found, pair.ground.context), pair.truth, pair.silent)
    assert outcome.median_iou()[kind] > 0.6


def test_pair__film_harvest_flood_net_deep_and_planted_water__silent(pair):
    assert told(pair, pair.found)[1] == []


def test_pair__black_pond_bloom_and_soil__told_once_and_as_nothing_else(pair):
    found = leads(pair.found, pair.ground.context)
    assert evaluate(found, pair.truth, pair.silent).false_alarms == ()
    assert Counter(one.kind for one in found) == Counter(thing.kind for thing in pair.truth)


def test_pair__every_find__says_in_words_what_was_measured(pair):
    kinds = {one.kind: [say.render("en") for say in one.trace] for one in pair.found.candidates}
    assert "hard ground now: NDVI fell by" in kinds["land_conversion"][0]
    assert "of it was farmland" in kinds["land_conversion"][1]
    assert "lies on a licensed building site" in kinds["bare_soil"][1]
    assert "in streaks" in kinds["algal_bloom"][0]
    assert "since the earlier scene" in kinds["algal_bloom"][1]
    assert "dark in all colours alike" in kinds["black_water"][0]
    assert "no shade falls on both" in kinds["black_water"][2]


def test_pair__permit_for_building_over_the_yard__no_finding(pair):
    covered = Ground(places=[*pair.ground.places])
    covered.place("permits", rectangle((35, 30), (24, 18)), kind="construction", number="P-9")
    assert "land_conversion" not in {one.kind for one in leads(pair.found, covered.context)}


def test_pair__any_tile__same_labels_and_measures(pair, tmp_path):
    found = segmented(tmp_path, pair.files, pair.ground.context, tile_px=70)
    assert found.labels_sha256 == pair.found.labels_sha256
    assert [one.measures for one in found.candidates] == [one.measures for one in pair.found.candidates]


@pytest.mark.parametrize(("gain", "noise"), [(0.92, 0.003), (1.08, 0.003), (1.0, 0.005)])
def test_pair__brighter_darker_or_noisier__same_kinds(pair, tmp_path, gain, noise):
    noisy = pair.ground.satellite(tmp_path / "noisy.tif", seed=6, noise=noise)
    with rasterio.open(noisy, "r+") as scene:
        scene.write((scene.read() * gain).astype(np.uint16))
    hit, mistakes = told(pair, segmented(tmp_path, (noisy, pair.files[1]), pair.ground.context))
    assert (set(hit), mistakes) == ({thing.kind for thing in pair.truth}, [])


def test_pair__shade_on_water_and_bank__no_black_water(pair, tmp_path):
    shaded = Ground(width=230, height=200, seed=SEED, places=[*pair.ground.places], painted=[*pair.ground.painted])
    shaded.shadows.append(blob((190, 120), 16, 5))
    later = shaded.satellite(tmp_path / "shaded.tif", seed=3)
    _, mistakes = told(pair, segmented(tmp_path, (later, pair.files[1]), pair.ground.context))
    assert mistakes == []


def both_dates(folder: Path, before: Ground, after: Ground, *, tint: tuple[int, int, int, int] = (0, 0, 0, 0)):
    """The files of two dates; `tint` is added to the earlier one, in ten-thousandths."""
    later, earlier = after.satellite(folder / "later.tif", seed=3), before.satellite(folder / "earlier.tif", seed=4)
    with rasterio.open(earlier, "r+") as scene:
        scene.write((scene.read() + np.array(tint)[:, None, None]).astype(np.uint16))
    return later, earlier


@pytest.mark.parametrize("tint", [(-10, 110, 0, 0)], ids=str)
def test_pair__black_pond_where_the_dates_differ_in_tint__found_as_that(tmp_path, tint):
    """What is hardly there has no colour of its own: the offset of a sensor alone tints it."""
    before, after, truth, silent = valley(tmp_path)
    found = segmented(tmp_path, both_dates(tmp_path, before, after, tint=tint), after.context)
    outcome = evaluate(leads(found, after.context), truth, silent)
    assert outcome.median_iou()["black_water"] > 0.6
    assert "discoloured_water" not in {one.kind for one in leads(found, after.context)}
    assert [quiet.reason for _, quiet in outcome.hits] == []


def test_pair__black_pond_between_dark_dikes__found_as_that(tmp_path):
    """A bank that was as dark before lies in no shade."""
    before, after = (Ground(width=120, height=120, seed=SEED) for _ in range(2))
    for ground in (before, after):
        ground.paint(rectangle((60, 60), (34, 31)), "char")
    pond(before, (60, 60), "water")
    thing = Outline("black_water", pond(after, (60, 60), "foul"))
    found = leads(segmented(tmp_path, both_dates(tmp_path, before, after), after.context), after.context)
    assert [one.kind for one in found] == ["black_water"]
    assert evaluate(found, [thing], []).median_iou()["black_water"] > 0.6


def test_pair__shade_whose_rim_leaves_some_of_the_bank_in_the_sun__nothing(tmp_path):
    before, after = (Ground(width=160, height=120, seed=SEED) for _ in range(2))
    for ground in (before, after):
        pond(ground, (80, 60), "pond", (150, 16))
    after.shadows.append(blob((70, 62), 13, 5))
    found = segmented(tmp_path, both_dates(tmp_path, before, after), after.context)
    assert leads(found, after.context) == []


def test_pair__blue_hall_with_a_wing_on_a_field__land_conversion(tmp_path):
    """A blue roof is hard whatever its near infrared, and halls need not be straight boxes."""
    before, after = (Ground(width=120, height=120, seed=SEED) for _ in range(2))
    for ground in (before, after):
        ground.paint(shapely.box(5, 5, 115, 115), "crop")
        ground.place("farmland", shapely.box(5, 5, 115, 115))
    hall = rectangle((60, 60), (24, 9), 0) | rectangle((52, 66), (9, 20), 0)
    thing = Outline("land_conversion", after.paint(hall, "blue roof"))
    found = leads(segmented(tmp_path, both_dates(tmp_path, before, after), after.context), after.context)
    assert evaluate(found, [thing], []).median_iou()["land_conversion"] > 0.6


# -- one date --------------------------------------------------------------------------------------


def test_one_date_with_near_infrared__water_and_soil_found__conversion_refused(pair, tmp_path):
    found = segmented(tmp_path, (pair.files[0], None), pair.ground.context)
    hit, _ = told(pair, found)
    assert {"algal_bloom", "bare_soil"} <= set(hit)
    assert found.refused["land_conversion"].key == "cannot.one_date"
    assert found.refused["solid_waste"].key == "cannot.coarse"


def test_one_date_in_plain_colour__what_lacks_is_named(pair, tmp_path):
    path = tmp_path / "plain.tif"
    with rasterio.open(pair.files[0]) as scene:
        profile, data = scene.profile | {"count": 3}, scene.read([1, 2, 3])
    with rasterio.open(path, "w", **profile) as plain:
        plain.write(data)
    refused = segmented(tmp_path, (path, None), pair.ground.context, roles=RGB).refused
    assert "near infrared" in refused["algal_bloom"].render("en")
    assert refused["bare_soil"].key == "cannot.coarse_alone"
    assert "black_water" not in refused


@pytest.mark.parametrize(
    ("layer", "kind"),
    [("farmland", "land_conversion"), ("water", "algal_bloom"), ("water", "black_water"), ("permits", "bare_soil")],
)
def test_layer_unknown__refused_for_the_kinds_that_need_it(pair, tmp_path, layer, kind):
    known = Ground(places=[place for place in pair.ground.places if place.layer != layer])
    reason = segmented(tmp_path, pair.files, known.context).refused[kind]
    assert reason.key == ("cannot.no_site" if layer == "permits" else "cannot.no_layer")


# -- from the air ----------------------------------------------------------------------------------

LITTER = np.array([(0.5, 0.5, 0.5), (0.1, 0.2, 0.42), (0.4, 0.11, 0.1), (0.03, 0.03, 0.03), (0.3, 0.24, 0.17),
                   (0.1, 0.28, 0.14)])  # fmt: skip


def strew(path: Path, pieces: Mapping[tuple[int, int], tuple[int, int]]) -> None:
    """Pieces of litter of so many pixels on a square of 56 pixels at each place (row, column)."""
    rng = np.random.default_rng(1)
    with rasterio.open(path, "r+") as picture:
        data = picture.read()
        for (top, left), (high, wide) in pieces.items():
            tones = LITTER[rng.integers(len(LITTER), size=(56 // high, 56 // wide))]
            shown = np.kron((tones.transpose(2, 0, 1) / 0.45).clip(0, 1) ** 0.6, np.ones((high, wide)))
            shown *= rng.uniform(0.9, 1.1, shown.shape[1:])
            data[:, top : top + shown.shape[1], left : left + shown.shape[2]] = np.rint(shown * 255).clip(1, 255)
        picture.write(data)


@pytest.fixture(scope="module")
def strip(tmp_path_factory) -> Scene:
    """Half-metre pixels: a dump, awnings, grain of a camera, two ponds, two building sites."""
    folder = tmp_path_factory.mktemp("strip")
    ground = Ground(width=520, height=320, pixel_m=0.5, seed=4)
    truth = [
        Outline("bare_soil", site(ground, (100, 240), "graded", (90, 80))),
        Outline("black_water", pond(ground, (330, 240), "foul", (80, 55))),
        Outline("solid_waste", ground.to_map(shapely.box(40, 40, 96, 96))),
    ]
    silent = [
        Outline("bare_soil", site(ground, (210, 240), "net", (90, 80)), "covered"),
        Outline("black_water", pond(ground, (450, 240), "water", (80, 55)), "deep"),
        Outline("solid_waste", ground.to_map(shapely.box(160, 40, 216, 96)), "awnings"),
        Outline("solid_waste", ground.to_map(shapely.box(280, 40, 336, 96)), "grain"),
    ]
    # Of a camera that shows little grain: in a grainy picture the whole ground is a jumble, and no dump is seen.
    seen = np.clip(ground.reflectance(seed=3, noise=0.0015)[:3] / 0.45, 0, 1) ** 0.6
    path = write_tif(folder / "strip.tif", np.rint(seen * 255).astype(np.uint8), transform=ground.transform)
    # Rags of a metre, awnings of seven metres by four, and specks as small as a pixel.
    strew(path, {(40, 40): (2, 2), (40, 160): (8, 14), (40, 280): (1, 1)})
    return Scene(ground, (path, None), truth, silent, segmented(folder, (path, None), ground.context))


@pytest.mark.parametrize("kind", ["solid_waste", "black_water", "bare_soil"])
def test_strip__each_kind__found_and_well_drawn(strip, kind):
    outcome = evaluate(leads(strip.found, strip.ground.context), strip.truth, strip.silent)
    assert outcome.median_iou()[kind] > 0.6


def test_strip__net_deep_pond_awnings_and_grain__silent(strip):
    assert told(strip, strip.found)[1] == []


def test_strip__dump__says_what_it_is_made_of(strip):
    (dump,) = [one for one in strip.found.candidates if one.kind == "solid_waste"]
    assert "colours of litter" in dump.trace[0].render("en")
    assert "6 类" in dump.trace[0].render("zh")


def test_strip__any_tile__same_labels(strip, tmp_path):
    found = segmented(tmp_path, strip.files, strip.ground.context, tile_px=150)
    assert found.labels_sha256 == strip.found.labels_sha256


def test_strip__licence_to_tip_there__no_finding(strip):
    licensed = Ground(pixel_m=0.5, places=[*strip.ground.places])
    licensed.place("permits", shapely.box(35, 35, 101, 101), kind="landfill", number="P-3")
    assert "solid_waste" not in {one.kind for one in leads(strip.found, licensed.context)}
