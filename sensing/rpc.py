"""A satellite's sensor model as rational polynomials (RPC00B): read from a text beside the image, and reckoned with.

Files: `.RPB` as Gaofen, WorldView and others deliver it, `_RPC.TXT` as Ikonos and others do. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from schemas.refusals import invalid

Floats = NDArray[np.float64]

_TERMS = 20
_LARGEST_TEXT = 64 << 10
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
# Beyond this many times its own range, a polynomial of third order says nothing any more.
_REACH = 1.5
_ROUNDS = 25
_CLOSE_PX = 1e-4
_RPB = {
    "line_off": "lineOffset",
    "samp_off": "sampOffset",
    "lat_off": "latOffset",
    "long_off": "longOffset",
    "height_off": "heightOffset",
    "line_scale": "lineScale",
    "samp_scale": "sampScale",
    "lat_scale": "latScale",
    "long_scale": "longScale",
    "height_scale": "heightScale",
}
_RPB_COEFFICIENTS = {
    "line_num": "lineNumCoef",
    "line_den": "lineDenCoef",
    "samp_num": "sampNumCoef",
    "samp_den": "sampDenCoef",
}


class Rpc(BaseModel):
    """Rational polynomials from a place and its ellipsoidal height to a pixel; errors in metres where stated."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    line_off: float
    samp_off: float
    lat_off: float
    long_off: float
    height_off: float
    line_scale: float
    samp_scale: float
    lat_scale: float
    long_scale: float
    height_scale: float
    line_num: tuple[float, ...]
    line_den: tuple[float, ...]
    samp_num: tuple[float, ...]
    samp_den: tuple[float, ...]
    err_bias_m: float | None = None
    err_rand_m: float | None = None

    @classmethod
    def of_tags(cls, tags: Mapping[str, Any]) -> Self:
        """From the RPC tag of a TIFF as rasterio gives it."""
        plain = {name: tags[name] for name in _RPB}
        plain |= {name: tuple(tags[f"{name}_coeff"]) for name in _RPB_COEFFICIENTS}
        return cls(**plain, err_bias_m=tags["err_bias"], err_rand_m=tags["err_rand"])

    @property
    def is_usable(self) -> bool:
        """Whether all numbers are there, finite, and of this earth."""
        scales = (self.line_scale, self.samp_scale, self.lat_scale, self.long_scale, self.height_scale)
        groups = (self.line_num, self.line_den, self.samp_num, self.samp_den)
        offsets = (self.line_off, self.samp_off, self.lat_off, self.long_off, self.height_off)
        if any(len(group) != _TERMS for group in groups):
            return False
        if not np.isfinite([*scales, *offsets, *(number for group in groups for number in group)]).all():
            return False
        on_earth = abs(self.lat_off) <= 90 and abs(self.long_off) <= 180
        return on_earth and min(scales) > 0 and self.lat_scale < 10 and self.long_scale < 20

    @property
    def stated_error_m(self) -> float | None:
        """The error that the producer states; zeros are what they write who have measured none."""
        stated = [error for error in (self.err_bias_m, self.err_rand_m) if error is not None and error > 0]
        return float(np.hypot(*(stated if len(stated) == 2 else (stated[0], 0.0)))) if stated else None

    def pixels(self, lons: Floats, lats: Floats, heights_m: Floats) -> tuple[Floats, Floats]:
        """Columns and rows, counted from the upper left corner of the image; NaN beyond the reach of the model."""
        east = (np.asarray(lons, np.float64) - self.long_off) / self.long_scale
        north = (np.asarray(lats, np.float64) - self.lat_off) / self.lat_scale
        high = (np.asarray(heights_m, np.float64) - self.height_off) / self.height_scale
        # What lies nowhere near the image overflows; it is beyond the model's reach all the same.
        with np.errstate(all="ignore"):
            terms = _terms(east, north, high)
            rows = _sum(self.line_num, terms) / _sum(self.line_den, terms) * self.line_scale + self.line_off
            columns = _sum(self.samp_num, terms) / _sum(self.samp_den, terms) * self.samp_scale + self.samp_off
        beyond = ~(np.maximum(np.maximum(np.abs(east), np.abs(north)), np.abs(high)) <= _REACH)
        # The model counts from the centre of the first pixel, a raster from its corner.
        return np.where(beyond, np.nan, columns + 0.5), np.where(beyond, np.nan, rows + 0.5)

    def places(self, columns: Floats, rows: Floats, heights_m: Floats) -> tuple[Floats, Floats]:
        """Longitudes and latitudes at which pixels show ground of a height; NaN where there is no such place."""
        lons, lats = np.full(len(columns), self.long_off), np.full(len(columns), self.lat_off)
        d_lon, d_lat = self.long_scale * 1e-4, self.lat_scale * 1e-4
        for _ in range(_ROUNDS):
            c, r = self.pixels(lons, lats, heights_m)
            c_lon, r_lon = self.pixels(lons + d_lon, lats, heights_m)
            c_lat, r_lat = self.pixels(lons, lats + d_lat, heights_m)
            a, b, d, e = (c_lon - c) / d_lon, (c_lat - c) / d_lat, (r_lon - r) / d_lon, (r_lat - r) / d_lat
            with np.errstate(all="ignore"):
                det = a * e - b * d
                off_c, off_r = columns - c, rows - r
                lons, lats = lons + (e * off_c - b * off_r) / det, lats + (a * off_r - d * off_c) / det
            if np.nanmax(np.hypot(off_c, off_r), initial=0.0) < _CLOSE_PX:
                break
        found = np.hypot(off_c, off_r) < 1.0
        return np.where(found, lons, np.nan), np.where(found, lats, np.nan)


def _terms(east: Floats, north: Floats, high: Floats) -> tuple[Floats, ...]:
    """The twenty products of a place that RPC00B multiplies its coefficients with, in its order."""
    e2, n2, h2 = east * east, north * north, high * high
    first = (np.ones_like(east), east, north, high)
    second = (east * north, east * high, north * high, e2, n2, h2)
    third = (north * east * high, e2 * east, east * n2, east * h2, e2 * north, n2 * north, north * h2)
    return first + second + third + (e2 * high, n2 * high, h2 * high)


def _sum(coefficients: tuple[float, ...], terms: tuple[Floats, ...]) -> Floats:
    total = np.zeros_like(terms[0])
    for coefficient, term in zip(coefficients, terms, strict=True):
        total += coefficient * term
    return total


def is_rpc_name(name: str, image_stem: str) -> bool:
    """Whether a file beside an image is its sensor model, by its name."""
    stem = image_stem.lower()
    return name.lower() in (f"{stem}.rpb", f"{stem}_rpc.txt", f"{stem}.rpc.txt")


def read_rpc(data: bytes, name: str) -> Rpc:
    """The sensor model in a `.RPB` or `_RPC.TXT`. Raises RuleViolation `raster.rpc` for anything else."""
    text = data[: _LARGEST_TEXT + 1].decode("ascii", "replace")
    found = _of_rpb(text) if name.lower().endswith(".rpb") else _of_rpc_txt(text)
    if len(data) > _LARGEST_TEXT or found is None or not found.is_usable:
        raise invalid("raster.rpc", "raster.rpc_text", name=name)
    return found


def _of_rpb(text: str) -> Rpc | None:
    plain: dict[str, Any] = {name: _after(rf"\b{key}\s*=\s*({_NUMBER})\s*;", text) for name, key in _RPB.items()}
    for name, key in _RPB_COEFFICIENTS.items():
        listed = re.search(rf"\b{key}\s*=\s*\(([^()]*)\)", text)
        plain[name] = tuple(float(one) for one in re.findall(_NUMBER, listed[1])) if listed else ()
    errors = [_after(rf"\b{key}\s*=\s*({_NUMBER})\s*;", text) for key in ("errBias", "errRand")]
    return _built(plain, errors)


def _of_rpc_txt(text: str) -> Rpc | None:
    plain: dict[str, Any] = {name: _after(rf"(?m)^\s*{name.upper()}\s*:\s*({_NUMBER})", text) for name in _RPB}
    for name in _RPB_COEFFICIENTS:
        key = f"{name.upper()}_COEFF"
        numbered = re.findall(rf"(?m)^\s*{key}_(\d{{1,2}})\s*:\s*({_NUMBER})", text)
        by_number = {int(number): float(value) for number, value in numbered}
        plain[name] = tuple(by_number[number] for number in range(1, _TERMS + 1) if number in by_number)
    errors = [_after(rf"(?m)^\s*{key}\s*:\s*({_NUMBER})", text) for key in ("ERR_BIAS", "ERR_RAND")]
    return _built(plain, errors)


def _after(pattern: str, text: str) -> float | None:
    found = re.search(pattern, text)
    return float(found[1]) if found else None


def _built(plain: dict[str, Any], errors: list[float | None]) -> Rpc | None:
    if any(value is None for value in plain.values()):
        return None
    return Rpc(**plain, err_bias_m=errors[0], err_rand_m=errors[1])
