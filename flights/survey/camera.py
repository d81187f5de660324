"""What a camera makes of a height: ground sampling distance, footprint, line spacing, trigger distance. Pure."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from geo.footprint import Camera
from schemas.refusals import invalid

CM = 100.0
_SQUAREST = 3 / 4
_ROUNDING = 1e-9
MAX_ANGLE_DEG = 150.0
"""No check takes a wider camera (flights/check/precheck.py)."""


@dataclass(frozen=True)
class CameraModel:
    """A camera looking straight down: its sensor, lens and image.

    `sensor_mm` and `image_px` are across and along the track, as they are mounted; any unit of length serves
    where sensor and focal length share it. `min_interval_s` is the shortest time between two photos.
    """

    name: str
    sensor_mm: tuple[float, float]
    image_px: tuple[int, int]
    focal_mm: float
    min_interval_s: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        """Raise RuleViolation 422 for what no camera is."""
        sizes = (*self.sensor_mm, *self.image_px, self.focal_mm)
        if not all(math.isfinite(size) and size > 0 for size in sizes):
            raise invalid("survey.camera", measured=self.name)
        if max(self.hfov_deg, self.vfov_deg) > MAX_ANGLE_DEG:
            measured = f"{max(self.hfov_deg, self.vfov_deg):.0f}°"
            raise invalid("flight.camera_angle", measured=measured, required=f"{MAX_ANGLE_DEG:g}°")

    @classmethod
    def of_angle(cls, hfov_deg: float, image_px: tuple[int, int]) -> CameraModel:
        """A camera of which only the full angle across and the image are known; its pixels are square."""
        if not (0 < hfov_deg <= MAX_ANGLE_DEG):
            raise invalid("flight.camera_angle", measured=f"{hfov_deg:g}°", required=f"{MAX_ANGLE_DEG:g}°")
        if min(image_px) <= 0:
            raise invalid("survey.camera", measured=f"{image_px[0]} x {image_px[1]}")
        across = 2 * math.tan(math.radians(hfov_deg) / 2)
        return cls(f"{hfov_deg:g}°", (across, across * image_px[1] / image_px[0]), image_px, 1.0)

    @property
    def portrait(self) -> CameraModel:
        """The same camera turned by a quarter, its short side across the track."""
        return CameraModel(
            self.name, self.sensor_mm[::-1], self.image_px[::-1], self.focal_mm, self.min_interval_s, self.source
        )

    @property
    def hfov_deg(self) -> float:
        """The full angle across the track."""
        return 2 * math.degrees(math.atan(self.sensor_mm[0] / (2 * self.focal_mm)))

    @property
    def vfov_deg(self) -> float:
        """The full angle along the track."""
        return 2 * math.degrees(math.atan(self.sensor_mm[1] / (2 * self.focal_mm)))

    def view(self, roll_margin_deg: float = 0.0) -> Camera:
        """The camera as the checks know it, its frame at least as long as that of a 4:3 sensor.

        A check takes the angle across from the plan and the shape of the frame from the aircraft, so the plan
        must hold for either shape.
        """
        along = max(self.sensor_mm[1], self.sensor_mm[0] * _SQUAREST)
        return Camera(self.hfov_deg, 2 * math.degrees(math.atan(along / (2 * self.focal_mm))), roll_margin_deg)

    def gsd_cm(self, alt_agl_m: float) -> float:
        """Ground sampling distance across the track from a true height, cm per pixel."""
        return alt_agl_m * self.sensor_mm[0] * CM / (self.image_px[0] * self.focal_mm)

    def alt_agl_m(self, gsd_cm: float) -> float:
        """The true height with that ground sampling distance; the inverse of `gsd_cm`."""
        return gsd_cm * self.image_px[0] * self.focal_mm / (self.sensor_mm[0] * CM)

    def footprint_m(self, alt_agl_m: float) -> tuple[float, float]:
        """Size of one photo on flat ground, across and along the track."""
        return alt_agl_m * self.sensor_mm[0] / self.focal_mm, alt_agl_m * self.sensor_mm[1] / self.focal_mm

    def spacing_m(self, alt_agl_m: float, side: float) -> float:
        """From line to line, where neighbouring strips share `side` (0 to 1) of their width."""
        return self.footprint_m(alt_agl_m)[0] * (1 - side)

    def trigger_m(self, alt_agl_m: float, front: float) -> float:
        """From photo to photo, where successive photos share `front` (0 to 1) of their length."""
        return self.footprint_m(alt_agl_m)[1] * (1 - front)


def refuse_fast(camera: CameraModel, trigger_m: float, speed_mps: float) -> None:
    """Raise RuleViolation 422 where the camera is asked for photos faster than it takes them."""
    if camera.min_interval_s is None or trigger_m >= camera.min_interval_s * speed_mps - _ROUNDING:
        return
    raise invalid(
        "survey.trigger",
        measured=f"{trigger_m / speed_mps:.2f} s",
        required=f"{camera.min_interval_s:g} s",
        camera=camera.name,
        # Rounded down: the speed that is told must itself pass.
        speed=f"{math.floor(trigger_m / camera.min_interval_s * 10 + _ROUNDING) / 10:.1f}",
    )


@cache
def cameras() -> Mapping[str, CameraModel]:
    """The cameras that are known by a code, in the order of the table."""
    table = tomllib.loads(resources.files("flights.survey").joinpath("cameras.toml").read_text(encoding="utf-8"))
    return {
        code: CameraModel(
            row["name"],
            tuple(row["sensor_mm"]),
            tuple(row["image_px"]),
            row["focal_mm"],
            row.get("min_interval_s"),
            row["source"],
        )
        for code, row in table.items()
    }


def camera_named(name: str) -> CameraModel:
    """The camera of a code or of a full name, whatever its case; RuleViolation 422 where there is none."""
    for code, camera in cameras().items():
        if name.casefold() in (code, camera.name.casefold()):
            return camera
    raise invalid("survey.camera_unknown", measured=name[:40], required=", ".join(cameras()))
