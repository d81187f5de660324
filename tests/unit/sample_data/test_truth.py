"""The ground truth: what is to be found, and what looks like it and is lawful."""

import itertools

import pytest
import shapely

from sample_data.context import protected_area, protected_zones
from sample_data.frame import to_wgs84
from sample_data.incidents import Ground
from sample_data.landscape import SCENE_BOX, corridor
from sample_data.noise import stream
from sample_data.shapes import rectangle

BOTH = ("satellite", "drone")
KINDS = {"excavation", "building", "burn_scar", "discoloured_water", "black_water", "bare_soil"}
# What only two dates with near infrared can tell, and what only fine pixels can.
ONLY = {"satellite": {"land_conversion", "algal_bloom", "vegetation_loss"}, "drone": {"solid_waste"}}
LOOK_ALIKES = {
    ("excavation", "permitted"), ("excavation", "farmland"), ("building", "permitted"), ("building", "greenhouse"),
    ("burn_scar", "shadow"), ("black_water", "deep"), ("bare_soil", "covered"),
}  # fmt: skip
ONLY_LOOK_ALIKES = {
    "satellite": {
        ("land_conversion", "permitted"), ("land_conversion", "harvested"), ("land_conversion", "flooded"),
        ("algal_bloom", "shallow"), ("algal_bloom", "lotus"), ("black_water", "shadow"),
        ("vegetation_loss", "permitted"), ("vegetation_loss", "outside"), ("vegetation_loss", "season"),
        ("vegetation_loss", "shadow"), ("vegetation_loss", "water_level"),
    },
    "drone": {("solid_waste", "market"), ("solid_waste", "permitted"), ("black_water", "shallow")},
}  # fmt: skip


@pytest.mark.parametrize("picture", BOTH)
def test_findings__are_there_of_every_kind(sites, picture):
    assert {site.kind for site in sites[picture].sites if site.expect == "finding"} == KINDS | ONLY[picture]


@pytest.mark.parametrize("picture", BOTH)
def test_look_alikes__are_there_of_every_lawful_reason(sites, picture):
    lawful = {(site.kind, site.reason) for site in sites[picture].sites if site.expect == "none"}
    assert lawful == LOOK_ALIKES | ONLY_LOOK_ALIKES[picture]


@pytest.mark.parametrize("picture", BOTH)
def test_outlines__are_sound_shapes_that_do_not_overlap(sites, picture):
    outlines = [site.outline for site in sites[picture].sites]
    assert all(outline.is_valid and outline.area > 100 for outline in outlines)
    overlap = [a.intersection(b).area for a, b in itertools.combinations(outlines, 2)]
    assert max(overlap) == 0


def test_satellite_sites__lie_within_the_scene(sites):
    assert all(SCENE_BOX.contains(site.outline) for site in sites["satellite"].sites)


def test_drone_sites__lie_within_what_the_camera_sees_from_the_route(sites):
    seen = corridor(70.0)
    hidden = [site.look for site in sites["drone"].sites if not seen.covers(site.outline)]
    assert hidden == []


@pytest.mark.parametrize("picture", BOTH)
def test_permitted_sites__lie_within_a_permit_and_unlawful_ones_within_none(sites, picture):
    permits = shapely.union_all([permit.outline for permit in sites[picture].permits])
    for site in sites[picture].sites:
        # Soil may lie open anywhere but on a licensed building site.
        if site.reason == "permitted" or site.kind == "bare_soil":
            assert permits.covers(site.outline)
        elif site.reason == "unlawful":
            assert not permits.intersects(site.outline)


@pytest.mark.parametrize("picture", BOTH)
def test_unlawful_buildings__stand_in_a_protected_zone(sites, land, picture):
    zones = protected_area(protected_zones(land))
    built = [site for site in sites[picture].sites if (site.kind, site.reason) == ("building", "unlawful")]
    assert built
    assert all(zones.covers(site.outline) for site in built)


@pytest.mark.parametrize("picture", BOTH)
def test_discoloured_water__is_water(sites, land, picture):
    wet = land.water.buffer(4.0)
    plumes = [site for site in sites[picture].sites if site.plume]
    assert plumes
    assert all(wet.covers(site.outline) for site in plumes)


@pytest.mark.parametrize("picture", BOTH)
def test_building_sites__are_licensed_for_building(sites, picture):
    licensed = [permit.outline for permit in sites[picture].permits if permit.activity == "construction"]
    plots = [site.outline for site in sites[picture].sites if site.kind == "bare_soil"]
    assert len(plots) == 2
    assert all(any(permit.covers(plot) for permit in licensed) for plot in plots)


def test_dug_ponds__are_water_on_the_map_and_no_field(made, sites):
    layers = {
        name: shapely.from_geojson((made / f"{name}.geojson").read_text(encoding="utf-8"))
        for name in ("water", "farmland")
    }
    ponds = [to_wgs84(site.outline) for site in sites["drone"].sites if site.look == "pond"]
    assert len(ponds) == 3
    for pond in ponds:
        assert layers["water"].intersection(pond).area > 0.9 * pond.area
        assert layers["farmland"].intersection(pond).area < 0.05 * pond.area


def test_converted_land__was_farmland(sites, land):
    fields = land.farmland.buffer(1.0)
    converted = [site for site in sites["satellite"].sites if site.kind == "land_conversion"]
    assert all(fields.intersection(site.outline).area > 0.9 * site.outline.area for site in converted)


def test_no_room__is_said_and_nothing_is_placed_outside():
    ground = Ground(stream(1, "test"), shapely.Polygon(), 10.0)
    with pytest.raises(ValueError, match="no room for a barn"):
        ground.place(shapely.box(0, 0, 20, 20), lambda x, y, s: rectangle(x, y, (100 * s, 100 * s), 0), "a barn")
