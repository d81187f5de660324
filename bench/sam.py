"""SAM's outlines of 100 candidates on 25 crops of 1024 pixels: each crop encoded once, against once for each candidate.

The peer is `SamPredictor` of segment-anything as its own documentation uses it: one `set_image` and one `predict` for
each candidate, on the same crops of the same file with the same prompts. Both run the same small model with random
weights, in torch on the processor: no weights come with this project, and the larger the encoder the nearer the ratio
comes to four. Nothing is kept on the disk. All three masks of every candidate must be the peer's; as embeddings are
kept in halves, one pixel in a thousand may differ.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.windows import Window

from bench.measure import FEWEST_ROUNDS, Result, compare, not_measured
from bench.places import SEED
from bench.raster import BLOCK, EPSG, LEFT, PIXEL_M, TOP
from schemas.refusals import RuleViolation
from sensing.bands import Role
from sensing.picture import Picture, open_picture
from sensing.segment.checkpoint import Anatomy, torch_or_refuse
from sensing.segment.crops import Box, Crop, Stretch, assign, show, stretch_of
from sensing.segment.sam import Redrawn, Sam, prompts

NAME = "SAM refinement of 100 candidates on 25 crops, small random model"
PEER = "SamPredictor, one set_image and one predict per candidate"
TARGET = 3.0
BANDS = (Role.RED, Role.GREEN, Role.BLUE)
CROPS_A_SIDE = 5
# Crops lie so far apart that no two of them could be one; each holds four candidates.
STEP_PX = 1536
CROP_PX = 1024
PLACES_PX = (120, 600)
CANDIDATE_PX = 230
MOST_DIFFERENT = 1e-3
# As the published ones in everything but its width and depth.
MODEL = Anatomy(
    width=256,
    depth=2,
    heads=4,
    patch_px=16,
    image_px=CROP_PX,
    window=14,
    global_blocks=(1,),
    mlp_ratio=4.0,
    channels=256,
    masks=3,
    decoder_depth=2,
    decoder_mlp=2048,
    iou_depth=3,
    iou_width=256,
    mask_channels=16,
)
Masks = list[list[NDArray[np.bool_]]]


def rows(rounds: int) -> list[Result]:
    """One row; it takes long enough for the fewest rounds that the rule allows."""
    try:
        sam = _model()
    except RuleViolation as refused:
        return [not_measured(NAME, PEER, TARGET, str(refused))]
    boxes = list(candidates(CROPS_A_SIDE))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "scene.tif"
        write_scene(path, CROPS_A_SIDE)
        with open_picture(path, BANDS) as picture:
            return [compared(picture, sam, boxes, min(rounds, FEWEST_ROUNDS))]


def compared(picture: Picture, sam: Sam, boxes: Sequence[Box], rounds: int) -> Result:
    """The row for some candidates of a scene."""
    stretch, size = stretch_of(picture), (picture.grid.height, picture.grid.width)
    crop_of = {number: crop for crop, numbers in assign(boxes, size) for number in numbers}
    if len(set(crop_of.values())) != len(boxes) // len(PLACES_PX) ** 2:
        raise RuntimeError("the candidates do not lie on as many crops as the row says")
    predictor = importlib.import_module("segment_anything").SamPredictor(sam.loaded.model)
    importlib.import_module("torch").set_num_threads(sam.about()["threads"])
    return compare(
        NAME,
        PEER,
        lambda: _ours(sam, picture, boxes, stretch),
        lambda: [_theirs(predictor, picture, (crop_of[n], box), stretch) for n, box in enumerate(boxes)],
        same=_same,
        target=TARGET,
        rounds=rounds,
        is_slow=True,
    )


def _model() -> Sam:
    torch_or_refuse().manual_seed(SEED)
    return Sam.of_model(MODEL.build(), device="cpu")


def candidates(side: int) -> Iterator[Box]:
    """Squares, four for each of `side` times `side` crops."""
    for top in range(0, side * STEP_PX, STEP_PX):
        for left in range(0, side * STEP_PX, STEP_PX):
            for y in PLACES_PX:
                for x in PLACES_PX:
                    yield Box(left + x, top + y, left + x + CANDIDATE_PX, top + y + CANDIDATE_PX)


def _ours(sam: Sam, picture: Picture, boxes: Sequence[Box], stretch: Stretch) -> Masks:
    found: dict[int, Sequence[Redrawn]] = {}
    for crop, numbers in assign(boxes, (picture.grid.height, picture.grid.width)):
        looked = sam.embedding(picture, crop, stretch)
        assert looked is not None
        for number in numbers:
            mask, box = _candidate(crop, boxes[number])
            found[number] = sam.masks(looked[0], *prompts(mask), box)
    return [[one.mask for one in found[number]] for number in range(len(boxes))]


def _theirs(predictor: Any, picture: Picture, at: tuple[Crop, Box], stretch: Stretch) -> list[NDArray[np.bool_]]:  # noqa: ANN401
    mask, box = _candidate(*at)
    points, labels = prompts(mask)
    predictor.set_image(show(picture, at[0], stretch).pixels)
    masks, scores, _ = predictor.predict(points, labels, np.array(box), multimask_output=True)
    return [masks[number] for number in np.argsort(-scores, kind="stable")]


def _candidate(crop: Crop, box: Box) -> tuple[NDArray[np.bool_], Box]:
    """A candidate in the pixels of its crop."""
    inner = Box(box.left - crop.left, box.top - crop.top, box.right - crop.left, box.bottom - crop.top)
    mask = np.zeros((crop.height, crop.width), np.bool_)
    mask[inner.top : inner.bottom, inner.left : inner.right] = True
    return mask, inner


def _same(ours: Masks, peer: Masks) -> bool:
    pairs = ((mine, other) for one, two in zip(ours, peer, strict=True) for mine, other in zip(one, two, strict=True))
    return all(float((mine != other).mean()) <= MOST_DIFFERENT for mine, other in pairs)


def write_scene(path: Path, side: int) -> None:
    """Ground of three smooth colours with grain, and a square of another colour for each candidate."""
    size = (side - 1) * STEP_PX + CROP_PX
    rng = np.random.default_rng(SEED)
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 3, "dtype": "uint8"}
    profile |= {"crs": f"EPSG:{EPSG}", "transform": from_origin(LEFT, TOP, PIXEL_M, PIXEL_M)}
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "zstd"}
    boxes = list(candidates(side))
    along = np.arange(size)
    with rasterio.open(path, "w", **profile) as target:
        for top in range(0, size, BLOCK):
            rows = np.arange(top, min(top + BLOCK, size))
            waves = [np.sin(rows[:, None] / (90 + 40 * n)) + np.cos(along[None] / (120 - 30 * n)) for n in range(3)]
            planes = 110 + 25 * np.stack(waves) + rng.normal(0, 6, (3, len(rows), size))
            for box in boxes:
                inside = (rows >= box.top) & (rows < box.bottom)
                planes[:, inside, box.left : box.right] += np.array([70, 40, 10])[:, None, None]
            target.write(np.clip(planes, 1, 255).astype(np.uint8), window=Window(0, top, size, len(rows)))
