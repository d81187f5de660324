"""Touches the disk: what OpenDroneMap says of its own orthomosaic, in the folder of the project that it lies in."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from sensing.positions import Basis, Position

_FOLDER, _REPORT = "odm_orthophoto", "odm_report/stats.json"
_LARGEST_BYTES = 8 << 20


def is_odm(file: Path) -> bool:
    """Whether a file is an orthomosaic of OpenDroneMap, by where it lies."""
    return file.parent.name == _FOLDER


def measured_error(file: Path) -> Position | None:
    """How far the mosaic lies from ground control points that were measured; None where there are none.

    Without them the report knows how well the camera positions fit each other, which says nothing of the ground.
    """
    report = file.parent.parent / _REPORT
    try:
        if not is_odm(file) or report.stat().st_size > _LARGEST_BYTES:
            return None
        stats = json.loads(report.read_bytes())
        if not stats["reconstruction_statistics"]["has_gcp"]:
            return None
        error_m = math.hypot(*(_metres(stats["gcp_errors"]["error"][axis]) for axis in ("x", "y")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return Position(round(error_m, 2), Basis.RESIDUAL, "control points in the report of OpenDroneMap")


def _metres(value: Any) -> float:  # noqa: ANN401 - whatever a report holds
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1000:
        raise ValueError("no error in metres")
    return float(value)
