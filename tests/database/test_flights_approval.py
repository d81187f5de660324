"""The papers of a flight: an approval file that the ledger proves, and a filing sheet with the dates of the law."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import psycopg
import pytest
import rfc8785
from click.testing import CliRunner
from sqlalchemy import text

from flights import commands
from flights.papers import approval
from schemas.machine import state_tables
from schemas.refusals import RuleViolation
from schemas.store.ledger import export
from tests.database.flying import END, GROUND, START, change, cleared, do, prechecked, refused, row, texts
from tests.database.plain import connect, seal_all
from tests.web.plans import flat_ground
from web.cli.common import State
from web.cli.flight import flight as flight_group

SCHEMA = json.loads(Path("schemas/exchange/flight_approval.json").read_text(encoding="utf-8"))
LAYER = (
    "INSERT INTO core.context_feature (id, public_id, layer, kind, name, attributes, geom, origin, recorded_at) VALUES"
    " (gen_random_uuid(), 'CF-W', 'airspace', 'drinking_water_source', 'Upper reservoir', '{}',"
    " ST_MakeEnvelope(113.27, 23.12, 113.272, 23.13, 4326), 'sample', now())"
)
HELD = (
    "INSERT INTO core.airspace_clearance (id, public_id, kind, number, issuing_body, authority_id, geom, alt_max_agl_m,"
    " valid_from, valid_to, origin, recorded_at) SELECT gen_random_uuid(), 'AC-1', 'approval', '2025-77', 'office', id,"
    " ST_MakeEnvelope(113.2, 23.0, 113.4, 23.2, 4326), 150, '2025-06-01', '2025-12-01', 'sample', now()"
    " FROM core.authority WHERE code = 'A1'"
)


def document(session, number):
    session.expire_all()
    return approval.document(session, row(session, number), sample=True)


def of(body):
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


@pytest.fixture
def run(services):
    flat_ground(services.data_dir)

    def call(*arguments, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(flight_group, [str(a) for a in arguments], obj=state)

    return call


class TestDocument:
    def test_cleared_flight__a_document_of_its_schema(self, work, session):
        body = document(session, cleared(work))
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        jsonschema.Draft202012Validator(SCHEMA).validate(body)
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(body)))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"surprise": 1},
            {"approved_sha256": "x"},
            {"events": []},
            {"format": "other"},
            {"approved": {}},
        ],
    )
    def test_anything_else__not_of_the_schema(self, work, session, wrong):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate(document(session, cleared(work)) | wrong)

    def test_hashes__prove_it_against_the_ledger(self, work, session, services, tmp_path):
        number = cleared(work)
        body = document(session, number)
        assert of(body["approved"]) == body["approved_sha256"]
        assert of({k: v for k, v in body.items() if k != "document_sha256"}) == body["document_sha256"]
        (event,) = [e for e in exported(services, tmp_path / "ledger.jsonl") if e["id"] == body["ledger"]["id"]]
        assert (event["action"], event["body"]["approval_sha256"]) == ("flight.clear", body["approved_sha256"])

    @pytest.mark.parametrize("path", [("window", "until"), ("plan", "flown_m"), ("fence", "digest")])
    def test_one_value_changed__the_hash_differs(self, work, session, path):
        body = document(session, cleared(work))
        body["approved"][path[0]][path[1]] = "other"
        assert of(body["approved"]) != body["approved_sha256"]

    def test_every_guard_of_clearing__is_listed_as_passed(self, work, session):
        checks = document(session, cleared(work))["approved"]["checks"]
        clear = next(step for step in state_tables()["flight"].transitions if step.name == "clear")
        assert [check["check"] for check in checks] == list(clear.guards)
        assert {"DC-2:air_is_free", "GD-16.2:filed_in_time"} <= {check["check"] for check in checks}

    def test_facts__those_of_the_flight(self, work, session):
        number = cleared(work)
        flight, approved = row(session, number), document(session, number)["approved"]
        assert approved["digests"]["published_mission"] == flight.mission_digest
        assert approved["route"]["version"] == flight.route_version
        assert (approved["approver"]["code"], approved["pilot"]["code"]) == ("H1", "F1")
        (zone,) = [margin for margin in approved["clearances"] if margin["kind"] == "zone"]
        assert zone["name"] == "PZ-Z1"
        assert {"zone", "area"} <= {margin["kind"] for margin in approved["clearances"]}
        assert zone["line_m"] == pytest.approx(498, abs=1)
        assert zone["footprint_m"] == pytest.approx(zone["line_m"] - 70, abs=2)
        assert approved["fence"]["proof"]
        values = {row["key"]: row["value"] for row in approved["thresholds"]}
        assert values["flight.deviation_tolerance_m"] == 30
        assert all(row["source"] for row in approved["thresholds"])
        assert approved["airspace"]["needs"] is None

    def test_other_flights__looked_at_with_what_keeps_them_apart(self, work, session):
        gap = timedelta(seconds=12)
        first = cleared(work)
        approved = document(session, cleared(work, start=END + gap, end=END + timedelta(minutes=40)))["approved"]
        assert approved["conflicts"] in ([], [{"flight": first, "apart_by": "time", "apart_m": None}])

    def test_after_a_new_zone_and_the_landing__what_was_approved_stays(self, work, session, past_the_judge):
        number = cleared(work)
        before = document(session, number)
        change(past_the_judge, "UPDATE core.privacy_zone SET valid_to = '2025-05-02'")
        do(work, "F1", commands.cancel, number, "fog")
        after = document(session, number)
        assert after["approved"] == before["approved"]
        assert after["state"] == "cancelled"
        assert [event["action"] for event in after["events"]][-1] == "flight.cancel"

    def test_flight_that_was_not_cleared__409(self, work, session):
        with pytest.raises(RuleViolation) as caught:
            document(session, prechecked(work))
        assert (caught.value.status, texts(caught.value)) == (409, {"flight.not_approved"})

    def test_refused_clearing__approves_nothing(self, work, session):
        cleared(work)
        number = prechecked(work)
        refused(work, "H1", commands.clear, number, GROUND)
        session.expire_all()
        assert row(session, number).approval is None

    @pytest.mark.parametrize("to", ["'{}'", "NULL", 'approval || \'{"flight": "x"}\''])
    def test_GD_20_2__approval__final(self, work, database, refused_by, to):
        cleared(work)
        with connect(database) as plainly, refused_by("GD-20.2"):
            plainly.execute(f"UPDATE core.flight SET approval = {to}")


def exported(services, path):
    """The events of an export of the ledger, which holds what is sealed."""
    seal_all(services.engine)
    export(services.engine, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if '"subject_kind"' in line]


class TestFiledInTime:
    """GD-16.2: over a listed place the application was due at noon of the day before."""

    def test_no_approval_after_noon__refused_with_the_first_day(self, work, past_the_judge, clock):
        change(past_the_judge, LAYER)
        number = prechecked(work)
        violation = refused(work, "H1", commands.clear, number, GROUND)
        assert texts(violation) == {"flight.airspace", "flight.filing_missed"}
        (late,) = [refusal for refusal in violation.refusals if refusal.text == "flight.filing_missed"]
        assert late.required == "2025-07-01 12:00"
        assert late.earliest.isoformat() == "2025-07-03"

    def test_no_approval_before_noon__only_the_approval_is_missing(self, work, past_the_judge, clock):
        change(past_the_judge, LAYER)
        tomorrow = {"start": START + timedelta(days=1), "end": END + timedelta(days=1)}
        violation = refused(work, "H1", commands.clear, prechecked(work, **tomorrow), GROUND)
        assert texts(violation) == {"flight.airspace"}

    def test_approval_held__cleared_after_noon(self, work, session, past_the_judge):
        change(past_the_judge, LAYER)
        change(past_the_judge, HELD)
        number = cleared(work)
        airspace = document(session, number)["approved"]["airspace"]
        assert (airspace["needs"], airspace["held"], airspace["too_late"]) == ("approval", True, False)
        assert airspace["clearances"] == ["approval 2025-77"]
        assert airspace["deadlines"][0]["missed"]

    def test_suitable_airspace__cleared_at_any_hour(self, work, session):
        assert row(session, cleared(work)).state == "cleared"


class TestCommands:
    def test_approval__printed_or_written(self, run, work, session, tmp_path):
        number = cleared(work)
        printed = json.loads(run("approval", number).stdout)
        assert printed == json.loads(json.dumps(document(session, number)))
        out = tmp_path / "a.json"
        assert run("approval", number, "--out", out).exit_code == 0
        assert json.loads(out.read_text(encoding="utf-8")) == printed
        assert run("approval", number, "--out", out).exit_code == 2
        assert run("approval", number, "--out", out, "--force").exit_code == 0
        assert run("approval", number, "--out", tmp_path / "a.pdf").exit_code == 2

    @pytest.mark.parametrize(("lang", "word"), [("en", "Approval of flight"), ("zh", "批准文件")])
    def test_approval__to_print__stands_by_itself(self, run, work, session, tmp_path, lang, word):
        number, out = cleared(work), tmp_path / "a.html"
        answer = run("approval", number, "--out", out, lang=lang)
        assert answer.exit_code == 0, answer.output
        page = out.read_text(encoding="utf-8")
        assert word in page
        assert document(session, number)["document_sha256"] in page
        assert "<script" not in page
        assert "src=" not in page

    def test_sheet__text_and_json(self, run, work, past_the_judge):
        number = cleared(work)
        assert "Nothing has to be filed" in run("sheet", number).stdout
        assert "适飞空域" in run("sheet", number, lang="zh").stdout
        change(past_the_judge, LAYER)
        told = run("sheet", number).stdout
        assert "2025-07-01 12:00" in told
        assert "MISSED by 22 h 0 min" in told
        body = json.loads(run("sheet", number, "--json").stdout)
        assert (body["needs"], body["held"], body["too_late"]) == ("approval", False, True)

    def test_sheet__no_such_flight__404(self, run):
        assert run("sheet", "FL-NONE").exception.status == 404


def test_public_role__sees_no_approval(database):
    with connect(database, "skywarden_public") as public, pytest.raises(psycopg.errors.InsufficientPrivilege):
        public.execute("SELECT approval FROM core.flight")


def test_public_views__none_reads_an_approval(session):
    """It names people and zones."""
    views = session.execute(text("SELECT definition FROM pg_views WHERE schemaname = 'public_map'")).scalars().all()
    assert views
    assert not any("f.approval" in definition for definition in views)
