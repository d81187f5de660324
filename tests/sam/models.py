"""Small SAM models with random weights, and their checkpoints."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sensing.segment.checkpoint import Anatomy

# Threads that wait for each other while others use the same cores take fifty times as long.
ALONE = {"device": "cpu", "threads": 1}
# Looks at 256 pixels a side: quick, for glue.
TINY = Anatomy(
    width=64,
    depth=2,
    heads=2,
    patch_px=16,
    image_px=256,
    window=14,
    global_blocks=(1,),
    mlp_ratio=4.0,
    channels=256,
    masks=3,
    decoder_depth=2,
    decoder_mlp=256,
    iou_depth=3,
    iou_width=256,
    mask_channels=16,
)
# Looks at 1024 pixels a side, as every published SAM does.
REAL_SIZE = Anatomy(**{**vars(TINY), "width": 32, "depth": 1, "global_blocks": (), "image_px": 1024})


def random_model(anatomy: Anatomy = TINY, seed: int = 1):
    import torch

    torch.manual_seed(seed)
    return anatomy.build()


def write_checkpoint(path: Path, model) -> str:
    """The weights as they are published; their SHA-256."""
    import torch

    torch.save(model.state_dict(), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
