"""Touches the GPU where there is one: outlines of things on a crop, by a SAM 1 model that an operator has configured.

Never runs over a whole scene. A crop is encoded once, and whatever is asked about it afterwards is answered from what
the encoder made of it: candidates by their box and points inside them, clicks, and everything inside a drawn box.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import rfc8785
from numpy.typing import NDArray
from scipy import ndimage

from schemas.refusals import invalid
from sensing.mask import Mask
from sensing.picture import Picture
from sensing.segment import sam_compat
from sensing.segment.checkpoint import RULE, Loaded, load, torch_or_refuse
from sensing.segment.crops import Box, Crop, Rgb, Shown, Stretch, show
from sensing.segment.embeddings import MOST_BYTES, Cache, Embedding, Embeddings, Key, Unkept, copy_sha256

# A mask is believed when it means the same thing as the candidate that asked for it.
MIN_IOU = 0.3
AREA_RATIO = (0.5, 2.0)
_POSITIVE_POINTS = 3
_RING_POINTS = 4
_RING_PX = 6
# Everything in a box: so many points along each of its sides, so many of them at a time. A mask of a crop takes four
# megabytes while it is looked at, and each point makes three.
POINTS_A_SIDE = 16
_POINTS_AT_ONCE = 4
AUTO, CPU, CUDA = "auto", "cpu", "cuda"
DEVICES = (AUTO, CPU, CUDA)
_TORCH, _OWN = "torch", "not pinned"

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Redrawn:
    """A mask as SAM sees it, with SAM's own estimate of its quality."""

    mask: Mask
    predicted_iou: float


class Encoder(Protocol):
    """Something other than the checkpoint's own encoder that does the same."""

    name: str
    sha256: str
    version: str

    def encode(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features of a prepared image, both with a leading axis of one."""
        ...


class Sam:
    """A SAM model with what it was made from, where it runs, and what it remembers of crops."""

    def __init__(
        self,
        loaded: Loaded,
        *,
        device: str = AUTO,
        threads: int = 0,
        encoder: Encoder | None = None,
        cache: Cache | None = None,
    ) -> None:
        """`encoder` stands in for that of the checkpoint; `cache` keeps what either made of a crop.

        `threads` are those of the processor, all of them where it is 0. Sums come out otherwise with another number.
        """
        self._torch = torch_or_refuse()
        self.loaded, self.cache = loaded, cache or Unkept()
        self._encoder = encoder
        self._device = self._chosen(device)
        sam_compat.install()
        if encoder is not None:
            # Its weights are most of the model, and nobody will ask for them.
            loaded.model.image_encoder.blocks = self._torch.nn.ModuleList()
        self._predictor = importlib.import_module("segment_anything").SamPredictor(loaded.model.to(self._device))
        self._threads = threads or os.cpu_count() or 1
        # A predictor remembers one image at a time.
        self._lock = threading.Lock()

    @classmethod
    def of_model(cls, model: Any, **options: Any) -> Self:  # noqa: ANN401 - torch carries no types
        """A model that comes from no checkpoint, as benches and tests build them."""
        digest = hashlib.sha256()
        for name, tensor in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().numpy().tobytes())
        return cls(Loaded(model, digest.hexdigest(), _OWN, _OWN), **options)

    def _chosen(self, device: str) -> str:
        """Where to run. Raises RuleViolation where a GPU was asked for and there is none."""
        has_gpu = bool(self._torch.cuda.is_available())
        if device == CUDA and not has_gpu:
            raise invalid(RULE, "segment.no_gpu")
        return CUDA if has_gpu and device != CPU else CPU

    @property
    def sha256(self) -> str:
        """Hash of everything that decides what an embedding holds, apart from the machine: weights and encoder."""
        encoder = self._encoder.sha256 if self._encoder else _TORCH
        return hashlib.sha256(rfc8785.dumps([self.loaded.sha256, encoder])).hexdigest()

    def about(self) -> dict[str, Any]:
        """What a run says of the model that it used: weights, licence, encoder, and the machine that did the sums."""
        cuda = self._device == CUDA
        return {
            "checkpoint_sha256": self.loaded.sha256,
            "architecture": self.loaded.architecture,
            "licence": self.loaded.licence,
            "encoder": self._encoder.name if self._encoder else _TORCH,
            "encoder_sha256": self._encoder.sha256 if self._encoder else None,
            "encoder_version": self._encoder.version if self._encoder else None,
            "torch": str(self._torch.__version__),
            "device": self._torch.cuda.get_device_name() if cuda else CPU,
            "machine": f"{platform.machine()} {self._torch.backends.cpu.get_cpu_capability()}",
            "threads": self._threads,
        }

    def known(self, picture: Picture, crop: Crop, stretch: Stretch) -> Embedding | None:
        """What the encoder once made of a crop, where it was kept."""
        found = self.cache.get(self._key(picture, crop, stretch))
        return found if found and found.size == (crop.height, crop.width) else None

    def embedding(self, picture: Picture, crop: Crop, stretch: Stretch) -> tuple[Embedding, Shown] | None:
        """What the encoder makes of a crop, and what it was shown; None where no pixel of it is real.

        It is looked up first, encoded otherwise; either way it is what halves of it hold, so that both are the same.
        """
        shown = show(picture, crop, stretch)
        if not shown.valid.any():
            return None
        found = self.known(picture, crop, stretch)
        if found is None:
            found = self.encode(shown.pixels)
            self.cache.put(self._key(picture, crop, stretch), found, picture.path)
        return found, shown

    def _key(self, picture: Picture, crop: Crop, stretch: Stretch) -> Key:
        window = (crop.left, crop.top, crop.width, crop.height)
        return Key(copy_sha256(picture.path), window, (stretch.dark, stretch.bright), self.sha256)

    def encode(self, pixels: Rgb) -> Embedding:
        """What the encoder makes of an HWC RGB crop."""
        with self._steady() as predictor:
            if self._encoder is None:
                predictor.set_image(pixels)
                features = predictor.get_image_embedding().cpu().numpy()
            else:
                resized = predictor.transform.apply_image(pixels)
                tensor = self._torch.as_tensor(resized, device=self._device).permute(2, 0, 1).contiguous()[None]
                predictor.input_size = tuple(tensor.shape[-2:])
                features = self._encoder.encode(predictor.model.preprocess(tensor).cpu().numpy())
            height, width = predictor.input_size
            predictor.reset_image()
        return Embedding(features[0].astype(np.float16), (pixels.shape[0], pixels.shape[1]), (height, width))

    def masks(self, embedding: Embedding, points: Points, labels: NDArray[np.int64], box: Box | None) -> list[Redrawn]:
        """What SAM takes the prompts to mean, the best first; points are (column, row), labels 1 inside, 0 outside."""
        with self._steady() as predictor:
            self._recall(predictor, embedding)
            masks, scores, _ = predictor.predict(
                point_coords=points if len(points) else None,
                point_labels=labels if len(points) else None,
                box=np.array(box) if box is not None else None,
                multimask_output=True,
            )
            predictor.reset_image()
        return [Redrawn(masks[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")]

    def redraw(self, embedding: Embedding, candidate: Mask, valid: Mask) -> Redrawn | None:
        """The outline that SAM gives a candidate of a crop, or None when it means something else."""
        rows, columns = np.nonzero(candidate)
        box = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        points, labels = prompts(candidate)
        answers = (Redrawn(one.mask & valid, one.predicted_iou) for one in self.masks(embedding, points, labels, box))
        return next((one for one in answers if same_thing(one.mask, candidate)), None)

    def everything(
        self, shown: Shown, embedding: Embedding, box: Box, *, side: int = POINTS_A_SIDE, **thresholds: float
    ) -> Iterator[Redrawn]:
        """All that SAM sees inside a box of a crop, one mask at a time, asked at `side` rows of as many points.

        What is found from one row of points is handed on before the next row is asked about, so that no more masks
        exist at a time; the same thing may come again from another row.
        """
        amg = importlib.import_module("segment_anything.utils.amg")
        generator = importlib.import_module("segment_anything").SamAutomaticMaskGenerator(
            self._predictor.model,
            points_per_side=None,
            point_grids=[np.zeros((1, 2))],
            points_per_batch=_POINTS_AT_ONCE,
            output_mode="uncompressed_rle",
            **thresholds,
        )
        generator.predictor = _Prepared(self._predictor, lambda: self._recall(self._predictor, embedding))
        height, width = shown.valid.shape
        for row in _grid(box, side):
            generator.point_grids = [row / (width, height)]
            with self._steady():
                found = generator.generate(shown.pixels)
            for one in found:
                yield Redrawn(amg.rle_to_mask(one["segmentation"]), float(one["predicted_iou"]))

    def _recall(self, predictor: Any, embedding: Embedding) -> None:  # noqa: ANN401
        """Make the predictor go on as if it had just encoded a crop."""
        predictor.reset_image()
        features = self._torch.from_numpy(embedding.features.astype(np.float32))
        predictor.features = features[None].to(self._device)
        predictor.original_size, predictor.input_size = embedding.size, embedding.input_size
        predictor.is_image_set = True

    @contextmanager
    def _steady(self) -> Iterator[Any]:
        """The predictor, with everything set so that this machine gives the same answer every time."""
        torch = self._torch
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        with self._lock, torch.inference_mode():
            before = torch.get_num_threads(), cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
            torch.set_num_threads(self._threads)
            cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = True, False, False, False
            try:
                yield self._predictor
            finally:
                torch.set_num_threads(before[0])
                cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before[1:]


class _Prepared:
    """A predictor whose image is known already: whoever sets it gets what was encoded before."""

    def __init__(self, predictor: Any, recall: Any) -> None:  # noqa: ANN401
        self._predictor, self._recall = predictor, recall

    def set_image(self, _pixels: Rgb) -> None:
        self._recall()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._predictor, name)


@dataclass(frozen=True)
class Choice:
    """What an operator has configured: a checkpoint with its hash, and how it is to be run."""

    checkpoint: Path
    sha256: str
    architecture: str | None = None
    licence: str | None = None
    encoder: Path | None = None
    encoder_sha256: str | None = None
    device: str = AUTO
    threads: int = 0


def load_sam(choice: Choice, cache: Cache | None = None) -> Sam:
    """The model that was chosen. Raises RuleViolation `segment.checkpoint` with the reason where it cannot be used."""
    loaded = load(choice.checkpoint, choice.sha256, architecture=choice.architecture, licence=choice.licence)
    encoder = None
    if choice.encoder is not None:
        onnx = importlib.import_module("sensing.segment.encoder")
        encoder = onnx.OnnxEncoder.load(choice.encoder, choice.encoder_sha256, loaded.sha256, choice.threads)
    return Sam(loaded, device=choice.device, threads=choice.threads, encoder=encoder, cache=cache)


@lru_cache(maxsize=1)
def sam_of(choice: Choice, root: Path, most_bytes: int = MOST_BYTES) -> Sam:
    """The model that was chosen, with its embeddings below `root`; a process loads it once. Raises as `load_sam`."""
    return load_sam(choice, Embeddings(root, most_bytes))


def _grid(box: Box, side: int) -> Points:
    """Rows of points as (column, row) all over a box, half as far from its sides as from each other."""
    steps = (np.arange(side) + 0.5) / side
    across = box.left + steps * (box.right - box.left)
    down = box.top + steps * (box.bottom - box.top)
    return np.stack(np.meshgrid(across, down), axis=-1)


def prompts(candidate: Mask) -> tuple[Points, NDArray[np.int64]]:
    """Points for SAM as (column, row) with labels: 1 deep inside the candidate, 0 on a ring around it."""
    # Only what is near matters, and a crop is a hundred times as large as what is asked about.
    rows, columns = (
        slice(max(int(axis.min()) - _RING_PX - 2, 0), int(axis.max()) + _RING_PX + 3) for axis in np.nonzero(candidate)
    )
    near, corner = candidate[rows, columns], np.array([columns.start, rows.start], dtype=np.float64)
    inside, outside = _deep_inside(near), _ring_around(near)
    points = np.array(inside + outside, dtype=np.float64).reshape(-1, 2) + corner
    return points, np.array([1] * len(inside) + [0] * len(outside), dtype=np.int64)


def _deep_inside(candidate: Mask) -> list[tuple[float, float]]:
    depth = ndimage.distance_transform_edt(np.pad(candidate, 1))[1:-1, 1:-1]
    inside: list[tuple[float, float]] = []
    while len(inside) < _POSITIVE_POINTS and depth.max() > 0:
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        inside.append((float(column), float(row)))
        # The next point comes from elsewhere in the candidate.
        reach = max(float(depth[row, column]), 1.0)
        near = np.hypot(*np.ogrid[-row : depth.shape[0] - row, -column : depth.shape[1] - column]) < 2 * reach
        depth[near] = 0
    return inside


def _ring_around(candidate: Mask) -> list[tuple[float, float]]:
    around = ndimage.binary_dilation(candidate, iterations=_RING_PX + 1)
    around &= ~ndimage.binary_dilation(candidate, iterations=_RING_PX)
    ring = np.argwhere(around)
    picked: Sequence[Any] = ring[np.linspace(0, len(ring) - 1, min(_RING_POINTS, len(ring))).astype(int)]
    return [(float(column), float(row)) for row, column in picked]


def same_thing(mask: Mask, candidate: Mask) -> bool:
    """Whether a mask overlaps a candidate enough, and is neither far larger nor far smaller."""
    shared, joined = int((mask & candidate).sum()), int((mask | candidate).sum())
    ratio = int(mask.sum()) / max(int(candidate.sum()), 1)
    return joined > 0 and shared / joined >= MIN_IOU and AREA_RATIO[0] <= ratio <= AREA_RATIO[1]


def guards() -> Mapping[str, Any]:
    """The numbers by which a mask is believed."""
    return {"min_iou": MIN_IOU, "area_ratio": list(AREA_RATIO)}
