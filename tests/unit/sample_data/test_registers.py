"""The registers of the district: who and what there is, and that none of it looks into a private place."""

import json
from collections import Counter

import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon, shape

from sample_data.frame import from_wgs84
from sample_data.zones import privacy_zones
from tests.unit.sample_data.conftest import SEED, TODAY

FOOTPRINT_M = 70.0
FLOWN = ("R1", "R5", "R6", "R7")
Z1 = Polygon([(113.2695, 23.1295), (113.2705, 23.1295), (113.2705, 23.1305), (113.2695, 23.1305)])
PA1 = Polygon([(113.25, 23.12), (113.29, 23.12), (113.29, 23.14), (113.25, 23.14)])


def shapes_of(zones) -> list:
    """Displayed and exact shapes, in metres."""
    given = [zone[key] for zone in zones for key in ("geometry", "exact_geometry") if zone[key]]
    return [from_wgs84(shape(geometry)) for geometry in given]


@pytest.fixture(scope="module")
def private(registers) -> shapely.Geometry:
    return shapely.union_all(shapes_of(registers["zones"]))


@pytest.fixture(scope="module")
def by_code(registers) -> dict:
    return {row["code"]: row for kind in ("areas", "points", "routes", "zones", "devices") for row in registers[kind]}


def test_people__are_the_fourteen_of_the_fixtures(registers):
    assert {row["code"] for row in registers["people"]} == {
        "O1", "O2", "O3", "O4", "H1", "L1", "T1", "P1", "F1", "N1", "X1", "S1", "C1", "D1",
    }  # fmt: skip
    assert len(registers["people"]) == 14


def test_officers__are_qualified_today_except_the_one_whose_certificate_lapsed(registers):
    held = {row["code"]: row["qualifications"] for row in registers["people"] if row["role"] == "officer"}
    lasting = {code for code, rows in held.items() if any(until >= TODAY.isoformat() for _, _, until in rows)}
    assert (set(held), lasting) == ({"O1", "O2", "O3", "O4"}, {"O1", "O2", "O4"})
    assert held["O3"] == [("enforcement", "2023-01-01", "2025-04-30")]


def test_devices__are_about_sixty_of_every_kind_and_in_every_state(registers):
    devices = registers["devices"]
    assert 55 <= len(devices) <= 65
    assert Counter(row["platform"] for row in devices)["uav"] == 2
    assert {row["kind"] for row in devices} == {"video", "water_quality", "air", "noise", "radar"}
    assert {row["state"] for row in devices} == {"published", "active", "maintenance", "blocked", "discontinued"}


def test_devices__keep_thirty_days_between_publication_and_use(registers):
    for row in registers["devices"]:
        if row["activated_on"]:
            assert row["published_on"] < row["activated_on"]
        else:
            assert row["state"] == "published"


def test_codes__are_each_given_once(registers):
    for kind in ("people", "devices", "areas", "points", "routes", "zones", "entities"):
        codes = [row["code"] for row in registers[kind]]
        assert len(codes) == len(set(codes)), kind


def test_fixtures__lie_exactly_where_the_requirements_put_them(by_code):
    assert (by_code["DV1"]["lon"], by_code["DV1"]["lat"]) == (113.2600, 23.1300)
    assert shape(by_code["Z1"]["geometry"]).equals(Z1)
    assert by_code["Z1"]["kind"] == "public_bathhouse"
    assert shape(by_code["PA1"]["geometry"]).equals(PA1)


def test_devices__stand_clear_of_every_private_place(registers, private):
    near = [r["code"] for r in registers["devices"] if from_wgs84(Point(r["lon"], r["lat"])).distance(private) < 50]
    assert near == []


def test_launch_points__lie_clear_of_every_private_place(registers, private):
    near = [
        row["code"] for row in registers["routes"] if from_wgs84(Point(row["home"])).distance(private) < FOOTPRINT_M
    ]
    assert near == []


@pytest.mark.parametrize("code", FLOWN)
def test_lawful_route__sees_no_private_place(by_code, private, code):
    route = by_code[code]
    assert route["state"] == "effective"
    assert from_wgs84(LineString(route["geometry"]["coordinates"])).distance(private) > FOOTPRINT_M


@pytest.mark.parametrize("code", FLOWN)
def test_lawful_route__stays_in_its_area(by_code, code):
    area = shape(by_code[by_code[code]["area"]]["geometry"])
    assert area.contains(shape(by_code[code]["geometry"]))


@pytest.mark.parametrize("code", FLOWN)
def test_lawful_route__lies_under_an_approval_that_holds_today(by_code, registers, code):
    (approval,) = registers["clearances"]
    assert shape(approval["geometry"]).contains(shape(by_code[code]["geometry"]))
    assert approval["valid_from"][:10] <= TODAY.isoformat() <= approval["valid_to"][:10]
    assert by_code[code]["alt_agl_m"] <= approval["alt_max_agl_m"]


@pytest.mark.parametrize("code", ["R2", "R3", "R4"])
def test_route_against_the_rules__is_a_draft_that_was_never_published(by_code, code):
    route = by_code[code]
    assert (route["state"], route["published_on"], route["effective_from"]) == ("draft", None, None)


def test_sensitive_zone__is_shown_larger_and_off_its_middle(registers):
    (zone,) = [row for row in registers["zones"] if row["sensitive"]]
    exact, shown = (from_wgs84(shape(zone[key])) for key in ("exact_geometry", "geometry"))
    assert shown.covers(exact)
    assert shown.area > 4 * exact.area
    assert shown.centroid.distance(exact.centroid) > 20
    assert not exact.covers(shown.centroid)


def test_sensitive_zone__is_shown_under_no_telling_name(registers):
    (zone,) = [row for row in registers["zones"] if row["sensitive"]]
    assert zone["kind"] == "other"
    assert [row["exact_geometry"] for row in registers["zones"] if not row["sensitive"]] == [None] * 12


def test_sensitive_zone_beside_a_route__is_shown_to_the_other_side(other):
    # In this landscape the last zone lies so near R6 that its displayed shape would reach the footprint.
    private = shapely.union_all(shapes_of(privacy_zones(other)))
    r6 = LineString([(113.2960, 23.1155), (113.3015, 23.1240), (113.2995, 23.1335)])
    assert from_wgs84(r6).distance(private) > FOOTPRINT_M


def test_names__all_say_that_they_are_fictional(made):
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(made.rglob("*.*json"))]
    named = [pair for document in documents for pair in names_in(document)]
    assert len(named) > 200
    assert [pair for pair in named if not says_so(*pair)] == []


def names_in(value) -> list[tuple[str, str]]:
    if isinstance(value, list):
        return [pair for part in value for pair in names_in(part)]
    if not isinstance(value, dict):
        return []
    own = [(key, text) for key, text in value.items() if key in ("name", "name_en", "name_zh", "issuing_body") and text]
    return own + [pair for part in value.values() for pair in names_in(part)]


def says_so(key: str, text: str) -> bool:
    return "虚构" in text if key == "name_zh" else "fictional" in text


def test_statutes__are_marked_as_placeholders_for_a_lawyer(registers):
    for basis in registers["legal_bases"]:
        assert "placeholder" in basis["title_en"]
        assert "占位" in basis["title_zh"]


def test_registers__name_their_seed_and_day(registers):
    assert (registers["fictional"], registers["seed"], registers["today"]) == (True, SEED, TODAY.isoformat())
