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


def taken(
    grey: np.ndarray, *, size: tuple[int, int] = (960, 540), noise: float = 0.0, blur: float = 0.0, quality: int = 85
) -> bytes:
    """A picture as a camera sends it: smeared by its lens (pixels of 960), its sensor's noise on it, as JPEG."""
    seen = Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS)
    seen = seen.filter(ImageFilter.GaussianBlur(blur * size[0] / 960))
    grain = np.random.default_rng(7).normal(0, noise, (size[1], size[0]))
    out = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(seen) + grain, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def night(seed: int = 1) -> np.ndarray:
    """A street at night: all but black, with some lamps and what they light."""
    rng = np.random.default_rng(seed)
    grey = np.full((SIZE[1], SIZE[0]), 4.0)
    for _ in range(12):
        x, y = rng.integers(20, SIZE[0] - 40), rng.integers(20, SIZE[1] - 40)
        grey[y : y + 20, x : x + 14] = 60
        grey[y - 4 : y + 4, x : x + 8] = 230
    return grey.astype(np.uint8)


def jpeg(grey: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "JPEG", quality=90)
    return out.getvalue()


def bomb() -> bytes:
    """A few bytes that would be four hundred million pixels."""
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    return out.getvalue()
