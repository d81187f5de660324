"""Evidence for the periodic evaluation of a device: use, faults, yield and complaints, and what they speak for."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from shapely.geometry import Point
from sqlalchemy import select, text

from enforcement.commands import NewComplaint, handle, receive
from geo import commands
from geo.evaluating import Evidence, digest, evidence_of, words_of
from schemas import tables as t
from schemas.actors import ANONYMOUS
from schemas.refusals import RuleViolation
from schemas.tables import Authority, Device
from tests.database.acting import PHOTO, done
from tests.world import World, wkb
from web.cli.common import State
from web.cli.device import device as device_group

DV1 = "DV-DV1"


@pytest.fixture
def active(work):
    done(work, "H1", DV1, commands.activate_device)
    return DV1


def look(services, days=0):
    """What is on record so many days later, and in words."""
    services.clock.advance(timedelta(days=days))
    with services.work() as work:
        device = work.session.scalars(select(Device).where(Device.public_id == DV1)).one()
        pack = work.pack_for(device)
        found = evidence_of(work.session, device, pack, work.now)
        return found, {word.said["en"]: word.speaks_for for word in words_of(found, pack)}


def look_at(services, now):
    with services.work() as reading:
        device = reading.get(Device, DV1)
        pack = reading.pack_for(device)
        found = evidence_of(reading.session, device, pack, now)
        return found, {word.said["en"]: word.speaks_for for word in words_of(found, pack)}


def speaks(words, start):
    return next(outcome for said, outcome in words.items() if start in said)


def test_GD_10_1__nothing_on_record__speaks_for_cancelling(services, active):
    found, words = look(services, days=100)
    assert (found.days, found.is_used) == (100, False)
    assert speaks(words, "Nothing is on record") == "cancel_site"
    assert speaks(words, "No complaint") is None


def heard(session, device, at):
    beat = text("INSERT INTO core.heartbeat (device_id, beat_at, faults) VALUES (:id, :at, CAST(:faults AS jsonb))")
    session.execute(beat, [{"id": device.id, "at": at, "faults": faults} for faults in ("[]", '["black"]')])


def measured(world, device, at, state):
    """A window beyond a limit, and the lead that came of it."""
    over = world.add(
        t.Exceedance,
        public_id=f"EX-{state}",
        datastream_id=1,
        device_id=device.id,
        limit_code=f"L-{state}",
        window_from=at,
        window_until=at + timedelta(hours=1),
        value=2.0,
        most=1.0,
        unit="mg/L",
        valid_share=1.0,
        readings=10,
        readings_sha256="0" * 64,
    )
    world.add(
        t.Detection,
        public_id=f"DT-{state}",
        ordinal=1,
        exceedance_id=over.id,
        authority_id=device.authority_id,
        kind="discharge",
        score=1.0,
        area_m2=1.0,
        geom=wkb(Point(113.26, 23.13).buffer(0.0001)),
        formed_at=at,
        state=state,
    )


def test_GD_10_1__heard_and_measured__what_was_confirmed_speaks_for_keeping(services, active, past_the_judge):
    at = services.clock.now() + timedelta(days=2)
    with past_the_judge() as session:
        device = session.scalars(select(Device).where(Device.public_id == DV1)).one()
        heard(session, device, at)
        for state in ("confirmed", "false_alarm"):
            measured(World(session), device, at, state)
    found, words = look(services, days=30)
    assert (found.days_heard, found.bad_pictures, found.exceedances) == (1, 1, 2)
    assert (found.leads, found.confirmed, found.false_alarms) == (2, 1, 1)
    assert speaks(words, "1 of 2 leads") == "keep"
    assert speaks(words, "2 windows beyond a limit") == "keep"
    assert speaks(words, "heard on 1 of 30 days") is None


def test_GD_10_1__false_alarms_alone__speak_for_cancelling(services, active, past_the_judge):
    with past_the_judge() as session:
        device = session.scalars(select(Device).where(Device.public_id == DV1)).one()
        measured(World(session), device, services.clock.now() + timedelta(days=2), "false_alarm")
    _, words = look(services, days=30)
    assert speaks(words, "The 1 lead that came of it was a false alarm") == "cancel_site"


def test_GD_10_2__justified_complaint_and_moved_camera__speak_for_adjusting(services, work, active):
    with services.work(ANONYMOUS) as doing:
        owner = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        said = {"kind": "complaint", "said": "It looks into my kitchen.", "lang": "en", "once": uuid.uuid4()}
        made = receive(doing, NewComplaint(authority=owner, about=("device", DV1), contact="", **said))
        doing.commit()
    with work("O1") as doing:
        handle(doing, made.public_id, outcome="justified", note="Looked at on site.")
        doing.commit()
    done(work, "O1", DV1, commands.report_incident, kind="moved", text="Turned by the wind.")
    found, words = look(services, days=10)
    assert (found.complaints, found.justified, dict(found.incidents)) == (1, 1, {"moved": 1})
    assert speaks(words, "1 complaint was received about it (1 justified)") == "adjust_signage"
    assert speaks(words, "Incidents: moved 1") == "adjust_signage"


def test_GD_10_1__sign_of_before__asks_to_be_looked_at_and_then_no_more(services, work, active):
    _, before = look(services)
    assert speaks(before, "Its sign was last seen") == "adjust_signage"
    done(work, "O1", DV1, commands.record_sign, text="DV1", photo=PHOTO)
    _, after = look(services)
    assert not any("sign was last seen" in said for said in after)


def test_GD_10_1__stopped_most_of_the_time__speaks_for_cancelling(services, work, active, past_the_judge):
    """The ledger has the database's clock alone: the device is looked at ten days from now."""
    with work("SYSTEM") as doing:
        doing.record("device.block", "device", doing.get(Device, DV1).id, {})
        doing.commit()
    now = datetime.now(UTC)
    with past_the_judge() as session:
        device = session.scalars(select(Device).where(Device.public_id == DV1)).one()
        day = (now - timedelta(days=1)).date()
        World(session).add(
            t.Evaluation, public_id="EV-1", device_id=device.id, outcome="keep", text="Needed.", evaluated_on=day
        )
    found, words = look_at(services, now + timedelta(days=10))
    assert found.stops == 1
    assert found.days_stopped == pytest.approx(10, abs=0.1)
    assert speaks(words, "It was stopped once") == "cancel_site"


def test_GD_10_1__evaluated__counted_anew_from_that_day(services, work, active):
    done(work, "O1", DV1, commands.report_incident, kind="damaged", text="Lens broken.")
    services.clock.advance(timedelta(days=5))
    with work("T1") as doing:
        commands.evaluate_device(doing, doing.get(Device, DV1), outcome="keep", text="Needed.")
        doing.commit()
    found, _ = look(services, days=1)
    assert (found.days, found.incidents) == (1, {})


def test_device_evidence__at_the_command_line__in_both_languages_and_as_json(services, active):
    def run(*words, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(device_group, ["evidence", DV1, *words], obj=state)

    assert "On record from" in run().output
    assert "记录期间" in run(lang="zh").output
    told = json.loads(run("--json", "--as", "H1").output)
    assert told["incidents"] == {}
    assert told["words"][0]["zh"]


def test_device_evidence__somebody_of_another_authority__is_told_of_no_such_device(services, active):
    state = State("en")
    state._services = services
    refused = CliRunner().invoke(device_group, ["evidence", DV1, "--as", "O4"], obj=state)
    assert refused.exception.status == 404


def test_GD_10_1__stopped_since_before_the_last_evaluation__told_as_standing_still_and_not_as_no_fault(
    services, work, active, past_the_judge
):
    with work("SYSTEM") as doing:
        doing.record("device.block", "device", doing.get(Device, DV1).id, {})
        doing.commit()
    now = datetime.now(UTC)
    with past_the_judge() as session:
        device = session.scalars(select(Device).where(Device.public_id == DV1)).one()
        day = (now + timedelta(days=3)).date()
        World(session).add(
            t.Evaluation, public_id="EV-1", device_id=device.id, outcome="keep", text="Needed.", evaluated_on=day
        )
    found, words = look_at(services, now + timedelta(days=10))
    assert found.stops == 0
    assert speaks(words, f"It stood stopped for {found.days_stopped:.1f} days") == "cancel_site"
    assert not any("It was stopped" in said or "No incident, stop" in said for said in words)


def test_GD_10_1__brought_in_while_it_is_paused__counts_as_stopped_since_its_row_says(services, active, past_the_judge):
    paused_at = services.clock.now() + timedelta(days=4)
    with past_the_judge() as session:
        device = session.scalars(select(Device).where(Device.public_id == DV1)).one()
        device.state, device.state_since = "maintenance", paused_at
    found, words = look(services, days=10)
    assert (found.stops, found.days_stopped) == (1, pytest.approx(6, abs=0.1))
    assert speaks(words, "It was stopped once, 6.0 days") == "cancel_site"
    assert not any("No incident, stop" in said for said in words)


# -- what was on record stays with what was decided --------------------------------------------------


def evaluated(work, **said):
    with work("T1") as doing:
        row = commands.evaluate_device(doing, doing.get(Device, DV1), outcome="keep", text="Needed.", **said)
        doing.commit()
        return row


def test_GD_10_1__evaluated__what_was_on_record_is_kept_and_its_digest_stands_in_the_ledger(services, work, active):
    done(work, "O1", DV1, commands.report_incident, kind="damaged", text="Lens broken.")
    found, _ = look(services, days=5)
    row = evaluated(work)
    with services.session() as session:
        kept = session.get_one(t.Evaluation, row.id).evidence
        said = text("SELECT body FROM ledger.event WHERE action = 'device.evaluate' ORDER BY id DESC LIMIT 1")
        named = json.loads(session.scalar(said))["evidence"]
    assert Evidence.of_json(kept) == found
    assert (kept["incidents"], kept["until"]) == ({"damaged": 1}, found.until.isoformat())
    assert digest(kept) == named


def test_GD_10_1__something_came_in_since_it_was_read__refused_and_nothing_is_recorded(services, work, active):
    seen, _ = look(services, days=5)
    services.clock.advance(timedelta(hours=30))
    assert evidence_now(services).gist == seen.gist, "a day that passes speaks for nothing"
    done(work, "O1", DV1, commands.report_incident, kind="damaged", text="Lens broken.")
    services.clock.advance(timedelta(minutes=1))
    with pytest.raises(RuleViolation) as refused:
        evaluated(work, seen=seen.gist)
    assert [one.text for one in refused.value.refusals] == ["device.evidence_changed"]
    assert refused.value.status == 409
    evaluated(work, seen=evidence_now(services).gist)


def evidence_now(services):
    return look(services)[0]


def test_device_evidence__of_an_evaluation__told_as_it_was_and_only_where_the_ledger_names_it(
    services, work, active, past_the_judge
):
    done(work, "O1", DV1, commands.report_incident, kind="damaged", text="Lens broken.")
    services.clock.advance(timedelta(days=5))
    row = evaluated(work)
    services.clock.advance(timedelta(days=9))

    def run(*words):
        state = State("en")
        state._services = services
        return CliRunner().invoke(device_group, ["evidence", DV1, "--json", "--evaluation", *words], obj=state)

    assert json.loads(run(row.public_id).output)["incidents"] == {"damaged": 1}
    assert run("EV-NONE").exception.status == 404
    with past_the_judge() as session:
        changed = "UPDATE core.evaluation SET evidence = jsonb_set(evidence, '{complaints}', '7') WHERE id = :id"
        session.execute(text(changed), {"id": row.id})
    assert run(row.public_id).exception.status == 409
