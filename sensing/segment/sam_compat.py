"""Lets segment-anything run without torchvision, whose published wheels need a CUDA build of torch.

segment-anything uses four functions of torchvision; where the real one does not load, these stand in.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

_BILINEAR = Image.Resampling.BILINEAR


def install() -> None:
    """Make `import segment_anything` work: with the real torchvision when it runs, else with the stand-in."""
    if "torchvision" in sys.modules or _real_one_works():
        return
    functional = _module("torchvision.transforms.functional", resize=resize, to_pil_image=to_pil_image)
    boxes = _module("torchvision.ops.boxes", batched_nms=batched_nms, box_area=box_area)
    transforms = _module("torchvision.transforms", functional=functional)
    ops = _module("torchvision.ops", boxes=boxes)
    _module("torchvision", transforms=transforms, ops=ops)


def _real_one_works() -> bool:
    try:
        torch = importlib.import_module("torch")
        boxes = importlib.import_module("torchvision.ops.boxes")
        boxes.batched_nms(torch.zeros((1, 4)), torch.ones(1), torch.zeros(1), 0.5)
    # A torchvision built for another torch fails in many ways, none of which concerns us.
    except (ImportError, RuntimeError, AttributeError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        return False
    return True


def _module(name: str, **members: Any) -> ModuleType:  # noqa: ANN401
    module = ModuleType(name, "Stand-in of sensing.segment.sam_compat.")
    for member, value in members.items():
        setattr(module, member, value)
    sys.modules[name] = module
    return module


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at (height, width), bilinear."""
    height, width = size
    return image.resize((width, height), _BILINEAR)


def to_pil_image(pixels: np.ndarray) -> Image.Image:
    """HWC uint8 pixels as an image."""
    return Image.fromarray(pixels)


def box_area(boxes: Any) -> Any:  # noqa: ANN401 - torch tensors, which carry no types here
    """Areas of boxes given as (x1, y1, x2, y2) rows."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:  # noqa: ANN401
    """Indices of the boxes that stay, best first; a box falls to a better one of its group that it overlaps."""
    torch = importlib.import_module("torch")
    order = scores.argsort(descending=True, stable=True)
    kept: list[int] = []
    while order.numel():
        best = int(order[0])
        kept.append(best)
        rest = order[1:]
        low = torch.maximum(boxes[rest, :2], boxes[best, :2])
        high = torch.minimum(boxes[rest, 2:], boxes[best, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        union = box_area(boxes[rest]) + box_area(boxes[best : best + 1]) - shared
        falls = (shared > iou_threshold * union) & (idxs[rest] == idxs[best])
        order = rest[~falls]
    return torch.tensor(kept, dtype=torch.int64, device=boxes.device)
