"""What an answer of siting is: its sites, its front, and how far it is proven. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Site:
    """A chosen site: a `new` device, or one of another department to be `shared`; the place in EPSG:4326.

    `adds` is the demand that nobody else sees, in its unit; `homes_m2` and `homes` whose homes it sees. A patrol route
    is flown `flights` times in `hours`. `item` is the supervision item that it serves, where the study names one.
    """

    kind: str
    lon: float
    lat: float
    azimuth_deg: float | None
    hfov_deg: float | None
    range_m: float
    mast_m: float
    adds: float
    homes_m2: float = 0.0
    homes: tuple[str, ...] = ()
    source: str = ""
    device: str | None = None
    label: str = ""
    authority: str = ""
    flights: int | None = None
    hours: float | None = None
    item: str | None = None


@dataclass(frozen=True)
class Point:
    """One answer of the front: how much more is `seen` for how many square metres of homes, and its sites.

    `gap`, `proven` and `is_least` are as in Found.
    """

    seen: float
    burden: float
    sites: tuple[Site, ...]
    fit: Fit | None = None
    gap: float = 0.0
    proven: bool = True
    is_least: bool = True


@dataclass(frozen=True)
class Fit:
    """Of `entities`, how many have every view that they have to give: `before`, and `after` with the chosen sites.

    `gained` are the public ids of those that have them with these sites alone.
    """

    entities: int
    before: int
    after: int
    gained: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """An answer; `gap` as in question.Choice, `total` and what is seen in the unit of the demand.

    `mean_m` is how far the demand lies from the nearest device on average, where that was asked; `pieces` into how
    many the demand was cut for the solver, whose proof is about them. `effort` is what the new sites cost together,
    where that was asked; `is_least` as in question.Choice. `places` are those where devices could stand (EPSG:4326),
    and, by the reason, those where none may. `fit` counts entities with all the views that they have to give (LF-9).
    """

    proven: bool
    gap: float
    seconds: float
    total: float
    seen_before: float
    seen_after: float
    candidates: int
    left_out: dict[str, int]
    sites: tuple[Site, ...]
    front: tuple[Point, ...] = ()
    mean_m: float | None = None
    pieces: int | None = None
    effort: float | None = None
    is_least: bool = True
    places: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    fit: Fit | None = None
    item: str | None = None
