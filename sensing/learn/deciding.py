"""What the outputs of a pixel model come to: its label, and how sure it is; compiled, as every pixel asks it.

The exponential of a processor differs from another's in its last digit. So powers of two are made of sums and products
alone, whose bits IEEE 754 fixes, and of shifts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensing.kernels import compiled

Singles = NDArray[np.float32]
Whole = NDArray[np.int32]
Bytes = NDArray[np.uint8]

# A confidence is in steps of half a per cent.
CERTAIN = 200
# The weight of the greatest output; 64 classes of such weights still add up to less than 2^24.
_ONE = np.float32(1 << 16)
# 2^-x on [0, 1] but for one part in nine thousand, exact at both ends: 1 + x (a + x (b + x c)), a + b + c = -1/2.
_A, _B, _C = np.float32(-0.69136306), np.float32(0.23047717), np.float32(-0.03911411)
# Beyond 2^-30 nothing is left of a weight.
_FURTHEST = np.float32(30.0)
# So many pixels stay in the nearest cache from one pass to the next.
_CHUNK_PX = 2048


@compiled
def weigh(outputs: Singles, best: Singles, step: np.float32, weights: Whole) -> None:
    """Write 2^-x in parts of 2^16, x being how far outputs are from the best ones, times `step`."""
    for pixel in range(outputs.size):
        away = min((best[pixel] - outputs[pixel]) * step, _FURTHEST)
        halvings = np.int32(away)
        rest = away - np.float32(halvings)
        power = np.float32(1.0) + rest * (_A + rest * (_B + rest * _C))
        weights[pixel] = np.int32(power * _ONE) >> halvings


@compiled
def _choose(outputs: Singles, code: int, best: Singles, labels: Bytes) -> None:
    for pixel in range(outputs.size):
        # Read once, for what may have been written meanwhile keeps the loop from being done for many pixels at a time.
        output = outputs[pixel]
        is_more = output > best[pixel]
        labels[pixel] = np.uint8(code) if is_more else labels[pixel]
        best[pixel] = output if is_more else best[pixel]


@compiled
def _share(total: Whole, confidence: Bytes) -> None:
    for pixel in range(total.size):
        confidence[pixel] = np.uint8(np.rint(np.float32(CERTAIN) * _ONE / np.float32(total[pixel])))


@compiled
def decide(outputs: Singles, codes: Bytes, step: np.float32, labels: Bytes, confidence: Bytes) -> None:
    """Write the label of the greatest output of each pixel (of equal ones, the first), and its share of all weights.

    `outputs` are classes x pixels, `codes` the label of each; a confidence is in parts of `CERTAIN`.
    """
    classes, count = outputs.shape
    weights = np.empty(_CHUNK_PX, np.int32)
    for start in range(0, count, _CHUNK_PX):
        end = min(start + _CHUNK_PX, count)
        best, total = outputs[0, start:end].copy(), np.zeros(end - start, np.int32)
        labels[start:end] = codes[0]
        for output in range(1, classes):
            _choose(outputs[output, start:end], codes[output], best, labels[start:end])
        for output in range(classes):
            weigh(outputs[output, start:end], best, step, weights)
            total += weights[: end - start]
        _share(total, confidence[start:end])
