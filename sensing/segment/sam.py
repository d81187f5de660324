"""Touches the disk and the GPU: redraws candidates with a SAM 1 checkpoint, where an operator has configured one.

Never runs over a whole scene: one crop per candidate, prompted with its box and points inside it. The pixel
outline stays when the mask does not mean the same thing.
"""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only the name of an error; nothing is unpickled
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from schemas.refusals import invalid
from sensing.mask import Mask
from sensing.segment import sam_compat

# A mask is believed when it means the same thing as the candidate that asked for it.
MIN_IOU = 0.3
AREA_RATIO = (0.5, 2.0)
_POSITIVE_POINTS = 3
_RING_POINTS = 4
_RING_PX = 6
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Redrawn:
    """A candidate's mask as SAM sees it, with SAM's own estimate of its quality."""

    mask: Mask
    predicted_iou: float


class Sam:
    """A SAM model that answers box and point prompts on one crop at a time."""

    def __init__(self, model: Any, checkpoint_sha256: str) -> None:  # noqa: ANN401 - torch carries no types
        """Take a built `segment_anything` model; `load` makes one from a checkpoint."""
        sam_compat.install()
        self.checkpoint_sha256 = checkpoint_sha256
        self._torch = importlib.import_module("torch")
        self._predictor = importlib.import_module("segment_anything").SamPredictor(model)

    @classmethod
    def load(cls, checkpoint: Path, sha256: str, *, architecture: str = "vit_b", device: str = "cpu") -> Sam:
        """Load a checkpoint whose hash the operator has pinned.

        Raises RuleViolation `segment.checkpoint` when the file differs from its hash or is no such model. Only
        tensors are read from it: a checkpoint that carries code is refused by `weights_only`.
        """
        found = _sha256(checkpoint)
        if found != sha256:
            raise invalid("segment.checkpoint", "segment.checkpoint_hash", measured=found, required=sha256)
        try:
            torch = importlib.import_module("torch")
            sam_compat.install()
            importlib.import_module("segment_anything")
        except ImportError as error:
            raise invalid("segment.checkpoint", "segment.torch", measured=error.name or "torch") from error
        registry = importlib.import_module("segment_anything").sam_model_registry
        model = registry[architecture]()
        try:
            model.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
        except (RuntimeError, KeyError, EOFError, UnpicklingError) as error:
            raise invalid("segment.checkpoint", "segment.checkpoint_model", required=architecture) from error
        return cls(model.to(device).eval(), found)

    def redraw(self, crop: NDArray[np.uint8], candidate: Mask) -> Redrawn | None:
        """The outline that SAM gives a candidate on an HWC RGB crop, or None when it means something else."""
        rows, columns = np.nonzero(candidate)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        points, labels = prompts(candidate)
        with self._torch.inference_mode():
            self._predictor.set_image(crop)
            masks, scores, _ = self._predictor.predict(
                point_coords=points, point_labels=labels, box=box, multimask_output=True
            )
        order = np.argsort(-scores)
        believed = (Redrawn(masks[i], float(scores[i])) for i in order if same_thing(masks[i], candidate))
        return next(believed, None)


def prompts(candidate: Mask) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points for SAM as (column, row) with labels: 1 deep inside the candidate, 0 on a ring around it."""
    depth = ndimage.distance_transform_edt(np.pad(candidate, 1))[1:-1, 1:-1]
    inside: list[tuple[float, float]] = []
    while len(inside) < _POSITIVE_POINTS and depth.max() > 0:
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        inside.append((float(column), float(row)))
        # The next point comes from elsewhere in the candidate.
        reach = max(float(depth[row, column]), 1.0)
        near = np.hypot(*np.ogrid[-row : depth.shape[0] - row, -column : depth.shape[1] - column]) < 2 * reach
        depth[near] = 0
    around = ndimage.binary_dilation(candidate, iterations=_RING_PX + 1)
    around &= ~ndimage.binary_dilation(candidate, iterations=_RING_PX)
    ring = np.argwhere(around)
    picked = ring[np.linspace(0, len(ring) - 1, min(_RING_POINTS, len(ring))).astype(int)] if len(ring) else ring
    outside = [(float(column), float(row)) for row, column in picked]
    labels = [1] * len(inside) + [0] * len(outside)
    return np.array(inside + outside, dtype=np.float64).reshape(-1, 2), np.array(labels, dtype=np.int64)


def same_thing(mask: Mask, candidate: Mask) -> bool:
    """Whether a mask overlaps a candidate enough, and is neither far larger nor far smaller."""
    shared, joined = int((mask & candidate).sum()), int((mask | candidate).sum())
    ratio = int(mask.sum()) / max(int(candidate.sum()), 1)
    return joined > 0 and shared / joined >= MIN_IOU and AREA_RATIO[0] <= ratio <= AREA_RATIO[1]


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise invalid("file.reference", "file.reference", name=path.name)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
