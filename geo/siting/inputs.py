"""Everything that an answer of siting depends on, in metres of one plane. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from geo.coverage.demand import Demand
from geo.coverage.plane import Shapes
from geo.siting.asked import SitingAsked
from geo.siting.candidates import Land

_NONE = np.empty(0, dtype=object)


@dataclass(frozen=True)
class Offered:
    """A device of another department that could be shared; `footprint` in metres of the plane (GD-17)."""

    public_id: str
    label: str
    authority: str
    lon: float
    lat: float
    azimuth_deg: float | None
    hfov_deg: float | None
    range_m: float
    mast_m: float
    footprint: shapely.Geometry


@dataclass(frozen=True)
class Inputs:
    """Everything that an answer depends on: `standing` are the footprints of what sees already, `homes` the ground of
    residential areas with their names; all in metres of the plane of `land`. `item` is the code of the supervision item
    that the study is about, where it is about one.
    """

    asked: SitingAsked
    land: Land
    demand: Demand
    standing: Shapes = field(default_factory=lambda: _NONE)
    offered: Sequence[Offered] = ()
    homes: Shapes = field(default_factory=lambda: _NONE)
    home_names: Sequence[str] = ()
    item: str | None = None
