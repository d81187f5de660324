"""From a ground to chosen sites: measured exactly, shared devices first, homes told, and no answer where none is."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import shapely

from geo.coverage import demand
from geo.coverage.plane import Plane
from geo.siting.asked import SitingAsked, Sources, View
from geo.siting.candidates import Land
from geo.siting.found import Fit
from geo.siting.inputs import Inputs, Offered
from geo.siting.measured import fit_of
from geo.siting.patrols import PatrolInputs, Route, fly
from geo.siting.solve import solve
from geo.types import LonLat
from schemas.refusals import RuleViolation

PLANE = Plane(LonLat(113.3, 23.1))
FIELD = shapely.box(0, 0, 1200, 1200)
ROADS = np.array([shapely.LineString([(0, y), (1200, y)]) for y in (200, 600, 1000)], dtype=object)
LAND = Land(PLANE, FIELD, ROADS, np.empty((0, 2)), np.empty(0, object), np.empty((0, 2)), FIELD)
AREA = demand.over_area(demand.AREA, "ground", FIELD, 40)
SOURCES = Sources(spacing_m=200, apart_m=100, directions=4)


def shapes(*given):
    made = np.empty(len(given), dtype=object)
    made[:] = given
    return made


def asked(**change):
    return SitingAsked(**({"count": 2, "candidates": SOURCES, "view": View(range_m=180, hfov_deg=90)} | change))


def given(question=None, **change):
    return Inputs(**({"asked": question or asked(), "land": LAND, "demand": AREA} | change))


def offered(footprint):
    return Offered("DV-OTHER", "Theirs", "A2", 113.3, 23.1, 90.0, 60.0, 200.0, 6.0, footprint)


def rule(question):
    with pytest.raises(RuleViolation) as refused:
        solve(question)
    return refused.value.refusals[0].rule


def test_solve__most_seen__what_is_told_is_what_is_seen():
    found = solve(given())
    assert found.proven
    assert len(found.sites) == 2
    assert found.seen_before == 0
    assert found.seen_after == pytest.approx(sum(site.adds for site in found.sites), rel=1e-6)
    # A sector of a quarter turn over level ground, none of it hidden or off the field.
    assert found.sites[0].adds == pytest.approx(np.pi * 180**2 / 4, rel=2e-3)


def test_solve__ground_seen_already__chosen_no_more():
    west = shapes(shapely.box(0, 0, 600, 1200))
    found = solve(given(standing=west))
    assert found.seen_before == pytest.approx(600 * 1200)
    assert all(site.adds == pytest.approx(np.pi * 180**2 / 4, rel=2e-3) for site in found.sites)
    x, _ = PLANE.metres(np.array([site.lon for site in found.sites]), np.array([site.lat for site in found.sites]))
    assert (x > 590).all()


def test_GD_17__device_of_others_that_helps__used_first_and_beside_the_new_ones():
    found = solve(given(offered=(offered(shapely.box(0, 0, 600, 600)),)))
    assert [site.kind for site in found.sites] == ["shared", "new", "new"]
    assert found.sites[0].device == "DV-OTHER"
    assert found.sites[0].adds == pytest.approx(600 * 600)


def test_GD_17__device_of_others_that_adds_nothing__not_asked_for():
    standing = shapes(shapely.box(0, 0, 700, 700))
    found = solve(given(standing=standing, offered=(offered(shapely.box(0, 0, 600, 600)),)))
    assert [site.kind for site in found.sites] == ["new", "new"]


def test_solve__homes__whose_privacy_is_touched_is_told_and_bounded():
    homes, names = shapes(shapely.box(0, 0, 1200, 700)), ("Homes (fictional)",)
    free = solve(given(homes=homes, home_names=names))
    bound = solve(given(asked(most_burden=0.0), homes=homes, home_names=names))
    assert all((site.homes_m2 > 0) == (site.homes == names) for site in free.sites)
    assert [site.homes_m2 for site in bound.sites] == [0, 0]
    assert bound.seen_after <= free.seen_after * (1 + 1e-9)


def test_solve__front__more_is_seen_only_for_more_burden():
    found = solve(given(asked(model="front", count=3), homes=shapes(shapely.box(0, 0, 1200, 900)), home_names=("H",)))
    seen, burden = [one.seen for one in found.front], [one.burden for one in found.front]
    assert seen == sorted(seen)
    assert burden == sorted(burden)
    assert burden[0] == 0
    assert len(found.front[-1].sites) == 3


def test_solve__least_effort__cheap_poles_before_dear_roads():
    land = replace(LAND, poles=np.array([[340.0, 640.0], [860.0, 640.0]]))
    spots = demand.at_places(
        demand.RISK, "open_leads", np.array([[340.0, 660.0], [860.0, 660.0]]), np.array([5.0, 7.0]), FIELD, 10
    )
    sources = Sources(sources=("roads", "poles"), spacing_m=200, directions=4, effort={"roads": 3.0, "poles": 1.0})
    found = solve(given(asked(model="least_cost", share=1.0, candidates=sources), land=land, demand=spots))
    assert [site.source for site in found.sites] == ["poles", "poles"]
    assert found.seen_after == found.total == 12


def test_solve__nearest__the_mean_distance_is_told():
    found = solve(given(asked(model="nearest", count=2)))
    assert len(found.sites) == 2
    assert 0 < found.mean_m < 600


def test_solve__nearest_over_an_area__so_many_pieces_as_were_weighed():
    few = solve(given(asked(model="nearest", count=2)))
    many = solve(given(asked(model="most_seen", count=2)))
    assert many.pieces == len(AREA.weight)
    # Pairs of a place and a piece are bounded: 18 places weigh up to 1,666 pieces.
    assert few.pieces <= min(many.pieces, 30_000 // 18)


def test_solve__least_effort__what_it_takes_is_told():
    sources = Sources(spacing_m=200, apart_m=100, directions=4, effort={"roads": 2.5})
    found = solve(given(asked(model="least_cost", share=0.2, candidates=sources)))
    assert found.effort == pytest.approx(2.5 * len(found.sites))
    assert solve(given()).effort is None


def test_LF_9__entities__those_with_every_view_are_counted_and_named():
    entities = demand.at_entities(["SE-1", "SE-2"], np.array([[600.0, 650.0], [200.0, 250.0]]), [2, 1], FIELD)
    one, both = shapely.box(500, 500, 700, 700), shapely.box(0, 0, 1200, 1200)
    # One of two views makes nobody fit.
    assert fit_of(entities, shapes(one), shapes()) == Fit(2, 0, 0, ())
    assert fit_of(entities, shapes(one), shapes(both)) == Fit(2, 0, 2, ("SE-1", "SE-2"))
    assert fit_of(entities, shapes(both), shapes(both)) == Fit(2, 1, 2, ("SE-1",))
    assert solve(given(asked(count=3), demand=entities)).fit == Fit(2, 0, 2, ("SE-1", "SE-2"))
    assert solve(given()).fit is None


def test_solve__places__every_one_that_was_weighed_and_why_others_were_not():
    private = np.array([shapely.box(0, 900, 1200, 1100)], dtype=object)
    found = solve(given(land=replace(LAND, private=private, within=shapely.box(0, 0, 900, 1200))))
    assert {kind: len(at) for kind, at in found.places.items()} == {
        "open": found.left_out["found"] - found.left_out["private"] - found.left_out["outside"],
        "private": found.left_out["private"],
        "outside": found.left_out["outside"],
    }
    assert found.left_out["found"] == sum(map(len, found.places.values()))


def test_solve__entities_that_want_two_views__two_devices_look_at_each():
    entities = demand.at_entities(["SE-1"], np.array([[600.0, 650.0]]), [2], FIELD)
    found = solve(given(demand=entities))
    assert (found.total, found.seen_after) == (2, 2)
    assert [site.adds for site in found.sites] == [1, 1]


def test_solve__more_sites_than_places__said_so():
    assert rule(given(asked(count=100))) == "siting.too_many_sites"


def test_solve__share_that_spacing_forbids__infeasible():
    far = Sources(spacing_m=200, apart_m=5000, directions=4)
    assert rule(given(asked(model="least_cost", share=0.9, candidates=far))) == "siting.infeasible"


def test_solve__everything_seen__nothing_left_to_add():
    assert rule(given(standing=shapes(FIELD))) == "siting.nothing_left"


def test_solve__no_demand__said_so():
    nothing = demand.at_places(demand.RISK, "open_leads", np.empty((0, 2)), np.empty(0), FIELD, 10)
    assert rule(given(demand=nothing)) == "siting.no_demand"


def route(name, footprint, hours):
    return Route(name, name, "A1", 113.3, 23.1, 100.0, hours, footprint)


def flown(routes, hours, standing=()):
    return fly(PatrolInputs(AREA, routes, hours, 20.0, shapes(*standing)))


def test_patrol__hours_for_one__the_route_over_unseen_ground_is_flown():
    west, east = shapely.box(0, 0, 600, 1200), shapely.box(600, 0, 1200, 1200)
    found = flown([route("R-W", west, 1.0), route("R-E", east, 1.0)], 1, standing=[shapely.box(0, 0, 500, 1200)])
    assert [(site.device, site.flights) for site in found.sites] == [("R-E", 1)]
    assert found.sites[0].adds == pytest.approx(600 * 1200)
    assert found.seen_after - found.seen_before == pytest.approx(600 * 1200)


def test_patrol__more_hours__both_before_one_is_flown_again():
    west, east = shapely.box(0, 0, 600, 1200), shapely.box(600, 0, 1200, 1200)
    routes = [route("R-W", west, 1.0), route("R-E", east, 2.0)]
    assert {site.device: site.flights for site in flown(routes, 3).sites} == {"R-W": 1, "R-E": 1}
    longer = flown(routes, 7)
    assert longer.proven
    assert sum(site.hours for site in longer.sites) <= 7
    assert {site.device: site.flights for site in longer.sites} == {"R-W": 3, "R-E": 2}


@pytest.mark.parametrize("hours", [2, 3, 5])
def test_patrol__routes_that_overlap__no_other_flights_are_worth_more(hours):
    areas = [shapely.box(0, 0, 700, 1200), shapely.box(500, 0, 1200, 800), shapely.box(100, 300, 900, 500)]
    lasts = [1.0, 1.5, 0.5]
    looks = np.array([AREA.times(shapes(area)) for area in areas])

    def worth(flights):
        times = np.array(flights) @ looks
        return sum(float(AREA.weight @ ((times >= turn) / turn)) for turn in range(1, 8))

    fits = [each for each in product(range(11), repeat=3) if np.dot(each, lasts) <= hours]
    found = flown([route(f"R-{number}", area, lasts[number]) for number, area in enumerate(areas)], hours)
    flights = {site.device: site.flights for site in found.sites}
    assert found.proven
    assert worth([flights.get(f"R-{number}", 0) for number in range(3)]) == pytest.approx(max(map(worth, fits)))


@pytest.mark.parametrize(
    ("routes", "rule"), [([], "siting.no_routes"), ([route("R", FIELD, 3.0)], "siting.short_patrol")]
)
def test_patrol__no_flight_possible__said_so(routes, rule):
    with pytest.raises(RuleViolation) as refused:
        flown(routes, 1)
    assert refused.value.refusals[0].rule == rule
