"""The real classes of segment-anything on small models with random weights: prompts, guards, memory, machines."""

from __future__ import annotations

import resource

import numpy as np
import pytest
from scipy import ndimage

from schemas.refusals import RuleViolation
from sensing.bands import Role
from sensing.picture import open_picture
from sensing.segment import sam_compat
from sensing.segment.crops import Box, Crop, Shown, stretch_of
from sensing.segment.embeddings import Embeddings
from sensing.segment.sam import Redrawn, Sam, prompts, same_thing
from tests.sam.models import ALONE
from tests.unit.sensing.pictures import noise, write_tif

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytestmark = pytest.mark.sam
RGB = (Role.RED, Role.GREEN, Role.BLUE)
# A random model is sure of nothing.
ANY = {"pred_iou_thresh": -10.0, "stability_score_thresh": 0.0}


def disc(shape=(120, 160), centre=(60, 80), radius=25):
    row, column = np.ogrid[: shape[0], : shape[1]]
    return (row - centre[0]) ** 2 + (column - centre[1]) ** 2 <= radius**2


def crop(shape=(120, 160), seed=3):
    pixels = np.random.default_rng(seed).integers(0, 255, (*shape, 3), dtype=np.uint8)
    pixels[disc(shape)] = (200, 160, 120)
    return pixels


@pytest.fixture
def sam(tiny_model):
    return Sam.of_model(tiny_model, **ALONE)


@pytest.fixture(scope="module")
def real(real_size_model):
    return Sam.of_model(real_size_model, **ALONE)


def test_encode__same_crop_twice__same_bits(sam):
    one, other = sam.encode(crop()), sam.encode(crop())
    assert one.features.tobytes() == other.features.tobytes()
    assert (one.size, one.input_size) == ((120, 160), (192, 256))


def test_masks__from_an_embedding__what_the_predictor_says_of_the_crop(sam, tiny_model):
    from segment_anything import SamPredictor

    peer = SamPredictor(tiny_model)
    peer.set_image(crop())
    # What is kept has 11 bits of every number.
    peer.features = peer.features.half().float()
    points, labels = prompts(disc())
    box = Box(55, 35, 106, 86)
    theirs, scores, _ = peer.predict(points, labels, np.array(box), multimask_output=True)
    ours = sam.masks(sam.encode(crop()), points, labels, box)
    for found, number in zip(ours, np.argsort(-scores, kind="stable"), strict=True):
        assert np.array_equal(found.mask, theirs[number])
        assert found.predicted_iou == float(scores[number])


def test_masks__real_size_of_crop__masks_of_that_size(real):
    size = (1024, 1024)
    embedding = real.encode(crop(size))
    assert embedding.features.shape == (256, 64, 64)
    found = real.masks(embedding, *prompts(disc(size, (500, 400), 80)), None)
    assert [one.mask.shape for one in found] == [size] * 3
    assert found[0].predicted_iou >= found[-1].predicted_iou


def test_everything__real_size_of_crop__masks_of_that_size_one_row_after_the_other(real):
    size = (1024, 1024)
    shown = Shown(crop(size), np.ones(size, np.bool_))
    found = real.everything(shown, real.encode(shown.pixels), Box(100, 200, 300, 400), side=2, **ANY)
    first = next(found)
    assert first.mask.shape == size
    assert first.mask.dtype == np.bool_
    found.close()


def test_everything__points__inside_the_box_alone(sam, monkeypatch):
    shown = Shown(crop(), np.ones((120, 160), np.bool_))
    asked = []
    original = type(sam._predictor).predict_torch

    def spy(self, points, labels, **more):
        asked.append(points.numpy())
        return original(self, points, labels, **more)

    monkeypatch.setattr(type(sam._predictor), "predict_torch", spy)
    list(sam.everything(shown, sam.encode(shown.pixels), Box(40, 30, 80, 60), side=5, **ANY))
    # The predictor counts in pixels of 256 a side.
    points = np.concatenate(asked)[:, 0] * 160 / 256
    assert len(points) == 5 * 5
    assert points.min(axis=0) == pytest.approx([44, 33])
    assert points.max(axis=0) == pytest.approx([76, 57])
    assert max(len(batch) for batch in asked) <= 4


def test_redraw__any_answer__keeps_the_grid_and_passes_the_guard(sam):
    valid = np.ones((120, 160), np.bool_)
    redrawn = sam.redraw(sam.encode(crop()), disc(), valid)
    assert redrawn is None or (redrawn.mask.shape == (120, 160) and same_thing(redrawn.mask, disc()))


def test_redraw__decoder_that_draws_the_candidate__is_believed_without_what_is_hidden(sam, monkeypatch):
    drawn = [np.ones((64, 64), bool), disc((64, 64), (32, 32), 13), np.zeros((64, 64), bool)]
    answers = [Redrawn(mask, score) for mask, score in zip(drawn, (0.99, 0.5, 0.1), strict=True)]
    monkeypatch.setattr(sam, "masks", lambda *_: answers)
    valid = np.ones((64, 64), np.bool_)
    valid[:, 40:] = False
    redrawn = sam.redraw(None, disc((64, 64), (32, 32), 12) & valid, valid)
    assert np.array_equal(redrawn.mask, drawn[1] & valid)
    assert redrawn.predicted_iou == 0.5


def test_about__a_model__what_made_it_and_where_it_runs(sam):
    about = sam.about()
    assert about["checkpoint_sha256"] == sam.loaded.sha256
    assert (about["encoder"], about["encoder_sha256"], about["device"]) == ("torch", None, "cpu")
    assert about["torch"] == str(torch.__version__)
    assert about["threads"] >= 1
    assert about["machine"]


def test_sam__gpu_where_there_is_none__refused(tiny_model):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(RuleViolation) as refused:
        Sam.of_model(tiny_model, device="cuda")
    assert [refusal.text for refusal in refused.value.refusals] == ["segment.no_gpu"]


def test_sam__threads_of_others__left_as_they_were(sam):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        one = sam.encode(crop())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert one.features.tobytes() == sam.encode(crop()).features.tobytes()


@pytest.fixture
def picture(tmp_path):
    with open_picture(write_tif(tmp_path / "a.tif", noise(3, 700, 700, high=3000)), RGB) as opened:
        yield opened


def test_embedding__cached__not_encoded_again_and_the_same(tiny_model, tmp_path, picture, monkeypatch):
    sam = Sam.of_model(tiny_model, **ALONE, cache=Embeddings(tmp_path))
    place, tones = Crop(100, 100, 512, 512), stretch_of(picture)
    fresh, _ = sam.embedding(picture, place, tones)
    monkeypatch.setattr(sam, "encode", lambda _: pytest.fail("encoded again"))
    kept, shown = sam.embedding(picture, place, tones)
    assert kept.features.tobytes() == fresh.features.tobytes()
    assert shown.valid.all()


def test_embedding__damaged_on_disk__encoded_again(tiny_model, tmp_path, picture):
    sam = Sam.of_model(tiny_model, **ALONE, cache=Embeddings(tmp_path))
    place, tones = Crop(100, 100, 512, 512), stretch_of(picture)
    fresh, _ = sam.embedding(picture, place, tones)
    (path,) = (tmp_path / "embeddings").glob("*/*")
    whole = path.read_bytes()
    path.write_bytes(whole[:-2] + b"\x3c\x3c")
    again, _ = sam.embedding(picture, place, tones)
    assert again.features.tobytes() == fresh.features.tobytes()
    assert path.read_bytes() == whole


def test_embedding__nothing_but_hidden_pixels__not_encoded(sam, tmp_path, monkeypatch):
    mask = np.zeros((60, 60), np.uint8)
    path = write_tif(tmp_path / "hidden.tif", noise(3, 60, 60), mask=mask)
    monkeypatch.setattr(sam, "encode", lambda _: pytest.fail("encoded"))
    with open_picture(path, RGB) as hidden:
        assert sam.embedding(hidden, Crop(0, 0, 60, 60), stretch_of(hidden)) is None


def test_embedding__50_crops__memory_does_not_grow(tiny_model, picture):
    sam = Sam.of_model(tiny_model, **ALONE)
    tones = stretch_of(picture)

    def look(count):
        for number in range(count):
            found, _ = sam.embedding(picture, Crop(number, number, 256, 256), tones)
            sam.masks(found, *prompts(disc((256, 256), (100, 100))), None)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before_mib = look(5)
    assert look(50) - before_mib < 40


def test_stand_in__resize__is_pillow_bilinear():
    from PIL import Image

    image = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    assert sam_compat.resize(image, (5, 7)).size == (7, 5)


def test_stand_in__batched_nms__drops_overlaps_within_a_group_only():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [1, 1, 11, 11], [50, 50, 60, 60]])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.95])
    kept = sam_compat.batched_nms(boxes, scores, torch.tensor([0, 0, 1, 0]), 0.5)
    assert kept.tolist() == [3, 0, 2]


def test_stand_in__batched_nms__of_nothing__nothing():
    assert sam_compat.batched_nms(torch.zeros((0, 4)), torch.zeros(0), torch.zeros(0), 0.5).tolist() == []


def test_prompts__disc__positive_inside_and_negative_outside():
    points, labels = prompts(disc())
    for (column, row), label in zip(points.astype(int), labels, strict=True):
        assert disc()[row, column] == bool(label)
    assert labels.sum() >= 1
    assert (labels == 0).sum() == 4


@pytest.mark.parametrize("place", [(4, 4), (0, 0), (8, 8)])
def test_prompts__single_pixel__one_point_inside(place):
    candidate = np.zeros((9, 9), bool)
    candidate[place] = True
    points, labels = prompts(candidate)
    assert points[0].tolist() == [place[1], place[0]]
    assert labels[0] == 1
    assert ((points >= 0) & (points < 9)).all()


def test_prompts__all_of_a_crop__no_point_outside():
    _, labels = prompts(np.ones((30, 40), bool))
    assert labels.all()


@pytest.mark.parametrize(
    ("mask", "same"),
    [
        (disc(radius=27), True),
        (disc(radius=60), False),
        (disc(centre=(20, 20)), False),
        (np.zeros((120, 160), bool), False),
        (ndimage.binary_erosion(disc(), iterations=12), False),
    ],
)
def test_same_thing__size_and_place__decide(mask, same):
    assert same_thing(mask, disc()) is same
