"""Zones in ED-269 and ED-318: what real documents hold, what is refused, and what official models say of ours."""

import copy
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from implicitdict import ImplicitDict
from shapely.geometry import Polygon
from uas_standards import eurocae_ed318
from uas_standards.eurocae_ed269 import ED269Schema

from geo import geozones
from geo.geozones.privacy import Displayed, geozone_of
from geo.intake.geozones import table_of
from geo.types import LonLat
from schemas.refusals import RuleViolation

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2025, 7, 2, 2, tzinfo=UTC)
RING = [[2.58, 49.02], [2.61, 48.98], [2.73, 48.99], [2.70, 49.04], [2.58, 49.02]]


def ed269(**changes):
    """One zone as published documents have them: fractional limits, a list of conditions, feet, hundredths."""
    zone = {
        "identifier": "LFR12",
        "country": "FRA",
        "name": "Zone d'essai",
        "type": "COMMON",
        "restriction": "REQ_AUTHORISATION",
        "restrictionConditions": ["Notify 24 h before"],
        "region": 0,
        "reason": ["AIR_TRAFFIC", "OTHER"],
        "otherReasonInfo": "Hospital",
        "regulationExemption": "NO",
        "uSpaceClass": "EUROCONTROL",
        "message": "Caution",
        "applicability": [
            {
                "permanent": "NO",
                "startDateTime": "2025-01-01T00:00:00Z",
                "endDateTime": "2025-12-31T23:59:59Z",
                "schedule": [{"day": ["MON", "TUE"], "startTime": "16:00:00.00Z", "endTime": "17:30:00.00Z"}],
            }
        ],
        "zoneAuthority": [
            {"name": "DGAC", "email": "a@example.org", "purpose": "AUTHORIZATION", "intervalBefore": "P1D"}
        ],
        "geometry": [
            {
                "uomDimensions": "FT",
                "lowerLimit": 0,
                "lowerVerticalReference": "AGL",
                "upperLimit": 30765.67,
                "upperVerticalReference": "AMSL",
                "horizontalProjection": {"type": "Polygon", "coordinates": [RING]},
            },
            {
                "uomDimensions": "M",
                "lowerLimit": 50,
                "lowerVerticalReference": "AGL",
                "upperLimit": None,
                "upperVerticalReference": "AGL",
                "horizontalProjection": {"type": "Circle", "center": [2.6, 49.0], "radius": 350.5},
            },
        ],
    }
    for path, value in changes.items():
        target = zone
        *heads, last = path.split("__")
        for head in heads:
            target = target[int(head) if head.isdigit() else head]
        target[last] = value
    return {"title": "t", "description": "", "features": [zone]}


def ed318():
    """The published collection of two, its slips included: `Circles`, a name without language, an unclosed hour."""
    layer = {"upper": 150, "upperReference": "AGL", "lower": 50, "lowerReference": "AGL", "uom": "m"}
    authority = [{"name": [{"text": "Manager", "lang": "en-us"}], "email": "a@example.org", "purpose": "AUTHORIZATION"}]
    schedule = [{"day": ["ANY"], "startTime": "16:00:00Z", "endEvent": "SS"}]
    first = {
        "identifier": "NFZ6547",
        "country": "FRA",
        "name": [{"text": "LFPG-2"}],
        "variant": "COMMON",
        "type": "REQ_AUTHORIZATION",
        "reason": ["AIR_TRAFFIC", "OTHER"],
        "otherReasonInfo": [{"text": "Part 2", "lang": "en-GB"}, {"text": "2-ème partie", "lang": "fr-BE"}],
        "limitedApplicability": [{"startDateTime": "2018-12-31T15:59:59Z", "schedule": schedule}],
        "zoneAuthority": authority,
    }
    second = {
        "identifier": "ABC1234",
        "country": "FRA",
        "variant": "COMMON",
        "type": "PROHIBITED",
        "reason": ["POPULATION", "NATURE"],
        "zoneAuthority": [{"purpose": "INFORMATION"}],
    }
    two = [{"type": "Polygon", "coordinates": [RING], "layer": layer}] * 2
    circle = {
        "type": "Point",
        "coordinates": [2.63, 50.12],
        "extent": {"subType": "Circles", "radius": 3500},
        "layer": layer,
    }
    return {
        "type": "FeatureCollection",
        "metadata": {"issued": "2018-12-01T15:59:59Z"},
        "features": [
            {"type": "Feature", "properties": first, "geometry": {"type": "GeometryCollection", "geometries": two}},
            {"type": "Feature", "properties": second, "geometry": circle},
        ],
    }


def read(document):
    return geozones.read(json.dumps(document).encode())


def texts(document):
    with pytest.raises(RuleViolation) as caught:
        read(document)
    assert all(refusal.message(lang) for refusal in caught.value.refusals for lang in ("en", "zh"))
    return {refusal.text for refusal in caught.value.refusals}


def official269(data):
    """The document through the official model, which cannot hold the open member for extensions."""
    document = json.loads(data)
    for feature in document["features"]:
        assert isinstance(feature.pop("extendedProperties"), dict | None)
    return ImplicitDict.parse(document, ED269Schema)


def official318(data):
    """The properties and every volume through the official models, which know no collection by themselves."""
    document = json.loads(data)
    assert document["type"] == "FeatureCollection"
    found = []
    for feature in document["features"]:
        assert isinstance(feature["properties"].pop("extendedProperties", {}), dict)
        found.append(ImplicitDict.parse(feature["properties"], eurocae_ed318.UASZone))
        geometry = feature["geometry"]
        for volume in geometry.get("geometries", [geometry]):
            ImplicitDict.parse(volume, getattr(eurocae_ed318, volume["type"]))
    return found


def test_losses__the_same_of_many_zones__told_once_in_both_languages():
    losses = [geozones.ZoneLoss("languages", f"Z{n}") for n in (1, 1, 2, 3, 4, 5)] + [
        geozones.ZoneLoss("buffer", "Z1", "30")
    ]
    assert geozones.grouped(losses) == [
        "Z1, Z2, Z3 and 2 more: texts in more than one language",
        "Z1: the 30 m to be kept around the shape; only an extended property says it",
    ]
    assert geozones.grouped(losses, "zh")[0] == "Z1、Z2、Z3 等 5 个区域：多语言文本"


class TestEd269:
    def test_published_document__read_longitude_first_in_metres(self):
        (zone,) = read(ed269())
        polygon, circle = zone.volumes
        assert polygon.shape.bounds == (2.58, 48.98, 2.73, 49.04)
        assert polygon.upper_m == pytest.approx(30765.67 * 0.3048)
        assert (circle.shape.centre, circle.shape.radius_m, circle.upper_m) == (LonLat(2.6, 49.0), 350.5, None)
        assert zone.conditions == ("Notify 24 h before",)
        assert zone.periods[0].schedule[0].days == ("MON", "TUE")

    @pytest.mark.parametrize("value", [[], None, [{"permanent": "YES"}]])
    def test_no_applicability__always(self, value):
        assert read(ed269(applicability=value))[0].periods == ()

    @pytest.mark.parametrize("value", ["only at night", ["only at night"], None, []])
    def test_conditions__text_list_or_nothing(self, value):
        assert read(ed269(restrictionConditions=value))[0].conditions == (("only at night",) if value else ())

    def test_circle_beside_heights_in_feet__metres_and_said(self):
        circle = {"type": "Circle", "center": [25.08333, 54.36667], "radius": 9260.0}
        zones = read(ed269(geometry__0__horizontalProjection=circle))
        assert zones[0].volumes[0].shape.radius_m == 9260
        for name in geozones.FORMATS:
            losses = geozones.write(zones, name)[1]
            assert "radius" in {loss.what for loss in losses}
            assert all(loss.message("zh") for loss in losses)

    def test_swiss_wrapper__read(self):
        document = ed269()
        assert len(read({"formatVersion": "1.0", "UASZoneList": document["features"]})) == 1

    @pytest.mark.parametrize(
        ("path", "value", "text"),
        [
            ("restriction", "MAYBE", "zones.field"),
            ("reason", ["BOREDOM"], "zones.field"),
            ("identifier", None, "zones.field"),
            ("geometry", [], "geometry.empty"),
            ("geometry__0__uomDimensions", "YD", "zones.field"),
            ("geometry__0__upperVerticalReference", "WGS84", "zones.ellipsoid"),
            (
                "geometry__0__horizontalProjection",
                {"type": "Polygon", "coordinates": [RING[:-1]]},
                "geometry.ring_open",
            ),
            ("geometry__1__horizontalProjection__radius", 0, "zones.field"),
            ("geometry__1__horizontalProjection__center", [49.0, 102.6], "geometry.swapped"),
            ("applicability__0__startDateTime", "2025-01-01", "zones.field"),
            ("applicability__0__schedule", [{"day": ["MON"], "startTime": "25:00Z", "endTime": "1"}], "zones.field"),
            ("zoneAuthority", "DGAC", "zones.field"),
        ],
    )
    def test_one_thing_wrong__refused_with_its_place(self, path, value, text):
        assert texts(ed269(**{path: value})) == {text}

    def test_written__the_official_model_takes_it_and_it_reads_the_same(self):
        zones = read(ed269())
        data, losses = geozones.write(zones, "ed269", "title")
        assert losses == ()
        assert geozones.read(data) == zones
        assert official269(data).features[0].identifier == "LFR12"


class TestEd318:
    def test_published_examples__read_with_their_slips(self):
        one, two = read(ed318())
        assert [volume.upper_m for volume in one.volumes] == [150, 150]
        assert one.restriction == "REQ_AUTHORISATION"
        assert one.name == (("LFPG-2", ""),)
        assert one.periods[0].schedule[0].end == "SS"
        assert two.volumes[0].shape.radius_m == 3500

    def test_written__the_official_model_takes_it_and_it_reads_the_same(self):
        zones = read(ed318())
        data, losses = geozones.write(zones, "ed318")
        assert losses == ()
        assert geozones.read(data) == zones
        again = official318(data)
        assert [zone.type for zone in again] == ["REQ_AUTHORIZATION", "PROHIBITED"]
        assert json.loads(data)["features"][1]["geometry"]["extent"]["subType"] == "Circle"

    def test_heights_above_the_ellipsoid__refused(self):
        document = ed318()
        document["features"][1]["geometry"]["layer"]["upperReference"] = "WGS84"
        assert texts(document) == {"zones.ellipsoid"}

    def test_every_fault__told_at_once(self):
        document = ed318()
        document["features"][0]["properties"]["type"] = "x"
        document["features"][1]["geometry"]["extent"] = None
        with pytest.raises(RuleViolation) as caught:
            read(document)
        assert len(caught.value.refusals) == 2


class TestOneIntoTheOther:
    def test_ed269_to_ed318__what_it_cannot_carry_is_listed(self):
        data, losses = geozones.write(read(ed269()), "ed318")
        assert {loss.what for loss in losses} == {"uspace_class", "open_upper"}
        assert all(loss.message(lang) for loss in losses for lang in ("en", "zh"))
        official318(data)
        assert geozones.read(data)[0].reasons == ("AIR_TRAFFIC", "OTHER")

    def test_ed318_to_ed269__languages_and_the_sun_are_listed(self):
        data, losses = geozones.write(read(ed318()), "ed269")
        assert {loss.what for loss in losses} == {"languages", "language", "events"}
        official269(data)
        assert geozones.read(data)[0].periods[0].schedule[0].days == ("ANY",)

    def test_zone_without_authority__written_as_the_format_needs_and_listed(self):
        _, losses = geozones.write(read(ed269(zoneAuthority=[])), "ed318")
        assert "authority" in {loss.what for loss in losses}

    @pytest.mark.parametrize(
        "data", [b"", b"[]", b"{}", b'{"features":[]}', b'{"type":"FeatureCollection","features":[]}']
    )
    def test_other_documents__refused_with_nothing_else_raised(self, data):
        try:
            assert geozones.read(data) == ()
        except RuleViolation as violation:
            assert violation.status in (400, 415, 422)  # noqa: PT017


HOME = Polygon([(113.2695, 23.1295), (113.2705, 23.1295), (113.2705, 23.1305), (113.2695, 23.1305)])
HOURS = [{"days": ["MON", "TUE"], "from": "22:00", "until": "24:00"}]
SHOWN = Displayed(
    "PZ-7K3Q2MXY",
    "public_bathhouse",
    "Bath",
    "浴室",
    HOME,
    30.0,
    datetime(2025, 5, 1, tzinfo=UTC),
    None,
    None,
    120.0,
    HOURS,
)


class TestPrivacyZones:
    @pytest.mark.parametrize("name", geozones.FORMATS)
    def test_exported__reason_privacy_short_identifier_and_official(self, name):
        zone = geozone_of(SHOWN, "区生态环境局", SHANGHAI, NOW)
        data, _ = geozones.write([zone], name)
        (official269 if name == "ed269" else official318)(data)
        (again,) = geozones.read(data)
        assert again.reasons == ("PRIVACY",)
        assert again.identifier == "K3Q2MXY"
        assert again.extended["publicId"] == "PZ-7K3Q2MXY"
        assert again.volumes[0].shape.equals(HOME)

    @pytest.mark.parametrize("name", geozones.FORMATS)
    def test_exported_and_imported__the_same_zone(self, name):
        data, _ = geozones.write([geozone_of(SHOWN, "A", SHANGHAI, NOW)], name)
        (row,) = table_of(json.loads(data), "z.json", lambda _: SHANGHAI).rows
        assert row.geom.equals(HOME)
        values = row.values
        assert (values["kind"], values["buffer_m"], values["ceiling_agl_m"]) == ("public_bathhouse", 30.0, 120.0)
        assert values["schedule"] == "MON,TUE 22:00-24:00"
        assert (values["valid_from"], values["valid_to"]) == ("2025-05-01", None)

    def test_hours_of_another_offset__moved_to_local_days(self):
        (row, _) = table_of(ed269(reason=["PRIVACY"]), "z", lambda _: SHANGHAI).rows
        assert row.values["schedule"] == "TUE,WED 00:00-01:30"

    def test_limits_above_the_sea_and_hours_by_the_sun__count_always_and_a_note_says_so(self):
        table = table_of(ed269(), "z", lambda _: SHANGHAI)
        assert table.rows[0].values["ceiling_agl_m"] is None
        assert [note.text for note in table.notes] == ["zones.sea_level"]
        notes = table_of(ed318(), "z", lambda _: SHANGHAI).notes
        assert [note.text for note in notes] == ["zones.hours"]

    def test_zone_of_another_reason__has_no_kind_of_privacy_zone(self):
        assert table_of(ed269(), "z", lambda _: UTC).rows[0].values["kind"] == "REQ_AUTHORISATION"
        assert table_of(ed269(reason=["PRIVACY"]), "z", lambda _: UTC).rows[0].values["kind"] == "other"

    def test_circle__polygon_that_covers_it(self):
        circle = table_of(ed269(), "z", lambda _: UTC).rows[1].geom
        assert circle.is_valid
        assert circle.bounds[0] < 2.6 < circle.bounds[2]


def test_hostile_documents__refusals_only():
    document = ed269()
    for key in copy.deepcopy(document)["features"][0]:
        for value in (None, [], {}, "x" * 5_000, -1e300, True, [[[]]], {"a": {}}, ["\ud800"]):
            broken = copy.deepcopy(document)
            broken["features"][0][key] = value
            try:
                read(broken)
            except RuleViolation as violation:
                assert violation.status in (400, 413, 415, 422)  # noqa: PT017
