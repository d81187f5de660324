"""The list of devices: filtered, searched, a page at a time, never a secret one."""

from datetime import date

import pytest
from sqlalchemy import select

from geo import due, listing
from schemas.refusals import RuleViolation
from schemas.rules import Rulebook
from schemas.tables import Authority, Device, DeviceSite
from tests.classified import CLASSIFIED

PACK = Rulebook.load()["cn-gd-2025"]
NAMES = ["清河排口摄像头", "清河断面水质", "River camera 100%", "River camera 1_0", "Quarry dust", "Quarry\\dust"]


@pytest.fixture
def listed(services):
    """Two authorities, a few devices with telling names, and a secret one."""
    with services.housekeeping() as session:
        one, other = (session.scalars(select(Authority).where(Authority.code == code)).one() for code in ("A1", "A2"))
        for number, name in enumerate([*NAMES, "River secret"]):
            site = DeviceSite(
                public_id=f"ST-L{number}", geom="SRID=4326;POINT(113.27 23.13)", place_text="bank", origin="sample"
            )
            session.add(site)
            session.flush()
            device = Device(
                public_id=f"DV-L{number}",
                name=name,
                platform="fixed",
                category="fixed",
                device_type="video" if number % 2 else "water_quality",
                purpose_en="p",
                purpose_zh="p",
                authority_id=(one if number < 4 else other).id,
                site_id=site.id,
                state="retired" if number == 5 else "registered",
                is_measuring_instrument=number == 1,
                secret=name.endswith("secret"),
                **CLASSIFIED,
                origin="sample",
            )
            session.add(device)
        session.flush()
        return {"A1": one.id, "A2": other.id}


def found(session, **filters):
    page = listing.devices(session, listing.Filters(**filters))
    return [row.name for row in page.rows if row.public_id.startswith("DV-L")]


def test_list__all_but_the_secret_one__by_name(listed, session):
    assert found(session) == sorted(NAMES)
    assert listing.count(session, listing.Filters(q="River")) == 2


def test_list__filters__each_alone_and_together(listed, session):
    assert found(session, authority=listed["A2"]) == sorted(NAMES[4:])
    assert found(session, state="retired") == [NAMES[5]]
    assert found(session, kind="video", authority=listed["A1"]) == sorted([NAMES[1], NAMES[3]])
    assert found(session, kind="radar") == []


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("清河", NAMES[:2]),
        ("口摄", NAMES[:1]),
        ("质", NAMES[1:2]),
        ("river CAMERA", NAMES[2:4]),
        ("100%", NAMES[2:3]),
        ("1_0", NAMES[3:4]),
        ("\\d", NAMES[5:6]),
        ("dv-l4", NAMES[4:5]),
        ("  ", NAMES),
        ("nobody", []),
        ("'; DROP TABLE core.device; --", []),
    ],
)
def test_list__search__any_part_of_a_name_or_a_whole_id(listed, session, q, names):
    assert found(session, q=q) == sorted(names)


@pytest.mark.parametrize("q", ["a\0b", "x" * 1001, "\ud800"])
def test_list__search_for_what_is_no_text__422(listed, session, q):
    with pytest.raises(RuleViolation) as caught:
        listing.devices(session, listing.Filters(q=q))
    assert caught.value.status == 422


def test_list__page_by_page__every_row_once(listed, session):
    seen, after = [], None
    while True:
        page = listing.devices(session, listing.Filters(), after, 2)
        assert len(page.rows) <= 2
        seen += [row.public_id for row in page.rows]
        after = page.after
        if after is None:
            break
    assert len(seen) == len(set(seen)) == listing.count(session, listing.Filters())
    whole = listing.devices(session, listing.Filters(), limit=10_000)
    assert [row.public_id for row in whole.rows] == seen


def test_list__row__says_where_and_whose(listed, session):
    row = listing.devices(session, listing.Filters(q="DV-L0")).rows[0]
    assert (row.authority_code, row.place_text, row.at) == ("A1", "bank", (113.27, 23.13))


def test_list__due__as_the_list_of_what_is_due_says(listed, session):
    today = date(2025, 7, 2)
    within = listing.Due(pack=PACK, today=today)
    wanted = {entry.public_id for entry in due.due(session, listed["A1"], PACK, today)}
    page = listing.devices(session, listing.Filters(authority=listed["A1"], due=within))
    assert {row.public_id for row in page.rows} == wanted
    assert "DV-L1" in wanted
    with pytest.raises(RuleViolation, match=r"query\.unknown: "):
        listing.devices(session, listing.Filters(due=within))
