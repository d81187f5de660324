"""The pixel model: a small network on whole numbers, whose answer for a pixel nothing but the pixel can change.

Weights, inputs and what a layer hands on are whole numbers, so scaled that no sum can reach 2^24. Single-precision
arithmetic is exact there: whatever order a BLAS adds in, however pixels are batched, on whatever processor, the
sums are the same. What follows is one rounding per pixel, and powers made of sums and products (`deciding`).
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from schemas.refusals import RuleViolation, invalid
from sensing.learn.deciding import CERTAIN, decide, weigh
from sensing.learn.features import LIMIT, Singles

Bytes = NDArray[np.uint8]

# What is nothing of interest: label 0 of every model, and what rejected finds teach.
NONE = "none"
FORMAT = "skywarden-pixel-model-1"

# Up to here every whole number has a single-precision number of its own.
_EXACT = 1 << 24
_BLOCK_PX = 1 << 14
_MOST_CLASSES, _MOST_FEATURES, _MOST_UNITS, _MOST_LAYERS = 64, 64, 256, 4
_LARGEST_BYTES, _MOST_MEMBERS = 32 << 20, 32
# What reading a zip or an array raises for bytes that are neither.
_UNREADABLE = (
    zipfile.BadZipFile,
    ValueError,
    KeyError,
    EOFError,
    OSError,
    TypeError,
    SyntaxError,
    MemoryError,
    OverflowError,
    RuntimeError,
)


@dataclass(frozen=True, eq=False)
class Layer:
    """Whole-number weights (units x inputs) and biases; `shrink` brings a hidden unit back to [0, 2047]."""

    weights: Singles
    bias: Singles
    shrink: Singles | None = None


@dataclass(frozen=True, eq=False)
class PixelModel:
    """A trained network; label 0 is `none`, label i is `classes[i]`.

    `codes` gives the label of each output, `unit` how many steps of an output are one logit, `temperature` what
    logits are divided by before they are taken for probabilities. `steps`, where there are any, say what each
    confidence becomes (a table of two-hundredths).
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    codes: Bytes
    layers: tuple[Layer, ...]
    unit: float
    temperature: float = 1.0
    steps: Bytes | None = None
    _step: np.float32 = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_step", np.float32(math.log2(math.e) / (self.unit * self.temperature)))

    def predict(self, features: Singles) -> tuple[Bytes, Bytes]:
        """Labels, and confidences in two-hundredths, of `features` (features x pixels, as `features.stack` gives)."""
        _expect(features, len(self.features))
        count = features.shape[1]
        labels, confidence = np.empty(count, np.uint8), np.empty(count, np.uint8)
        # Products this small only wait for each other when several threads share one.
        with _libraries().limit(limits=1, user_api="blas"):
            for start in range(0, count, _BLOCK_PX):
                part = slice(start, start + _BLOCK_PX)
                decide(self._outputs(features[:, part]), self.codes, self._step, labels[part], confidence[part])
        return labels, confidence if self.steps is None else self.steps[confidence]

    def doubt(self, features: Singles) -> Bytes:
        """How close the second best class comes to the best one: 0 settled, 200 a draw; 1 less the margin."""
        _expect(features, len(self.features))
        doubt = np.empty(features.shape[1], np.uint8)
        for start in range(0, features.shape[1], _BLOCK_PX):
            part = slice(start, start + _BLOCK_PX)
            outputs = self._outputs(features[:, part])
            best, weights = outputs.max(axis=0), np.empty(outputs.shape, np.int32)
            for output, made in zip(outputs, weights, strict=True):
                weigh(output, best, self._step, made)
            first, second = np.sort(weights, axis=0)[[-1, -2]]
            doubt[part] = np.rint(CERTAIN * (1.0 - (first - second) / weights.sum(axis=0)))
        return doubt

    def logits(self, features: Singles) -> NDArray[np.float64]:
        """The outputs as logits (classes that were trained x pixels), before any temperature."""
        _expect(features, len(self.features))
        return self._outputs(features).astype(np.float64) / self.unit

    def calibrated(self, temperature: float = 1.0, steps: Bytes | None = None) -> PixelModel:
        """The same network with other confidences; labels do not change."""
        return replace(self, temperature=float(temperature), steps=steps)

    def _outputs(self, part: Singles) -> Singles:
        for layer in self.layers:
            part = layer.weights @ part
            part += layer.bias[:, None]
            if layer.shrink is not None:
                part *= layer.shrink[:, None]
                np.rint(part, out=part)
                np.clip(part, 0, LIMIT, out=part)
        return part

    @property
    def roles_needed(self) -> tuple[str, ...]:
        """The band roles beside red, green and blue that its features are made of."""
        of = {"nir": "nir", "ndvi": "nir", "ndwi": "nir", "mndwi": "swir1", "nbr": "swir2"}
        return tuple(sorted({of[name] for name in self.features if name in of}))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of its file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The model as an npz file without pickle; the same model gives the same bytes."""
        about = {
            "format": FORMAT,
            "features": list(self.features),
            "classes": list(self.classes),
            "layers": len(self.layers),
            "unit": self.unit,
            "temperature": self.temperature,
        }
        arrays: dict[str, NDArray[Any]] = {"codes": self.codes}
        if self.steps is not None:
            arrays["steps"] = self.steps
        for number, layer in enumerate(self.layers):
            arrays |= {f"weights_{number}": layer.weights, f"bias_{number}": layer.bias}
            if layer.shrink is not None:
                arrays[f"shrink_{number}"] = layer.shrink
        return pack(about, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The model of a file; raises RuleViolation `model.corrupt` for anything that is not a sound model."""
        about, arrays = unpack(data, FORMAT)
        try:
            numbers = range(int(about["layers"]))
            model = cls(
                features=tuple(map(str, about["features"])),
                classes=tuple(map(str, about["classes"])),
                codes=arrays["codes"],
                layers=tuple(
                    Layer(arrays[f"weights_{n}"], arrays[f"bias_{n}"], arrays.get(f"shrink_{n}")) for n in numbers
                ),
                unit=float(about["unit"]),
                temperature=float(about["temperature"]),
                steps=arrays.get("steps"),
            )
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise corrupt("its parts") from error
        _check(model)
        return model


def quantised(
    layers: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    tops: Sequence[NDArray[np.float64]],
    *,
    features: tuple[str, ...],
    classes: tuple[str, ...],
    codes: Bytes,
) -> PixelModel:
    """The whole-number model of a network of real weights (units x inputs) and biases on whole-number features.

    `tops` are the values up to which the units of each hidden layer are told apart.
    """
    made: list[Layer] = []
    step = np.ones(len(features))
    for (weights, bias), top in zip(layers[:-1], tops, strict=True):
        scaled = weights * step
        grain = _grain(scaled, bias)
        step = np.maximum(top, 1e-9) / LIMIT
        made.append(Layer(*_whole(scaled, bias, grain), (1.0 / (grain * step)).astype(np.float32)))
    weights, bias = layers[-1]
    # Outputs are compared with each other, so all of them are in one unit.
    unit = float(_grain(weights * step, bias).min())
    made.append(Layer(*_whole(weights * step, bias, np.full(len(bias), unit))))
    return PixelModel(features, classes, codes, tuple(made), unit)


def _grain(weights: NDArray[np.float64], bias: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much each unit may be multiplied so that, rounded, none of its sums can reach 2^24."""
    worst = np.abs(weights).sum(axis=1) * LIMIT + np.abs(bias)
    slack = LIMIT * (weights.shape[1] + 1)
    grain: NDArray[np.float64] = (_EXACT - slack) / np.maximum(worst, 1e-9)
    return grain


def _whole(
    weights: NDArray[np.float64], bias: NDArray[np.float64], grain: NDArray[np.float64]
) -> tuple[Singles, Singles]:
    return np.rint(weights * grain[:, None]).astype(np.float32), np.rint(bias * grain).astype(np.float32)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _expect(features: Singles, count: int) -> None:
    if features.dtype != np.float32 or features.ndim != 2 or features.shape[0] != count:
        raise ValueError(f"{count} features x pixels of float32 are needed, not {features.dtype} {features.shape}")


def _check(model: PixelModel) -> None:
    """Raise RuleViolation `model.corrupt` where sums could be inexact, or parts do not fit each other."""
    if not 1 <= len(model.layers) <= _MOST_LAYERS or not 1 <= len(model.features) <= _MOST_FEATURES:
        raise corrupt("its size")
    classes = model.classes
    if classes[:1] != (NONE,) or len(set(classes)) < len(classes) or len(classes) > _MOST_CLASSES:
        raise corrupt("its classes")
    if not (model.unit > 0 and 0.01 <= model.temperature <= 100 and np.isfinite(model.unit)):
        raise corrupt("its units")
    steps = model.steps
    if steps is not None and (steps.dtype != np.uint8 or steps.shape != (CERTAIN + 1,) or not _rise(steps)):
        raise corrupt("its calibration")
    inputs = len(model.features)
    for number, layer in enumerate(model.layers):
        last = number == len(model.layers) - 1
        _check_layer(layer, inputs, last=last)
        inputs = layer.weights.shape[0]
    codes = model.codes
    if codes.dtype != np.uint8 or codes.shape != (inputs,) or len(codes) < 2 or codes.max() >= len(model.classes):
        raise corrupt("its labels")


def _rise(steps: Bytes) -> bool:
    return bool((np.diff(steps.astype(np.int64)) >= 0).all() and steps[-1] <= CERTAIN)


def _check_layer(layer: Layer, inputs: int, *, last: bool) -> None:
    weights, bias, shrink = layer.weights, layer.bias, layer.shrink
    whole = weights.dtype == bias.dtype == np.float32 and weights.ndim == 2 and weights.shape[1] == inputs
    if not whole or bias.shape != weights.shape[:1] or not 1 <= len(bias) <= _MOST_UNITS or last != (shrink is None):
        raise corrupt("its layers")
    if not ((weights == np.rint(weights)).all() and (bias == np.rint(bias)).all()):
        raise corrupt("its weights")
    worst = np.abs(weights).sum(axis=1, dtype=np.float64) * LIMIT + np.abs(bias)
    if not (worst <= _EXACT).all():
        raise corrupt("the size of its weights")
    if shrink is not None and (
        shrink.dtype != np.float32 or shrink.shape != bias.shape or not (np.isfinite(shrink) & (shrink > 0)).all()
    ):
        raise corrupt("its scales")


# -- files of models ------------------------------------------------------------------------------


def pack(about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An npz file with a JSON member `about`, stored plainly and without a time: the same content, the same bytes."""
    written = io.BytesIO()
    text = json.dumps(about, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    members = {"about": np.frombuffer(text, np.uint8), **arrays}
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(members[name]), (1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return written.getvalue()


def unpack(data: bytes, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What `pack` wrote; raises RuleViolation `model.corrupt` for anything else, or for another kind of file."""
    if len(data) > _LARGEST_BYTES:
        raise corrupt("its size")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # Members are stored as they are, so a small file cannot unpack to a large one.
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
            if packed or len(archive.infolist()) > _MOST_MEMBERS:
                raise corrupt("its packing")
            arrays = {
                entry.filename.removesuffix(".npy"): np.lib.format.read_array(
                    io.BytesIO(archive.read(entry)), allow_pickle=False
                )
                for entry in archive.infolist()
            }
        about = json.loads(arrays.pop("about").tobytes())
    except _UNREADABLE as error:
        raise corrupt("its form") from error
    if not isinstance(about, dict) or about.get("format") != kind:
        raise corrupt("its kind")
    return about, arrays


def corrupt(measured: str) -> RuleViolation:
    """The refusal of a file that is no sound model."""
    return invalid("model.corrupt", measured=measured)
