"""From candidates and demand to the best sites: the question is built, solved, and measured again exactly. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from geo.coverage.plane import Floats, Shapes
from geo.siting.asked import LEAST_COST
from geo.siting.candidates import Candidates, candidates
from geo.siting.choosing import choose, question_of
from geo.siting.found import Found, Point, Site
from geo.siting.inputs import Inputs, Offered
from geo.siting.measured import exact_adds, fit_of, homes_in, seen
from geo.siting.question import Choice, Ints

# More marks than these hide the map that they stand on.
_MOST_PLACES = 1_500


def solve(given: Inputs) -> Found:
    """The best sites; raises RuleViolation where there is nothing to see, nowhere to stand, or no answer."""
    made = candidates(given.land, given.asked.candidates, given.asked.view)
    views = np.concatenate([made.footprints, _array([one.footprint for one in given.offered])])
    weighed = _Weighed(given, made, views)
    best = choose(given, made, question_of(given, made, views))
    chosen, before = best.choice.chosen, seen(given.demand, given.standing)
    return Found(
        proven=all(one.is_proven for one in best.whole),
        gap=max(one.gap for one in best.whole),
        seconds=sum(one.seconds for one in best.whole),
        total=given.demand.total,
        seen_before=before,
        seen_after=weighed.seen_with(chosen),
        candidates=len(made.footprints),
        left_out=dict(made.left_out),
        sites=weighed.sites(chosen),
        front=_front(weighed, best.further, before),
        mean_m=best.mean_m,
        pieces=best.pieces,
        effort=best.choice.cost if given.asked.model == LEAST_COST else None,
        is_least=all(one.is_least for one in best.whole),
        places=_places(made),
        fit=fit_of(given.demand, given.standing, views[chosen]),
        item=given.item,
    )


@dataclass(frozen=True)
class _Weighed:
    """What could be chosen: `views` are those of the candidates, and after them those of the devices offered."""

    given: Inputs
    made: Candidates
    views: Shapes

    def seen_with(self, chosen: Ints) -> float:
        """How much of the demand is seen with these beside what stands."""
        return seen(self.given.demand, np.concatenate([self.given.standing, self.views[chosen]]))

    def sites(self, chosen: Ints) -> tuple[Site, ...]:
        """These as sites, shared devices first, then those that add most."""
        given, views, n = self.given, self.views[chosen], len(self.made.footprints)
        adds = exact_adds(given.demand, given.standing, views)
        places, names = homes_in(views, given.homes, given.home_names)
        sites = [
            _new(given, self.made, int(number), float(more), float(place), name)
            if number < n
            else _shared(given.offered[number - n], float(more))
            for number, more, place, name in zip(chosen, adds, places, names, strict=True)
        ]
        return tuple(sorted(sites, key=lambda site: (site.kind != "shared", -site.adds)))


def _front(weighed: _Weighed, further: Sequence[Choice], before: float) -> tuple[Point, ...]:
    """The answers of the front, each measured exactly: more burden only for more that is seen."""
    points: list[Point] = []
    for choice in further:
        sees = weighed.seen_with(choice.chosen) - before
        if not points or sees > points[-1].seen:
            given, chosen = weighed.given, choice.chosen
            fit = fit_of(given.demand, given.standing, weighed.views[chosen])
            sites, proof = weighed.sites(chosen), (choice.gap, choice.is_proven, choice.is_least)
            points.append(Point(sees, choice.burden, sites, fit, *proof))
    return tuple(points)


def _places(made: Candidates) -> dict[str, list[tuple[float, float]]]:
    """Where a device could stand (`open`), and where none may, by the reason; in all at most so many as are drawn."""
    kinds = {"open": made.at, **made.barred}
    step = -(-sum(map(len, kinds.values())) // _MOST_PLACES) or 1
    return {kind: _lon_lats(made, at[::step]) for kind, at in kinds.items() if len(at)}


def _lon_lats(made: Candidates, at: Floats) -> list[tuple[float, float]]:
    points = np.atleast_1d(np.asarray(shapely.points(at), dtype=object))
    places = shapely.get_coordinates(made.plane.to_wgs84(points)).tolist()
    return [(round(lon, 6), round(lat, 6)) for lon, lat in places]


def _new(given: Inputs, made: Candidates, number: int, adds: float, homes_m2: float, homes: tuple[str, ...]) -> Site:
    device = made.device(number, given.asked.view)
    return Site(
        kind="new",
        lon=device.at.lon,
        lat=device.at.lat,
        azimuth_deg=device.azimuth_deg,
        hfov_deg=device.hfov_deg,
        range_m=device.range_m,
        mast_m=device.mast_m,
        adds=adds,
        homes_m2=homes_m2,
        homes=homes,
        source=made.source[made.place[number]],
        item=given.item,
    )


def _shared(one: Offered, adds: float) -> Site:
    return Site(
        kind="shared",
        lon=one.lon,
        lat=one.lat,
        azimuth_deg=one.azimuth_deg,
        hfov_deg=one.hfov_deg,
        range_m=one.range_m,
        mast_m=one.mast_m,
        adds=adds,
        device=one.public_id,
        label=one.label,
        authority=one.authority,
    )


def _array(shapes: Sequence[shapely.Geometry]) -> Shapes:
    made = np.empty(len(shapes), dtype=object)
    made[:] = shapes
    return made
