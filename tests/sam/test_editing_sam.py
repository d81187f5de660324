"""Clicks and boxes answered by SAM, on crops that were encoded before; by the edges where SAM means something else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely

from schemas.refusals import LANGUAGES, RuleViolation
from sensing.bands import Role
from sensing.editing import Bounds4326, Click, everything_in, grow
from sensing.picture import open_picture
from sensing.segment.embeddings import Embeddings
from sensing.segment.model import Candidate
from sensing.segment.refined import refine
from sensing.segment.sam import Redrawn, Sam
from tests.sam.models import ALONE
from tests.unit.sensing.ground import Ground, rectangle
from tests.unit.sensing.pictures import noise, write_tif

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytestmark = pytest.mark.sam
RGBN = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
ROOF = rectangle((300, 200), (40, 25))
ANY = {"pred_iou_thresh": -10.0, "stability_score_thresh": 0.0, "side": 2}


def ground() -> Ground:
    made = Ground(width=700, height=620)
    made.paint(ROOF, "roof")
    return made


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return ground().satellite(tmp_path_factory.mktemp("editing") / "a.tif")


@pytest.fixture
def picture(path):
    with open_picture(path, RGBN) as opened:
        yield opened


@pytest.fixture
def sam(tiny_model, tmp_path):
    return Sam.of_model(tiny_model, cache=Embeddings(tmp_path), **ALONE)


def click(column: float, row: float, inside: bool = True) -> Click:
    place = ground().to_map(shapely.Point(column + 0.5, row + 0.5))
    return Click(place.x, place.y, inside)


def drawn(left: float, top: float, right: float, bottom: float) -> Bounds4326:
    return Bounds4326(*ground().to_map(shapely.box(left, top, right, bottom)).bounds)


def answers(*masks: tuple[slice, slice]):
    """A decoder that draws rectangles."""

    def say(embedding, points, labels, box):
        found = []
        for number, place in enumerate(masks):
            mask = np.zeros(embedding.size, np.bool_)
            mask[place] = True
            found.append(Redrawn(mask, 0.9 - number / 10))
        return found

    return say


def around_point(size: int):
    """A decoder that draws a square around the first point."""

    def say(embedding, points, labels, box):
        column, row = points[0].astype(int)
        mask = np.zeros(embedding.size, np.bool_)
        mask[max(row - size, 0) : row + size, max(column - size, 0) : column + size] = True
        return [Redrawn(mask, 0.8)]

    return say


def test_grow__random_model__an_outline_that_holds_the_clicks_or_the_edges_answer(picture, sam):
    grown = grow(picture, [click(300, 200), click(340, 200, inside=False)], sam=sam)
    assert grown.method in ("sam", "watershed")
    assert grown.shape.is_valid
    assert (grown.quality is None) == (grown.method == "watershed")


def test_grow__sam_means_what_was_clicked_on__its_outline_and_its_own_estimate(picture, sam, monkeypatch):
    monkeypatch.setattr(sam, "masks", around_point(20))
    grown = grow(picture, [click(300, 200)], sam=sam)
    assert (grown.method, grown.quality) == ("sam", 0.8)
    wanted = ground().to_map(shapely.box(280, 180, 320, 220))
    assert grown.shape.intersection(wanted).area / grown.shape.union(wanted).area > 0.95


def test_grow__sure_mask_without_the_click__the_next_one_that_holds_it(picture, sam, monkeypatch):
    asked = answers((slice(0, 50), slice(0, 50)), (slice(150, 500), slice(150, 500)), (slice(0, 512), slice(0, 512)))
    monkeypatch.setattr(sam, "masks", asked)
    assert grow(picture, [click(300, 200)], sam=sam).quality == pytest.approx(0.8)


def test_grow__mask_that_holds_what_is_outside__the_edges_answer(picture, sam, monkeypatch):
    monkeypatch.setattr(sam, "masks", around_point(60))
    assert grow(picture, [click(300, 200), click(340, 200, inside=False)], sam=sam).method == "watershed"


def test_grow__box__nothing_outside_of_it(picture, sam, monkeypatch):
    boxes = []

    def look(embedding, points, labels, box):
        boxes.append(box)
        return around_point(60)(embedding, points, labels, box)

    monkeypatch.setattr(sam, "masks", look)
    grown = grow(picture, [click(300, 200)], sam=sam, box=drawn(280, 180, 320, 220))
    assert grown.method == "sam"
    assert grown.shape.within(shapely.box(*drawn(277, 177, 323, 223)))
    assert boxes[0].length in (40, 41, 42)


def test_grow__second_click_and_candidate_before__encoded_once(picture, sam, monkeypatch):
    encoded = []
    encode = sam.encode
    monkeypatch.setattr(sam, "encode", lambda pixels: encoded.append(pixels.shape) or encode(pixels))
    monkeypatch.setattr(sam, "masks", around_point(20))
    roof = Candidate("building", ground().to_map(ROOF), 1.0, 0.5, {}, ())
    refine(sam, picture, [roof], lambda _: None)
    for clicks in ([click(300, 200)], [click(300, 200), click(310, 205)], [click(290, 195), click(330, 200, False)]):
        grow(picture, clicks, sam=sam)
    assert encoded == [(512, 512, 3)]


def test_grow__thing_larger_than_the_crop__looked_at_in_a_larger_one(picture, sam, monkeypatch):
    sizes = []

    def look(embedding, points, labels, box):
        sizes.append(embedding.size)
        return around_point(290)(embedding, points, labels, box)

    monkeypatch.setattr(sam, "masks", look)
    grow(picture, [click(300, 310)], sam=sam)
    assert sizes == [(512, 512), (620, 700)]


def test_grow__hidden_pixels__not_in_the_outline(tmp_path, sam, monkeypatch):
    mask = np.full((90, 90), 255, np.uint8)
    mask[:, 40:] = 0
    monkeypatch.setattr(sam, "masks", around_point(20))
    with open_picture(write_tif(tmp_path / "b.tif", noise(4, 90, 90), mask=mask), RGBN) as partly:
        grown = grow(partly, [click(35, 45)], sam=sam)
    assert grown.method == "sam"
    assert grown.shape.intersection(ground().to_map(shapely.box(41, 0, 90, 90))).is_empty


def test_grow__colours_unknown__the_edges_answer(tmp_path, sam, monkeypatch):
    monkeypatch.setattr(sam, "embedding", lambda *_: pytest.fail("encoded"))
    data = np.full((1, 90, 90), 500, np.uint16) + noise(1, 90, 90, high=20)
    data[:, 30:60, 30:60] += 2000
    with open_picture(write_tif(tmp_path / "nir.tif", data), (Role.NIR,)) as infrared:
        assert grow(infrared, [click(45, 45)], sam=sam).method == "watershed"


def squares(shown, embedding, box, **_):
    """What a sure decoder sees: four squares in the box, each told twice, and one larger than the box."""
    for number in (1, 3, 0, 2):
        left, top = box.left + 5 + 20 * number, box.top + 5 + 10 * number
        for shift in (0, 1):
            mask = np.zeros(shown.valid.shape, np.bool_)
            mask[top : top + 15, left + shift : left + 15] = True
            yield Redrawn(mask, 0.9 - number / 10 - shift / 100)
    yield Redrawn(np.ones(shown.valid.shape, np.bool_), 0.95)


def test_everything__in_a_box__valid_outlines_inside_it_each_once(picture, sam, monkeypatch):
    monkeypatch.setattr(sam, "everything", squares)
    box = drawn(200, 150, 400, 300)
    found = everything_in(picture, box, sam)
    assert [one.quality for one in found] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    for number, one in enumerate(found):
        assert one.method == "sam"
        assert one.shape.is_valid
        assert one.shape.within(shapely.box(*box).buffer(2e-4))
        assert all(one.shape.intersection(b.shape).area <= 0.7 * one.shape.union(b.shape).area for b in found[:number])


def test_everything__of_a_decoder_that_is_sure_of_nothing__nothing(picture, sam):
    """Its masks are those of random weights, which cover what they please: none lies in the box."""
    assert everything_in(picture, drawn(200, 150, 400, 300), sam, **ANY) == ()


def test_everything__masks_that_leave_the_box_or_come_twice__not_taken(picture, sam, monkeypatch):
    def see(shown, embedding, box, **_):
        for left, right, score in ((210, 240, 0.5), (210, 241, 0.9), (380, 600, 0.8), (300, 330, 0.7), (350, 351, 0.6)):
            mask = np.zeros(shown.valid.shape, np.bool_)
            mask[(100 if left < 350 else 101) : (150 if left < 350 else 102), left:right] = True
            yield Redrawn(mask, score)

    monkeypatch.setattr(sam, "everything", see)
    # The crop that is looked at begins at column and row zero.
    found = everything_in(picture, drawn(200, 90, 400, 200), sam)
    assert [one.quality for one in found] == [0.9, 0.7]


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (drawn(0, 0, 1400, 60), "grow.box_too_large"),
        (Bounds4326(1.0, 1.0, 1.0, 2.0), "grow.box"),
        (Bounds4326(math.inf, 1.0, 1.0, 2.0), "grow.box"),
        (Bounds4326(10.0, 10.0, 10.1, 10.1), "grow.beside"),
    ],
)
def test_everything__wrong_box__refused(tmp_path, sam, box, reason):
    with (
        open_picture(write_tif(tmp_path / "wide.tif", noise(4, 70, 1500)), RGBN) as wide,
        pytest.raises(RuleViolation) as refused,
    ):
        everything_in(wide, box, sam)
    (refusal,) = refused.value.refusals
    assert refusal.text == reason
    assert all(refusal.message(lang) and refusal.fix(lang) for lang in LANGUAGES)


def test_everything__without_a_model__refused(picture):
    with pytest.raises(RuleViolation) as refused:
        everything_in(picture, drawn(200, 150, 400, 300), None)
    assert [refusal.text for refusal in refused.value.refusals] == ["grow.no_sam"]


def test_everything__nothing_shown_in_the_crop__refused(tmp_path, sam):
    path = write_tif(tmp_path / "hidden.tif", noise(4, 90, 90), mask=np.zeros((90, 90), np.uint8))
    with open_picture(path, RGBN) as hidden, pytest.raises(RuleViolation) as refused:
        everything_in(hidden, drawn(10, 10, 50, 50), sam)
    assert [refusal.text for refusal in refused.value.refusals] == ["grow.hidden"]


def test_everything__edge_of_the_scene__inside_the_scene(picture, sam, monkeypatch):
    def all_of_it(shown, embedding, box, **_):
        mask = np.zeros(shown.valid.shape, np.bool_)
        mask[box.top : box.bottom, box.left : box.right] = True
        yield Redrawn(mask, 0.9)

    monkeypatch.setattr(sam, "everything", all_of_it)
    (found,) = everything_in(picture, drawn(600, 560, 800, 700), sam)
    asked, scene = (ground().to_map(shapely.box(*box)) for box in ((600, 560, 700, 620), (0, 0, 700, 620)))
    assert found.shape.intersection(asked).area > 0.9 * asked.area
    assert found.shape.difference(scene.buffer(1e-5)).is_empty
