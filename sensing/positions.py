"""How wrong the place of an image can be, and who says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

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
def _file() -> dict[str, Any]:
    text = resources.files("sensing").joinpath("rules", "positions.yaml").read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(text)
    return read


@cache
def _rules() -> dict[str, dict[str, Position]]:
    return {
        group: {
            name: Position(float(told["error_m"]), Basis.USUAL, told["source"]) for name, told in _file()[group].items()
        }
        for group in ("usual", "same_as_wgs84")
    }


def sensor_said(stem: str, tags: Mapping[str, str]) -> str | None:
    """Who took an image, by the name that its producer gave it or by a tag inside it; None where neither says."""
    for sign in _file()["told_by"]:
        if "name" in sign and re.fullmatch(sign["name"], stem, re.IGNORECASE):
            return str(sign["sensor"])
        if "tag" in sign and re.match(sign["says"], tags.get(sign["tag"], ""), re.IGNORECASE):
            return str(sign["sensor"])
    return None


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
