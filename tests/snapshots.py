"""Pictures as cameras take them: a scene with noise, and what can go wrong with it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

SIZE = (640, 360)


def scene(seed: int = 1, *, noise: int = 0, light: float = 1.0) -> np.ndarray:
    """Buildings and fields, the same for one seed; each `noise` is another picture of it. HW uint8."""
    rng = np.random.default_rng(seed)
    grey = np.full((SIZE[1], SIZE[0]), 110.0)
    for _ in range(60):
        x, y = rng.integers(0, SIZE[0] - 60), rng.integers(0, SIZE[1] - 40)
        grey[y : y + rng.integers(10, 40), x : x + rng.integers(10, 60)] = rng.uniform(20, 235)
    grain = np.random.default_rng(1000 + noise).normal(0, 3, grey.shape)
    return np.clip(grey * light + grain, 0, 255).astype(np.uint8)


def blurred(grey: np.ndarray, radius: float = 8.0) -> np.ndarray:
    return np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(radius)))


def jpeg(grey: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "JPEG", quality=90)
    return out.getvalue()


def bomb() -> bytes:
    """A few bytes that would be four hundred million pixels."""
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    return out.getvalue()
