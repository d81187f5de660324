"""Maps of studies as SVG: drawn here from shapes, so that they stand in a page, on paper and in a file alike.

Colours are presentation attributes, which a page's style sheet may override for the dark and a printer may not.
Values in, text out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from markupsafe import Markup, escape
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Box = tuple[float, float, float, float]
Shapes = NDArray[np.object_]

_METRES_PER_DEGREE = 111_320.0
# Neighbouring pieces of one shape meet in a grid of this many pixels; what is smaller is seen by nobody.
_GRID_PX = 0.1
_SMALLEST_PX2 = 0.3
_BEND_PX = 0.4
_ROOM = 0.04
_STEEPEST_DEG = 85.0
_BAR_PX = 120.0

# Okabe and Ito's colours; each kind has a shape or a hatch of its own besides.
_LOOKS: Mapping[str, str] = {
    "land": 'fill="#e9e9e4"',
    "water": 'fill="#cfe0ea"',
    "green": 'fill="#dfe9d8"',
    "building": 'fill="#dcdcd6"',
    "river": 'fill="none" stroke="#cfe0ea" stroke-width="2"',
    "road": 'fill="none" stroke="#d5d5cf" stroke-width="1.4"',
    "ground": 'fill="none" stroke="#1a1d20" stroke-width="1.2" stroke-dasharray="6 3"',
    "route": 'fill="none" stroke="#0072b2" stroke-width="1.6" stroke-dasharray="5 2"',
    "seen1": 'fill="#56b4e9" fill-opacity="0.45"',
    "seen2": 'fill="#0072b2" fill-opacity="0.45"',
    "seen3": 'fill="#003a5d" fill-opacity="0.55"',
    "gap": 'fill="url(#hatch-gap)" stroke="#d55e00" stroke-width="0.8"',
    "lost": 'fill="url(#hatch-gap)" stroke="#d55e00" stroke-width="0.8"',
    "won": 'fill="#009e73" fill-opacity="0.5" stroke="#00684c" stroke-width="0.8"',
    "zone": 'fill="url(#hatch-zone)" stroke="#b0578c" stroke-width="1"',
    "view": 'fill="#e69f00" fill-opacity="0.28" stroke="#8a5f00" stroke-width="0.8"',
    "active": 'fill="#009e73" stroke="#ffffff" stroke-width="1"',
    "published": 'fill="#ffffff" stroke="#e69f00" stroke-width="2.4"',
    "planned": 'fill="#0b5f94" stroke="#ffffff" stroke-width="1"',
    "blocked": 'fill="#d55e00" stroke="#ffffff" stroke-width="1"',
    "gone": 'fill="none" stroke="#1a1d20" stroke-width="2"',
    "candidate": 'fill="#5b6165"',
    "barred_private": 'fill="none" stroke="#b0578c" stroke-width="1.6"',
    "barred_outside": 'fill="none" stroke="#5b6165" stroke-width="1.3"',
    "barred_near": 'fill="none" stroke="#5b6165" stroke-width="1.3"',
    "barred_blind": 'fill="none" stroke="#5b6165" stroke-width="1.3"',
    "place": 'fill="#0b5f94" stroke="#ffffff" stroke-width="1.5"',
    "spot": 'fill="#ffffff" stroke="#d55e00" stroke-width="1.4"',
}
# The statuses of devices that a study counts (geo.coverage.asked), each with a mark of its own.
STATUSES = ("active", "published", "planned", "blocked")
_MARKS: Mapping[str, str] = {
    "active": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "published": "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
    "planned": "M0-5.4L5.4 0L0 5.4L-5.4 0z",
    "blocked": "M0-5L5 4H-5z",
    "gone": "M-4-4L4 4M4-4L-4 4",
    "candidate": "M-1.8 0a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0z",
    "barred_private": "M-2.4-2.4L2.4 2.4M2.4-2.4L-2.4 2.4",
    "barred_outside": "M-2.6 0H2.6",
    "barred_near": "M-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0-4.8 0z",
    "barred_blind": "M0-2.8L2.6 2H-2.6z",
    "place": "M-9 0a9 9 0 1 0 18 0a9 9 0 1 0-18 0z",
    "spot": "M-7.5 0a7.5 7.5 0 1 0 15 0a7.5 7.5 0 1 0-15 0z",
}
_HATCHES = (
    '<pattern id="hatch-gap" width="8" height="8" patternUnits="userSpaceOnUse"><path d="M0 8L8 0M-1 1L1-1M7 9L9 7" '
    'stroke="#d55e00" stroke-width="0.9"/></pattern>'
    '<pattern id="hatch-zone" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M0 0L5 5M-1 4L1 6M4-1L6 1" '
    'stroke="#b0578c" stroke-width="1.2"/></pattern>'
)


@dataclass(frozen=True)
class Frame:
    """The piece of the world that a picture shows, EPSG:4326, and how large it is drawn; north is up."""

    west: float
    south: float
    east: float
    north: float
    width_px: float
    height_px: float

    @classmethod
    def around(cls, box: Box, width_px: float = 720.0, most_height_px: float = 620.0) -> Frame:
        """A frame that holds a box with some room around it, at true proportions."""
        west, south, east, north = box
        squeeze = _squeeze((south + north) / 2)
        wide = max((east - west) * squeeze, 1e-4)
        high = max(north - south, 1e-4)
        height_px = min(max(width_px * high / wide, width_px / 3), most_height_px)
        per_px = max(wide / width_px, high / height_px) * (1 + 2 * _ROOM)
        x, y = (west + east) / 2, (south + north) / 2
        half_x, half_y = per_px * width_px / 2 / squeeze, per_px * height_px / 2
        return cls(x - half_x, y - half_y, x + half_x, y + half_y, width_px, height_px)

    @property
    def box(self) -> Box:
        """West, south, east and north."""
        return self.west, self.south, self.east, self.north

    @property
    def metres_per_px(self) -> float:
        """How many metres a pixel is, in the middle of the picture."""
        return (self.north - self.south) * _METRES_PER_DEGREE / self.height_px

    @property
    def bend_deg(self) -> float:
        """What is bent by less is drawn straight."""
        return _BEND_PX * (self.north - self.south) / self.height_px

    def pixels(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places (n, 2) of EPSG:4326 in pixels from the upper left corner."""
        x = (places[:, 0] - self.west) / (self.east - self.west) * self.width_px
        y = (self.north - places[:, 1]) / (self.north - self.south) * self.height_px
        return np.column_stack([x, y])


def _squeeze(lat: float) -> float:
    return math.cos(math.radians(min(abs(lat), _STEEPEST_DEG)))


def areas(frame: Frame, look: str, shapes: Iterable[BaseGeometry]) -> Markup:
    """Polygons as one path: pieces of one shape show no seams between them."""
    drawn = _in_pixels(frame, shapes)
    drawn = drawn[shapely.get_dimensions(drawn) == 2]
    if not len(drawn):
        return Markup("")
    # What was cut and simplified may cross itself by less than a pixel.
    drawn = np.where(shapely.is_valid(drawn), drawn, shapely.buffer(drawn, 0))
    whole = shapely.union_all(shapely.set_precision(drawn, _GRID_PX), grid_size=_GRID_PX)
    parts = shapely.get_parts(shapely.simplify(whole, _BEND_PX))
    parts = parts[(shapely.get_dimensions(parts) == 2) & (shapely.area(parts) > _SMALLEST_PX2)]
    rings = [ring for part in parts for ring in (part.exterior, *part.interiors)]
    return _path(look, "".join(_corners(ring.coords, "z") for ring in rings), ' fill-rule="evenodd"')


def areas_outline(frame: Frame, look: str, shapes: Iterable[BaseGeometry]) -> Markup:
    """The borders of polygons, without what would come of cutting them at the edge of the picture."""
    return lines(frame, look, [shape.boundary for shape in shapes])


def lines(frame: Frame, look: str, shapes: Iterable[BaseGeometry]) -> Markup:
    """Lines as one path."""
    parts = shapely.get_parts(_in_pixels(frame, shapes))
    parts = shapely.simplify(parts[shapely.get_dimensions(parts) == 1], _BEND_PX)
    return _path(look, "".join(_corners(line.coords, "") for line in parts))


def marks(frame: Frame, look: str, places: Sequence[tuple[float, float]], labels: Sequence[str] = ()) -> Markup:
    """A mark at each place (longitude, latitude), and a label in it where there are labels."""
    if not len(places):
        return Markup("")
    drawn = []
    for number, (x, y) in enumerate(frame.pixels(np.array(places, np.float64))):
        if not (-_BAR_PX < x < frame.width_px + _BAR_PX and -_BAR_PX < y < frame.height_px + _BAR_PX):
            continue
        label = escape(labels[number]) if labels else Markup("")
        ink = "#ffffff" if look == "place" else "#1a1d20"
        text = Markup('<text class="m-label m-on-{}" y="3.6" text-anchor="middle" font-size="10" fill="{}">{}</text>')
        told = text.format(look, ink, label) if label else Markup("")
        shape = Markup('<path d="{}"/>').format(_MARKS[look])
        data = Markup(' data-label="{}"').format(label) if label else Markup("")
        drawn.append(Markup('<g transform="translate({:.1f} {:.1f})"{}>{}{}</g>').format(x, y, data, shape, told))
    return Markup('<g class="m-{}" {}>{}</g>').format(look, Markup(_LOOKS[look]), Markup("").join(drawn))


def names(frame: Frame, told: Sequence[tuple[str, float, float]]) -> Markup:
    """Names of places; one that would lie on another is left out."""
    taken: list[Box] = []
    drawn = []
    for name, lon, lat in told:
        ((x, y),) = frame.pixels(np.array([[lon, lat]]))
        half = 4.0 * sum(2 if ord(char) > 0x2E80 else 1 for char in name) * 0.75
        box = (x - half, y - 8, x + half, y + 8)
        outside = box[0] < 0 or box[1] < 0 or box[2] > frame.width_px or box[3] > frame.height_px
        if outside or any(_meet(box, other) for other in taken):
            continue
        taken.append(box)
        drawn.append(Markup('<text x="{:.1f}" y="{:.1f}">{}</text>').format(x, y + 4, name))
    look = Markup('class="m-name" text-anchor="middle" font-size="11" fill="#5b6165"')
    return Markup("<g {}>{}</g>").format(look, Markup("").join(drawn)) if drawn else Markup("")


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


_SCALE = Markup(
    '<g class="m-scale" font-size="11" fill="#1a1d20">'
    '<rect x="8" y="{:.1f}" width="{:.1f}" height="30" fill="#ffffff" fill-opacity="0.85"/>'
    '<path d="M16 {:.1f}v5h{:.1f}v-5" fill="none" stroke="#1a1d20" stroke-width="1.5"/>'
    '<text x="16" y="{:.1f}">{}</text></g>'
)
_NORTH = Markup(
    '<g class="m-scale" transform="translate({:.1f} 8)" font-size="11" fill="#1a1d20">'
    '<rect width="22" height="34" fill="#ffffff" fill-opacity="0.85"/><path d="M11 3l5 13-5-3-5 3z"/>'
    '<text x="11" y="30" text-anchor="middle">{}</text></g>'
)
_PICTURE = Markup(
    '<svg class="picture" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:g} {h:g}" width="{w:g}" height="{h:g}" '
    'role="img" aria-label="{title}"><defs>{hatches}</defs>'
    '<rect class="m-land" width="{w:g}" height="{h:g}" fill="#f3f3ef"/>{parts}{scale}{north}</svg>'
)
_KEY = Markup(
    '<svg class="key" viewBox="-11 -10 22 20" width="22" height="20" aria-hidden="true"><defs>{}</defs>'
    '<g class="m-{}" {}>{}</g></svg>'
)


def drawing(frame: Frame, parts: Iterable[Markup], *, title: str, north: str, lang: str) -> Markup:
    """The whole picture: its parts from the lowest, a scale bar, and where north is; `title` tells it in words."""
    bar_px, bar_words = _bar(frame, lang)
    at = frame.height_px - 14
    return _PICTURE.format(
        w=round(frame.width_px),
        h=round(frame.height_px),
        title=title,
        hatches=Markup(_HATCHES),
        parts=Markup("").join(parts),
        scale=_SCALE.format(at - 22, bar_px + 16, at - 3, bar_px, at - 8, bar_words),
        north=_NORTH.format(frame.width_px - 30, north),
    )


def key(look: str) -> Markup:
    """What a legend shows of a look: the mark itself, or a patch of the area."""
    patch = Markup('<rect x="-9" y="-6" width="18" height="12"/>')
    inside = Markup('<path d="{}"/>').format(_MARKS[look]) if look in _MARKS else patch
    hatches = Markup(_HATCHES) if "hatch" in _LOOKS[look] else Markup("")
    return _KEY.format(hatches, look, Markup(_LOOKS[look]), inside)


def _in_pixels(frame: Frame, shapes: Iterable[BaseGeometry]) -> Shapes:
    """What of the shapes lies in the frame, in pixels."""
    found: Shapes = np.array([shape for shape in shapes if shape is not None and not shape.is_empty], dtype=np.object_)
    if not len(found):
        return found
    here = shapely.clip_by_rect(found, *frame.box)
    parts = shapely.get_parts(here[~shapely.is_empty(here)])
    drawn: Shapes = shapely.transform(parts, frame.pixels)
    return drawn


def _corners(coords: Iterable[tuple[float, ...]], end: str) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y, *_ in coords) + end


def _path(look: str, corners: str, more: str = "") -> Markup:
    if not corners:
        return Markup("")
    return Markup('<path class="m-{}" {}{} d="{}"/>').format(look, Markup(_LOOKS[look]), Markup(more), corners)


def _bar(frame: Frame, lang: str) -> tuple[float, str]:
    """How long a round number of metres is drawn, and that number in words."""
    longest_m = _BAR_PX * frame.metres_per_px
    power = 10.0 ** math.floor(math.log10(longest_m))
    length_m = max(step * power for step in (1, 2, 5) if step * power <= longest_m)
    km, unit = length_m / 1000, {"en": ("m", "km"), "zh": ("米", "公里")}[lang]
    return length_m / frame.metres_per_px, f"{km:g} {unit[1]}" if km >= 1 else f"{length_m:g} {unit[0]}"
