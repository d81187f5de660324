"""Many subjects in one command: every check, one event each, all in one transaction (design.md 4)."""

import uuid
from datetime import UTC, datetime

import pytest
from shapely.geometry import box
from sqlalchemy import select

from geo import shapes
from schemas.refusals import RuleViolation
from schemas.store import ledger
from schemas.store.copying import Record, copy_in
from schemas.store.many import Many
from schemas.store.work import LedgerDiscipline
from schemas.tables import Authority, Device, DeviceSite, PatrolArea, Publication
from tests.database.plain import seal_all

PAUSED = {"state_reason": "cleaning", "state_since": datetime(2025, 7, 2, tzinfo=UTC)}


@pytest.fixture
def cameras(services):
    """Twelve devices of A1 in use, by their public ids."""
    with services.housekeeping() as session:
        authority = session.scalars(select(Authority).where(Authority.code == "A1")).one()
        plan = session.scalars(select(DeviceSite.siting_plan_id).where(DeviceSite.siting_plan_id.is_not(None))).first()
        rows = []
        for number in range(12):
            site = {
                "id": uuid.uuid4(),
                "public_id": f"ST-M{number}",
                "geom": f"SRID=4326;POINT({113.26 + number * 1e-3:.4f} 23.1250)",
                "place_text": "bank",
                "siting_plan_id": plan,
                "origin": "sample",
            }
            device = {
                "id": uuid.uuid4(),
                "public_id": f"DV-M{number:02}",
                "name": f"camera {number}",
                "platform": "fixed",
                "category": "fixed",
                "device_type": "video",
                "purpose_en": "p",
                "purpose_zh": "p",
                "authority_id": authority.id,
                "site_id": site["id"],
                "state": "active",
                "activated_on": datetime(2025, 7, 2, tzinfo=UTC).date(),
                "origin": "sample",
            }
            rows.append((site, device))
        copy_in(session, [Record(DeviceSite, site) for site, _device in rows])
        copy_in(session, [Record(Device, device) for _site, device in rows])
        at = datetime(2025, 6, 1, 2, tzinfo=UTC)
        copy_in(
            session,
            [
                Record(
                    Publication,
                    {
                        "public_id": f"PB-M{number}-{channel}",
                        "subject_kind": "device",
                        "subject_id": device["id"],
                        "round_no": 1,
                        "channel": channel,
                        "published_at": at,
                        "published_on": at.date(),
                        "lead_days": 30,
                        "receipt_id": "R",
                        "content_sha256": "0" * 64,
                        "origin": "sample",
                    },
                )
                for number, (_site, device) in enumerate(rows)
                for channel in ("official_disclosure", "platform_map")
            ],
        )
    return [device["public_id"] for _site, device in rows]


def chosen(unit, names):
    found = {row.public_id: row for row in unit.session.scalars(select(Device).where(Device.public_id.in_(names)))}
    return [found[name] for name in names]


def pause(**options):
    params = {"reason": "cleaning", "ends_on": datetime(2025, 7, 4, tzinfo=UTC).date()}
    return Many(transition="pause", params=params, values=PAUSED, record={"order": "O-1"}, **options)


def states(services, names):
    with services.session() as session:
        return [row.state for row in chosen(services_unit(session), names)]


class services_unit:
    def __init__(self, session):
        self.session = session


def events(admin):
    query = "SELECT action, subject_id, convert_from(body, 'UTF8') FROM ledger.event ORDER BY id"
    return admin.execute(query).fetchall()


def test_apply_many__all_change__one_event_each_in_their_order(work, services, cameras, admin):
    with work("O1") as unit:
        devices = chosen(unit, cameras)
        outcomes = unit.apply_many(devices, pause())
        unit.commit()
    assert [outcome.subject.public_id for outcome in outcomes] == cameras
    assert states(services, cameras) == ["maintenance"] * 12
    told = events(admin)
    assert [subject for _action, subject, _body in told] == [str(device.id) for device in devices]
    assert {action for action, *_rest in told} == {"device.pause"}
    assert all('"order":"O-1"' in body and '"from":"active"' in body for *_rest, body in told)
    with services.session() as session:
        row = chosen(services_unit(session), cameras[:1])[0]
        assert (row.version, row.state_reason, row.state_since) == (2, "cleaning", PAUSED["state_since"])
    assert (devices[0].version, devices[0].state) == (2, "maintenance")


def test_apply_many__ledger__seals_and_verifies(work, services, cameras, blank):
    with work("O1") as unit:
        unit.apply_many(chosen(unit, cameras), pause())
        unit.commit()
    assert seal_all(services.engine) == 12
    assert ledger.verify(services.engine).sealed.events == 12


def test_apply_many__one_refused__told_and_left_as_it_is(work, services, cameras, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET state = 'blocked' WHERE public_id = 'DV-M03'")
    with work("O1") as unit:
        outcomes = unit.apply_many(chosen(unit, cameras), pause())
        unit.commit()
    assert [bool(outcome.refusals) for outcome in outcomes] == [number == 3 for number in range(12)]
    assert outcomes[3].refusals[0].rule == "state.machine"
    assert states(services, cameras) == ["blocked" if number == 3 else "maintenance" for number in range(12)]
    assert len(events(admin)) == 11


def test_apply_many__strict__all_or_none(work, services, cameras, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET state = 'blocked' WHERE public_id = 'DV-M03'")
    with pytest.raises(LedgerDiscipline), work("O1") as unit:
        outcomes = unit.apply_many(chosen(unit, cameras), pause(is_strict=True))
        assert [outcome.change for outcome in outcomes] == [None] * 12
        unit.commit()
    assert states(services, cameras[:3]) == ["active"] * 3
    assert events(admin) == []


def test_apply_many__changed_since_it_was_read__stale(work, services, cameras):
    with work("O1") as unit:
        devices = chosen(unit, cameras)
        with work("O2") as other:
            other.apply(chosen(other, cameras[:1])[0], "pause", **pause().params)
            other.commit()
        outcomes = unit.apply_many(devices, pause())
        unit.commit()
    assert [refusal.rule for refusal in outcomes[0].refusals] == ["state.stale"]
    assert all(outcome.change for outcome in outcomes[1:])


@pytest.mark.parametrize("actor", ["O4", "F1"])
def test_apply_many__without_the_role__every_one_refused(work, cameras, actor):
    with work(actor) as unit:
        outcomes = unit.apply_many(chosen(unit, cameras), pause())
    assert {refusal.rule for outcome in outcomes for refusal in outcome.refusals} == {"state.role"}


def test_apply_many__as_apply_does_one_by_one(work, cameras):
    """Resumption asks five guards: what they say together is what they say of each."""
    with work("O1") as unit:
        unit.apply_many(chosen(unit, cameras), pause())
        unit.commit()
    with work("O1") as unit:
        devices = chosen(unit, cameras)
        together = unit.apply_many(devices, Many(transition="resume"))
        alone = []
        for device in chosen(unit, cameras):
            with pytest.raises(RuleViolation) as caught:
                unit.apply(device, "resume")
            alone.append(caught.value.refusals)
    assert [outcome.refusals for outcome in together] == alone
    assert {refusal.rule for refusal in together[0].refusals} == {"GD-14.5"}


def test_apply_many__interrupted__nothing_stays(work, services, cameras, admin, monkeypatch):
    monkeypatch.setattr("schemas.store.many.SOME", 5)

    def stop(done, total):
        assert total == 12
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), work("O1") as unit:
        unit.apply_many(chosen(unit, cameras), pause(), told=stop)
    assert states(services, cameras) == ["active"] * 12
    assert events(admin) == []
    with work("O1") as unit:
        assert all(outcome.change for outcome in unit.apply_many(chosen(unit, cameras), pause()))
        unit.commit()


def test_apply_many__database_as_judge__whole_command_refused(work, services, cameras, admin):
    """What the database refuses of one of them undoes all of them."""
    with pytest.raises(RuleViolation) as caught, work("SYSTEM") as unit:
        values = {"activated_on": datetime(2025, 7, 9, tzinfo=UTC).date()}
        unit.apply_many(chosen(unit, cameras), Many(transition="block", params={"reason": "x"}, values=values))
    assert caught.value.status == 409
    assert states(services, cameras) == ["active"] * 12


def test_check_many__as_check_of_each(work, cameras, admin):
    """The guards that judge sets say of every device what they say of it alone."""
    admin.execute("SET session_replication_role = replica")
    places = {0: (113.2700, 23.1300), 1: (113.2706, 23.1300), 2: (-150.0, 10.0), 3: (113.2680, 23.1300)}
    for number, (lon, lat) in places.items():
        admin.execute(
            "UPDATE core.device_site SET geom = ST_SetSRID(ST_MakePoint(%s, %s), 4326) WHERE public_id = %s",
            [lon, lat, f"ST-M{number}"],
        )
    looks = "sector_azimuth_deg = 90, hfov_deg = 30, range_m = 500"
    admin.execute(f"UPDATE core.device SET {looks} WHERE public_id IN ('DV-M03', 'DV-M04')")
    admin.execute("UPDATE core.device_site SET place_type = 'toilet' WHERE public_id = 'ST-M5'")
    item = "SELECT id FROM core.supervision_item LIMIT 1"
    admin.execute(f"UPDATE core.device SET item_id = ({item}) WHERE public_id <> 'DV-M06'")
    guards = (
        "IR-1:item_cited",
        "GD-02.1:place_has_rules",
        "GD-15:outside_private_places",
        "GD-14.6:secret_is_documented",
        "state.reason:given",
    )
    with work("O1") as unit:
        devices = chosen(unit, cameras)
        together = unit.check_many(devices, guards)
        alone = []
        for device in devices:
            try:
                alone.append(unit.check(device, guards))
            except RuleViolation as violation:
                alone.append(list(violation.refusals))
    assert together == alone
    refused = [{refusal.rule for refusal in said} - {"state.reason"} for said in together]
    assert refused[:7] == [{"GD-15"}, set(), {"GD-02.1"}, {"GD-15"}, set(), {"GD-15"}, {"IR-1"}]


def areas(unit, *places):
    common = {"name_en": "Fields", "name_zh": "田野", "purpose_en": "Patrol", "purpose_zh": "巡查"}
    authority = unit.session.scalars(select(Authority).where(Authority.code == "A1")).one()
    return [
        PatrolArea(
            **common,
            code=f"M{number}",
            public_id=f"PA-M{number}",
            authority_id=authority.id,
            geom=shapes.element(box(lon, 23.12, lon + 0.01, 23.13)),
            alt_min_agl_m=60,
            alt_max_agl_m=110,
        )
        for number, lon in enumerate(places)
    ]


def test_apply_many__new_subjects__added_each_in_its_first_version_with_an_event(work, services, admin):
    with work("N1") as unit:
        outcomes = unit.apply_many(areas(unit, 113.28, 113.30), Many(transition="draft", is_strict=True))
        unit.commit()
    with services.session() as session:
        found = session.scalars(select(PatrolArea).where(PatrolArea.code.in_(["M0", "M1"]))).all()
    assert [(row.state, row.version) for row in found] == [("draft", 1)] * 2
    told = events(admin)
    assert [(action, subject) for action, subject, _body in told] == [
        ("patrol_area.draft", str(outcome.subject.id)) for outcome in outcomes
    ]
    with work("N1") as unit:
        one, other = (unit.get(PatrolArea, name) for name in ("PA-M0", "PA-M1"))
        assert all(outcome.change for outcome in unit.apply_many([one, other], Many(transition="redraft")))
        assert (one.state, one.version) == ("draft", 2)


def test_apply_many__one_of_the_new_refused__none_is_added(work, services):
    with pytest.raises(LedgerDiscipline), work("N1") as unit:
        good, bad = unit.apply_many(areas(unit, 113.28, 10.0), Many(transition="draft", is_strict=True))
        assert (good.change, good.refusals, bad.change) == (None, (), None)
        assert bad.refusals
        unit.commit()
    with services.session() as session:
        assert session.scalars(select(PatrolArea).where(PatrolArea.code == "M0")).all() == []


def test_apply_many__new_subjects_by_somebody_without_the_role__each_refused(work):
    with work("L1") as unit:
        outcomes = unit.apply_many(areas(unit, 113.28), Many(transition="draft", is_strict=True))
    assert [refusal.rule for refusal in outcomes[0].refusals] == ["state.role"]
