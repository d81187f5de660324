"""Rule packs: strict, sourced, resolved by place and date, and a second jurisdiction without a change of code."""

from datetime import UTC, date, datetime, time, timedelta
from importlib import resources

import pytest
import yaml
from pydantic import ValidationError
from shapely.geometry import Point, Polygon, box

from schemas.refusals import RuleViolation
from schemas.rules import DayKind, Days, Rulebook, RulePack
from schemas.rules.rulebook import PackError, read_pack
from schemas.rules.values import KEYS

QINGHE = (113.2600, 23.1300)
NEUTRAL = (-39.5, 40.5)
IN_FORCE = date(2025, 6, 1)


@pytest.fixture(scope="module")
def book():
    return Rulebook.load()


@pytest.fixture
def document():
    text = resources.files("schemas.rules").joinpath("packs", "cn-gd-2025.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


# -- the values of requirements.md 7.2 ---------------------------------------------------------

GUANGDONG = {
    "publication.lead_days": 30,
    "publication.day_kind": "calendar",
    "publication.clear_days": False,
    "publication.resume_requires_republish": True,
    "publication.maintenance_exempt": True,
    "maintenance.max_days": 90,
    "siting.approver_level": "province",
    "signage.photo_required": True,
    "device.moved_tolerance_m": 10,
    "maintenance.interval_months": 6,
    "calibration.max_months": 24,
    "due.remind_days": 30,
    "review.max_age_months": 12,
    "review.decide_within": Days(count=14, kind=DayKind.CALENDAR),
    "evaluation.interval_months": 12,
    "evaluation.grace_days": 30,
    "privacy.buffer_m": 0,
    "uav.unit_head_approval": True,
    "uav.marking_required": True,
    "uav.area_iou_min": 0.8,
    "uav.max_changes_per_year": 4,
    "uav.residential_min_agl_m": 60,
    "uav.marking_valid_months": 12,
    "uav.emergency_enabled": False,
    "uav.siting_plan_required": True,
    "flight.deviation_tolerance_m": 30,
    "uav.controlled_above_agl_m": 120,
    "officers.online_inspection_min": 2,
    "officers.penalty_min": 2,
    "officers.content_review_min": 1,
    "correction.max": 2,
    "correction.override": "unit_head_with_reason",
    "recusal.decide_within": Days(count=3, kind=DayKind.WORKING),
    "notice.suspected_due": Days(count=2, kind=DayKind.WORKING),
    "alert.yellow_after_days": 5,
    "alert.performance_after_days": 10,
    "alert.day_kind": "calendar",
    "hotspot.count": 5,
    "hotspot.days": 90,
    "hotspot.radius_m": 300,
    "annual_report.due": "12-31",
    # What overlays switch on (G-42).
    "item.catalogue_only": False,
    "item.offsite_list_only": False,
    "entity.written_notice": False,
    "entity.risk_plan": False,
    "patrol.daily_record": False,
    "view.faults": (),
    "data.databases": (),
    "case.leniency_step": False,
    "case.stages": (),
    "publish.updates_per_month": 0,
    "publish.exposure_per_month": 0,
    "behaviour.export_due": None,
    "complaint.reply_due": Days(count=15, kind=DayKind.WORKING),
    "sharing.reply_due": Days(count=10, kind=DayKind.WORKING),
    "edelivery.consent_required": True,
    "edelivery.service_date": "arrived_at",
    "evidence.require_lawful_device": "strict",
    "objection.no_heavier": True,
    "duplicate.coverage_ratio": 0.8,
    "retention.footage_days": 90,
    "retention.telemetry_days": 180,
    "retention.case_years": 10,
}


# GD-11, GD-12 and GD-15, item by item.
LEGAL_REVIEW = (
    "necessary_and_not_prohibited",
    "place_lawful_and_marking_clear",
    "sole_evidence_basis",
    "other_legal_matters",
)
TECHNICAL_REVIEW = ("quality_certificate", "reliable_and_complete", "meets_standards", "other_legal_matters")
PRIVATE_PLACES = ("hotel_room", "dormitory", "public_bathhouse", "changing_room", "toilet", "mother_baby_room", "other")
STRUCTURED = {
    "publication.min_channels",
    "uav.quiet_hours",
    "review.legal.items",
    "review.technical.items",
    "privacy.prohibited_place_types",
    "airspace.application_cutoff",
    "uav.filing.decided_by",
    "uav.filing.emergency",
    "flight.separation",
    "uav.camera",
    "uav.endurance",
    "alert.entity_threshold",
    "review.attachments",
    "siting.reasons",
    "siting.need",
    "siting.revenue_words",
}


@pytest.mark.parametrize("key", sorted(GUANGDONG))
def test_7_2__every_value_of_the_guangdong_pack(book, key):
    assert book["cn-gd-2025"][key] == GUANGDONG[key]


def test_7_2__structured_values_of_the_guangdong_pack(book):
    pack = book["cn-gd-2025"]
    channels, quiet = pack["publication.min_channels"], pack["uav.quiet_hours"]
    assert (channels.official, channels.further) == (1, 1)
    assert (quiet.start, quiet.end) == (time(22), time(7))
    assert pack["review.legal.items"] == LEGAL_REVIEW
    assert pack["review.technical.items"] == TECHNICAL_REVIEW
    assert pack["privacy.prohibited_place_types"] == PRIVATE_PLACES
    assert (pack["airspace.application_cutoff"].days_before, pack["airspace.application_cutoff"].at) == (1, time(12))
    assert (pack["alert.entity_threshold"].count, pack["alert.entity_threshold"].days) == (5, 30)


def test_GD_09_1__fields_and_files_of_the_guangdong_pack(book):
    pack = book["cn-gd-2025"]
    reasons = ("legal_basis", "publication_plan", "technical_rationale", "alternatives", "necessity")
    assert pack["siting.reasons"] == reasons
    assert pack["siting.need"] == ("risk_evidence", "incidents", "coverage_gap")
    assert "创收" in pack["siting.revenue_words"]
    asked = dict(pack["review.attachments"])
    assert asked == {
        "place_lawful_and_marking_clear": "GD-11.3",
        "quality_certificate": "GD-12.2",
        "reliable_and_complete": "GD-12.3",
    }
    assert asked.keys() <= set(LEGAL_REVIEW + TECHNICAL_REVIEW)


def test_uav_filing__values_of_the_guangdong_pack(book):
    """Noon and nine in the evening of the day before, one hour of readiness, half an hour and ten minutes in need."""
    pack = book["cn-gd-2025"]
    decided, emergency = pack["uav.filing.decided_by"], pack["uav.filing.emergency"]
    assert (decided.days_before, decided.at) == (1, time(21))
    assert pack["uav.filing.readiness_min"] == 60
    assert (emergency.apply_min, emergency.decide_min) == (30, 10)
    assert pack["uav.filing.late"] == "refuse"


def test_flight_separation__values_of_the_guangdong_pack(book):
    margin = book["cn-gd-2025"]["flight.separation"]
    assert (margin.lateral_m, margin.height_m, margin.speed_share, margin.clock_s) == (20, 5, 0.2, 5)


def test_uav_check__values_of_the_guangdong_pack(book):
    """The camera looks straight down; a fifth of the endurance is kept; nothing flies lower than 10 m over terrain."""
    pack = book["cn-gd-2025"]
    camera, endurance = pack["uav.camera"], pack["uav.endurance"]
    assert (camera.max_tilt_deg, camera.look_m, camera.roll_margin_deg) == (0, 500, 0)
    assert (endurance.reserve_share, endurance.must_be_known) == (0.2, False)
    assert pack["uav.terrain_clearance_m"] == 10


def test_7_2__no_value_of_the_guangdong_pack_is_unchecked_here():
    """What the pack says beyond the table of 7.2 is named here, each with where it comes from instead."""
    beyond = {"block.max_days", "inspection_plan.max_months", "publish.flight_log_delay_hours"}  # G-40, 4.3, G-8
    beyond |= {"uav.filing.readiness_min", "uav.filing.late"}  # filing of flights, as tested above
    beyond |= {"uav.terrain_clearance_m"}  # the check of plans, as tested above
    assert set(KEYS) == set(GUANGDONG) | STRUCTURED | beyond


def test_7_2__every_value_names_its_source(book):
    for pack in book.packs:
        assert all(pack.source(key) for key in KEYS)
    assert book["cn-gd-2025"].source("publication.lead_days") == "GD-14.2"


def test_GD_01__both_statutes_listed(book):
    titles = [act.title.zh for act in book["cn-gd-2025"].legal_basis]
    assert "优化营商环境条例" in titles
    assert any("行政处罚法" in title for title in titles)


# -- resolution --------------------------------------------------------------------------------


def test_GD_02_1__qinghe_in_june__guangdong(book):
    assert book.resolve(*QINGHE, IN_FORCE).id == "cn-gd-2025"


def test_GD_02_1__elsewhere__neutral(book):
    assert book.resolve(*NEUTRAL, IN_FORCE).id == "demo-neutral"


@pytest.mark.parametrize(
    "place",
    [(0.0, 0.0), (114.1694, 22.3193), (113.5439, 22.1987), (110.35, 20.04), (float("nan"), 23.0)],
    ids=["ocean", "Hong Kong", "Macao", "Haikou", "not a number"],
)
def test_GD_02_1__outside_every_pack__refused(book, place):
    with pytest.raises(RuleViolation) as refused:
        book.resolve(*place, IN_FORCE)
    assert [r.rule for r in refused.value.refusals] == ["GD-02.1"]
    assert refused.value.status == 409


def test_GD_49__day_before_force__refused(book):
    with pytest.raises(RuleViolation, match=r"GD-02\.1: "):
        book.resolve(*QINGHE, date(2025, 4, 30))
    assert book.resolve(*QINGHE, date(2025, 5, 1)).id == "cn-gd-2025"


def test_GD_49__an_instant_counts_by_its_local_date(book):
    eve = datetime(2025, 4, 30, 15, 59, tzinfo=UTC)
    with pytest.raises(RuleViolation) as caught:
        book.at_place(Point(QINGHE), eve)
    assert caught.value.refusals[0].measured == eve.date().isoformat(), "a day, not the microsecond"
    assert book.at_place(Point(QINGHE), eve + timedelta(minutes=1)).id == "cn-gd-2025"


def test_GD_02_1__shape_that_straddles_the_border__refused(book):
    with pytest.raises(RuleViolation) as refused:
        book.at_place(box(113.2, 23.1, 113.3, 28.0), IN_FORCE)
    lon, lat = refused.value.refusals[0].place["coordinates"]
    assert 113.2 <= lon <= 113.3
    assert 23.1 <= lat <= 28.0


def test_GD_02_1__empty_shape__refused(book):
    with pytest.raises(RuleViolation, match=r"GD-02\.1: "):
        book.at_place(Polygon(), IN_FORCE)


def test_resolution__naive_time__error(book):
    with pytest.raises(ValueError, match="aware"):
        book.at_place(Point(QINGHE), datetime(2025, 6, 1))


def test_rulebook__by_id_and_by_reference(book):
    pack = book["cn-gd-2025"]
    assert book[pack.reference] is pack
    with pytest.raises(KeyError, match="cn-nowhere"):
        book["cn-nowhere"]


# -- one device, two jurisdictions -------------------------------------------------------------


@pytest.mark.parametrize(("place", "lawful"), [(QINGHE, False), (NEUTRAL, True)])
def test_7_2__same_device_twenty_days_after_publication(book, place, lawful):
    published_on, activated_on = date(2025, 6, 1), date(2025, 6, 21)
    pack = book.resolve(*place, activated_on)
    period = Days(count=pack["publication.lead_days"], kind=pack["publication.day_kind"])
    assert (activated_on >= pack.calendar.after(published_on, period)) is lawful


def test_7_2__neutral_pack_has_one_officer_and_no_provincial_level(book):
    pack = book["demo-neutral"]
    assert pack["officers.penalty_min"] == pack["officers.online_inspection_min"] == 1
    assert pack["siting.approver_level"] is None
    assert "province" not in pack.authority_levels


# -- strictness --------------------------------------------------------------------------------


def refused(document):
    with pytest.raises(ValidationError) as error:
        RulePack.model_validate(document)
    return str(error.value)


def test_GD_01__no_legal_basis__refused(document):
    document["legal_basis"] = []
    assert "legal_basis" in refused(document)
    del document["legal_basis"]
    assert "legal_basis" in refused(document)


@pytest.mark.parametrize("where", [(), ("values",), ("jurisdiction",), ("calendar",), ("values", "uav.quiet_hours")])
def test_pack__unknown_key__refused(document, where):
    part = document
    for name in where:
        part = part[name]
    part["surprise"] = 1
    assert "surprise" in refused(document)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_pack__missing_value__refused(document, key):
    del document["values"][key]
    assert key in refused(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("publication.lead_days", -1),
        ("publication.lead_days", 29.5),
        ("publication.day_kind", "lunar"),
        ("uav.area_iou_min", 1.2),
        ("uav.area_iou_min", float("nan")),
        ("privacy.buffer_m", float("inf")),
        ("uav.quiet_hours", {"start": "22:00"}),
        ("uav.quiet_hours", {"start": "25:00", "end": "07:00"}),
        ("annual_report.due", "13-01"),
        ("siting.approver_level", "empire"),
        ("publication.min_channels", {"official": 2, "further": 1}),
        ("review.legal.items", ["same", "same"]),
    ],
)
def test_pack__wrong_value__refused(document, key, value):
    document["values"][key] = value
    refused(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"timezone": "Asia/Atlantis"}, "unknown time zone"),
        ({"effective_to": date(2025, 5, 1)}, "effective_to is not after"),
        ({"needs_legal_review": ["no.such.key"]}, "unknown keys"),
        ({"version": 0}, "version"),
        ({"id": "Guang Dong"}, "id"),
    ],
)
def test_pack__contradiction__refused(document, change, said):
    assert said in refused(document | change)


def test_pack__value_without_source__refused(document):
    del document["sources"]["hotspot.days"]
    assert "hotspot.days" in refused(document)


def test_pack__segment_class_in_two_violations__refused(document):
    document["violation_catalogue"].append(document["violation_catalogue"][0] | {"code": "twin"})
    assert "two violation types" in refused(document)


@pytest.mark.parametrize(
    "ring",
    [
        [[113, 23], [114, 24], [113, 24], [114, 23], [113, 23]],
        [[113, 23], [114, 24]],
        [[113, 23], [114, 91], [115, 23], [113, 23]],
        [[113, 23], [114, float("nan")], [115, 23], [113, 23]],
    ],
    ids=["bow-tie", "two points", "beyond the pole", "not a number"],
)
def test_pack__jurisdiction_that_is_no_polygon__refused(document, ring):
    document["jurisdiction"]["polygons"] = [[ring]]
    refused(document)


def test_GD_02_1__override_prevails_and_cites_its_source(document):
    document["overrides"] = [{"key": "publication.lead_days", "value": 45, "source": "a later law"}]
    pack = RulePack.model_validate(document)
    assert pack["publication.lead_days"] == 45
    assert pack.source("publication.lead_days") == "a later law"
    document["overrides"] = [{"key": "publication.lead_days", "value": 45}]
    refused(document)


def test_pack__unknown_dotted_key__key_error(book):
    with pytest.raises(KeyError, match=r"publication\.lead_day"):
        book["cn-gd-2025"]["publication.lead_day"]


def test_yaml__key_given_twice__refused():
    with pytest.raises(PackError, match="given twice"):
        read_pack("id: a\nid: b\n")


def test_yaml__not_a_mapping__refused():
    for text in ("", "[1, 2]", "a: [", "!!python/object/apply:os.system ['true']"):
        with pytest.raises(PackError):
            read_pack(text)


# -- versions and hashes -----------------------------------------------------------------------


def test_pack__hash_follows_content_and_nothing_else(document, book):
    pack = RulePack.model_validate(document)
    assert pack.sha256 == book["cn-gd-2025"].sha256
    document["values"]["hotspot.days"] = 91
    assert RulePack.model_validate(document).sha256 != pack.sha256


def test_rulebook__two_packs_for_one_place_and_date__refused(document, book):
    twin = RulePack.model_validate(document | {"id": "cn-gd-2026"})
    with pytest.raises(PackError, match="one place and date"):
        Rulebook([book["cn-gd-2025"], twin])


def test_rulebook__successor_takes_over_on_its_day(document):
    old = RulePack.model_validate(document | {"effective_to": date(2026, 1, 1)})
    new = RulePack.model_validate(document | {"version": 2, "effective_from": date(2026, 1, 1)})
    book = Rulebook([new, old])
    assert book.resolve(*QINGHE, date(2025, 12, 31)).version == 1
    assert book.resolve(*QINGHE, date(2026, 1, 1)).version == 2
    assert book["cn-gd-2025"].version == 2


def test_rulebook__same_id_and_version_twice__refused(book):
    with pytest.raises(PackError, match="two rule packs"):
        Rulebook([book["demo-neutral"], book["demo-neutral"]])
