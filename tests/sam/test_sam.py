"""The segment-anything adapter on a tiny model with random weights: glue, prompts, guards, checkpoints."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import shapely

from schemas.refusals import RuleViolation
from sensing.bands import Role
from sensing.context import Context
from sensing.coverage import Tally
from sensing.picture import open_picture
from sensing.segment import sam_compat
from sensing.segment.model import Candidate, Job, Segmentation
from sensing.segment.refined import Refined
from sensing.segment.sam import Redrawn, Sam, prompts, same_thing
from sensing.words import say
from tests.unit.sensing.ground import Ground
from tests.unit.sensing.pictures import noise, write_tif

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytestmark = [
    pytest.mark.sam,
    # segment-anything 1.0 still asks torch for a deprecated default.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def tiny_model():
    sam_compat.install()
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    torch.manual_seed(1)
    size, patch, channels = 256, 16, 256
    encoder = ImageEncoderViT(
        depth=2,
        embed_dim=64,
        img_size=size,
        mlp_ratio=4,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        num_heads=2,
        patch_size=patch,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=(1,),
        window_size=14,
        out_chans=channels,
    )
    side = size // patch
    return Sam(
        image_encoder=encoder,
        prompt_encoder=PromptEncoder(
            embed_dim=channels,
            image_embedding_size=(side, side),
            input_image_size=(size, size),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=channels, mlp_dim=256, num_heads=8),
            transformer_dim=channels,
        ),
    ).eval()


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def disc(shape=(120, 160), centre=(60, 80), radius=25):
    row, column = np.ogrid[: shape[0], : shape[1]]
    return (row - centre[0]) ** 2 + (column - centre[1]) ** 2 <= radius**2


def test_redraw__any_answer__keeps_the_grid_and_passes_the_guard(model):
    crop = np.random.default_rng(3).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    crop[disc()] = (200, 160, 120)
    redrawn = Sam(model, "0" * 64).redraw(crop, disc())
    assert redrawn is None or (redrawn.mask.shape == (120, 160) and same_thing(redrawn.mask, disc()))


def test_redraw__twice__same_answer(model):
    crop = np.random.default_rng(4).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    candidate = disc((64, 64), (32, 32), 12)
    sam = Sam(model, "0" * 64)
    one, other = sam.redraw(crop, candidate), sam.redraw(crop, candidate)
    assert (one is None) == (other is None)
    if one is not None:
        assert np.array_equal(one.mask, other.mask)


def test_redraw__decoder_that_draws_the_candidate__is_believed(model, monkeypatch):
    sam = Sam(model, "0" * 64)
    drawn = np.stack([np.zeros((64, 64), bool), disc((64, 64), (32, 32), 13), np.ones((64, 64), bool)])
    monkeypatch.setattr(sam._predictor, "predict", lambda **_: (drawn, np.array([0.9, 0.5, 0.99]), None))
    redrawn = sam.redraw(np.zeros((64, 64, 3), np.uint8), disc((64, 64), (32, 32), 12))
    assert np.array_equal(redrawn.mask, drawn[1])
    assert redrawn.predicted_iou == 0.5


def test_load__hash_differs__refused(tmp_path):
    path = tmp_path / "sam.pth"
    path.write_bytes(b"not what was approved")
    with pytest.raises(RuleViolation) as refused:
        Sam.load(path, "0" * 64)
    assert refused.value.refusals[0].rule == "segment.checkpoint"


def test_load__file_missing__refused(tmp_path):
    with pytest.raises(RuleViolation) as refused:
        Sam.load(tmp_path / "none.pth", "0" * 64)
    assert refused.value.refusals[0].rule == "file.reference"


class _Bomb:
    """An object whose reading back would touch a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


def test_load__checkpoint_that_carries_code__refused_and_not_run(tmp_path):
    marker = tmp_path / "ran"
    path = tmp_path / "bomb.pth"
    torch.save({"x": _Bomb(marker)}, path)
    with pytest.raises(RuleViolation) as refused:
        Sam.load(path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert refused.value.refusals[0].rule == "segment.checkpoint"
    assert not marker.exists()


def test_load__own_checkpoint__round_trips(tmp_path, model, monkeypatch):
    import segment_anything

    monkeypatch.setitem(segment_anything.sam_model_registry, "tiny", tiny_model)
    path = tmp_path / "tiny.pth"
    torch.save(model.state_dict(), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Sam.load(path, sha256, architecture="tiny").checkpoint_sha256 == sha256


def test_stand_in__resize__is_pillow_bilinear():
    from PIL import Image

    image = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    assert sam_compat.resize(image, (5, 7)).size == (7, 5)


def test_stand_in__batched_nms__drops_overlaps_within_a_group_only():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [1, 1, 11, 11], [50, 50, 60, 60]])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.95])
    kept = sam_compat.batched_nms(boxes, scores, torch.tensor([0, 0, 1, 0]), 0.5)
    assert kept.tolist() == [3, 0, 2]


def test_automatic_masks__with_the_stand_in__run(model):
    from segment_anything import SamAutomaticMaskGenerator

    crop = np.random.default_rng(5).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    generator = SamAutomaticMaskGenerator(model, points_per_side=2, pred_iou_thresh=-10, stability_score_thresh=-10)
    for mask in generator.generate(crop):
        assert mask["segmentation"].shape == (64, 64)


def test_prompts__disc__positive_inside_and_negative_outside():
    candidate = disc()
    points, labels = prompts(candidate)
    for (column, row), label in zip(points.astype(int), labels, strict=True):
        assert candidate[row, column] == bool(label)
    assert labels.sum() >= 1
    assert (labels == 0).sum() == 4


def test_prompts__single_pixel__one_point_inside():
    candidate = np.zeros((9, 9), bool)
    candidate[4, 4] = True
    points, labels = prompts(candidate)
    assert points[0].tolist() == [4.0, 4.0]
    assert labels[0] == 1


@pytest.mark.parametrize(
    ("mask", "same"), [(disc(radius=27), True), (disc(radius=60), False), (disc(centre=(20, 20)), False)]
)
def test_same_thing__size_and_place__decide(mask, same):
    assert same_thing(mask, disc()) is same


class _Found:
    """An engine that finds one square, and an adapter that answers with a slightly larger one."""

    name = "spectral"
    version = "1"
    parameters_sha256 = "1" * 64

    def __init__(self, candidate, tmp_path):
        self._candidate, self._path = candidate, tmp_path

    def segment(self, job, progress):
        progress(1.0)
        found = (self._candidate,)
        return Segmentation(found, {}, self._path, "0" * 64, self._path, Tally(), self.parameters_sha256, 1, {})


@pytest.fixture
def refined(tmp_path, model, monkeypatch):
    path = write_tif(tmp_path / "a.tif", noise(3, 120, 140, high=3000))
    square = Ground().to_map(shapely.box(40, 40, 70, 70))
    candidate = Candidate("excavation", square, 90_000.0, 0.8, {}, (say("seen.soil", share=0.9),))
    sam = Sam(model, "2" * 64)

    def run(answer):
        monkeypatch.setattr(sam, "redraw", answer)
        with open_picture(path, (Role.RED, Role.GREEN, Role.BLUE)) as picture:
            job = Job(picture, None, Context([]), None, tmp_path)
            return candidate, Refined(_Found(candidate, tmp_path), sam).segment(job, lambda _: None)

    return run


def test_refined__sam_agrees__outline_beside_the_pixel_one(refined):
    from scipy import ndimage

    before, found = refined(lambda crop, mask: Redrawn(ndimage.binary_dilation(mask, iterations=2), 0.9))
    (after,) = found.candidates
    assert after.geom == before.geom
    assert after.alternative.contains(before.geom.buffer(-1e-5))
    assert "SAM agrees" in after.trace[-1].render("en")
    assert found.parameters_sha256 == f"{'1' * 64}+{'2' * 64}"


def test_refined__sam_means_something_else__candidate_as_it_was(refined):
    before, found = refined(lambda crop, mask: None)
    assert found.candidates == (before,)


def test_refined__crop__is_rgb_bytes_with_the_candidate_inside(refined):
    seen = []

    def look(crop, mask):
        seen.append((crop.dtype, crop.shape[2], mask.shape == crop.shape[:2], int(mask.sum())))

    refined(look)
    assert seen == [(np.dtype("uint8"), 3, True, 900)]
