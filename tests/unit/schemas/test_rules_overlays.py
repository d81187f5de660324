"""Overlays over a rule pack: the stricter value holds, each says where it comes from, none is on by itself (G-42)."""

from datetime import date

import pytest
import yaml

from schemas.rules import DayKind, Days, Rulebook
from schemas.rules.overlays import DIRECTIONS, Overlay, merged
from schemas.rules.rulebook import PackError, read_overlay
from schemas.rules.values import KEYS

ON = date(2025, 7, 2)
ALL = ("lf-2024", "lx-2024", "ir-2023", "jn-2024")


@pytest.fixture(scope="module")
def book():
    return Rulebook.load()


@pytest.fixture
def base(book):
    return book["cn-gd-2025"]


def overlay(**changes):
    document = {
        "id": "trial",
        "version": 1,
        "order": 50,
        "title": {"en": "Trial", "zh": "试行"},
        "effective_from": date(2025, 1, 1),
        "legal_basis": [{"title": {"en": "Plan", "zh": "方案"}, "level": "normative"}],
        "values": {},
        "sources": {},
    }
    return Overlay.model_validate(document | changes)


def over(base, key, value):
    return merged(base, [overlay(values={key: value}, sources={key: "trial"})])


SWITCHED = {
    "lf-2024": {"item.offsite_list_only": True, "entity.written_notice": True},
    "lx-2024": {
        "view.faults": ("wrong_position", "insufficient", "offline", "blurred"),
        "patrol.daily_record": True,
        "entity.risk_plan": True,
    },
    "ir-2023": {
        "item.catalogue_only": True,
        "publish.updates_per_month": 2,
        "publish.exposure_per_month": 1,
        "behaviour.export_due": Days(count=5, kind=DayKind.WORKING),
        "data.databases": (
            "items",
            "objects",
            "personnel",
            "behaviour",
            "complaints",
            "credit",
            "knowledge",
            "cases",
        ),
    },
    "jn-2024": {
        "case.leniency_step": True,
        "case.stages": ("filing", "evidence", "notice", "review", "decision", "service", "execution"),
    },
}


@pytest.mark.parametrize("name", ALL)
def test_G_42__each_overlay__changes_its_own_values_alone(book, base, name):
    pack = book.with_overlays(base, [name], ON)
    assert {key: pack[key] for key in KEYS if pack[key] != base[key]} == SWITCHED[name]
    assert pack.overlays == (name,)


def test_G_42__all_of_them__and_none(book, base):
    pack = book.with_overlays(base, reversed(ALL), ON)
    assert pack.overlays == ALL
    for values in SWITCHED.values():
        assert {key: pack[key] for key in values} == values
    assert book.with_overlays(base, (), ON) is base


def test_LX_17__alert_timers__of_the_overlay(book, base):
    pack = book.with_overlays(base, ["lx-2024"], ON)
    assert (pack["alert.yellow_after_days"], pack["alert.performance_after_days"]) == (5, 10)


def test_G_42__source_and_legal_basis__told(book, base):
    pack = book.with_overlays(base, ["ir-2023"], ON)
    assert pack.source("data.databases") == "IR-11"
    assert pack.source("publication.lead_days") == "GD-14.2"
    assert len(pack.legal_basis) == len(base.legal_basis) + 1


def test_G_42__reference__names_the_overlays_and_finds_the_pack_again(book, base):
    pack = book.with_overlays(base, ["lf-2024", "jn-2024"], ON)
    assert pack.reference.startswith("cn-gd-2025+lf-2024+jn-2024@")
    assert pack.reference != base.reference
    fresh = Rulebook.load()
    assert fresh[pack.reference].sha256 == pack.sha256
    assert fresh["cn-gd-2025"].overlays == ()
    with pytest.raises(KeyError, match="@000000000000"):
        fresh["cn-gd-2025+lf-2024@000000000000"]


def test_G_42__over_the_neutral_pack__no_change_of_code(book):
    pack = book.with_overlays(book["demo-neutral"], ALL, ON)
    assert pack["case.leniency_step"]
    # Its own timer of seven days gives way to the stricter five.
    assert pack["alert.yellow_after_days"] == 5


def test_G_42__overlay_not_in_force_yet__left_out(book, base):
    assert book.with_overlays(base, ["lx-2024"], date(2024, 6, 24)) is base
    assert book.with_overlays(base, ["lx-2024"], date(2024, 6, 25)).overlays == ("lx-2024",)


def test_G_42__overlay_that_nobody_has__key_error(book, base):
    with pytest.raises(KeyError, match="zz-1999"):
        book.with_overlays(base, ["zz-1999"], ON)


@pytest.mark.parametrize(
    ("key", "given", "holds"),
    [
        ("publication.lead_days", 45, 45),
        ("publication.lead_days", 10, 30),
        ("maintenance.max_days", 30, 30),
        ("maintenance.max_days", 300, 90),
        ("publication.clear_days", True, True),
        ("uav.marking_required", False, True),
        ("notice.suspected_due", {"count": 1, "kind": "working"}, Days(count=1, kind=DayKind.WORKING)),
        ("notice.suspected_due", {"count": 9, "kind": "working"}, Days(count=2, kind=DayKind.WORKING)),
    ],
)
def test_G_42__conflict__stricter_value_holds(base, key, given, holds):
    assert over(base, key, given)[key] == holds


def test_G_42__lists__hold_what_either_asks_for(base):
    pack = over(base, "privacy.prohibited_place_types", ["toilet", "prayer_room"])
    assert pack["privacy.prohibited_place_types"] == (*base["privacy.prohibited_place_types"], "prayer_room")


def test_G_42__weaker_value__keeps_the_source_of_the_base(base):
    assert over(base, "publication.lead_days", 10).source("publication.lead_days") == "GD-14.2"


def test_G_42__no_stricter_side__refused_unless_replaced(base):
    with pytest.raises(ValueError, match="say replace"):
        over(base, "edelivery.service_date", "sent_at")
    entry = {"key": "edelivery.service_date", "value": "sent_at", "source": "trial 3"}
    pack = merged(base, [overlay(replace=[entry])])
    assert (pack["edelivery.service_date"], pack.source("edelivery.service_date")) == ("sent_at", "trial 3")


def test_G_42__days_of_another_kind__refused(base):
    with pytest.raises(ValueError, match="no stricter side"):
        over(base, "notice.suspected_due", {"count": 1, "kind": "calendar"})


def test_GD_02_1__override_of_another_law__prevails_over_overlays(base):
    document = base.document()
    document["overrides"] = [{"key": "publication.lead_days", "value": 20, "source": "another law"}]
    other = type(base).model_validate(document)
    assert over(other, "publication.lead_days", 60)["publication.lead_days"] == 20


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": {"surprise.key": 1}, "sources": {"surprise.key": "x"}}, "unknown key"),
        ({"values": {"publication.lead_days": 40}}, "no source is given"),
        ({"sources": {"publication.lead_days": "x"}}, "without a value"),
        ({"legal_basis": []}, "at least 1 item"),
        ({"replace": [{"key": "publication.lead_days", "value": 1}]}, "source\n  Field required"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_overlay__unsound__refused(changes, words):
    with pytest.raises(ValueError, match=words):
        overlay(**changes)


def test_overlay__value_of_the_wrong_type__refused(base):
    with pytest.raises(ValueError, match="lead_days"):
        over(base, "publication.lead_days", -1)


def test_overlay__file_that_is_none__pack_error():
    with pytest.raises(PackError):
        read_overlay(yaml.safe_dump({"id": "x"}))


def test_directions__name_known_keys():
    assert set(DIRECTIONS) <= KEYS
