"""How wrong the place of an image can be, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

import yaml

from schemas.refusals import invalid


class Basis(StrEnum):
    """Where a position error comes from."""

    STATED = "stated"  # by whoever hands the image in
    FILE = "file"  # by the producer, in the file
    RESIDUAL = "residual"  # what control points leave
    RECKONED = "reckoned"  # from the camera's pose and the ground
    USUAL = "usual"  # of this kind of image, with its source


@dataclass(frozen=True)
class Position:
    """A position error in metres, where it comes from, and in words what stands behind it."""

    error_m: float
    basis: Basis
    source: str


@cache
def _rules() -> dict[str, dict[str, Position]]:
    text = resources.files("sensing").joinpath("rules", "positions.yaml").read_text(encoding="utf-8")
    return {
        group: {name: Position(float(told["error_m"]), Basis.USUAL, told["source"]) for name, told in entries.items()}
        for group, entries in yaml.safe_load(text).items()
    }


def usual(kind: str) -> Position:
    """What images of a kind are good for. Raises RuleViolation `raster.position` where nobody has said."""
    found = _rules()["usual"].get(kind)
    if found is None:
        raise invalid("raster.position", "raster.position", measured=kind)
    return found


def same_as_wgs84_m(datum: str) -> float | None:
    """How far a datum of this name lies from WGS 84, metres; None for one that is not known to be the same."""
    found = _rules()["same_as_wgs84"].get(datum)
    return found.error_m if found else None
