"""The officer's commands on what citizens said, and the checkpoint to write down (GD-45.1)."""

import json
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from enforcement import commands
from enforcement.commands import NewComplaint
from schemas.actors import ANONYMOUS
from schemas.refusals import RuleViolation
from schemas.tables import Authority
from tests.proving import prove_all
from web.cli.common import State
from web.cli.main import skywarden

SAID = "The camera looks into my kitchen."


@pytest.fixture
def invoke(services, monkeypatch):
    monkeypatch.setattr("web.cli.common.build", lambda: services)
    monkeypatch.setattr(State, "close", lambda self: None)

    def run(*words):
        return CliRunner().invoke(skywarden, [str(word) for word in words])

    return run


@pytest.fixture
def number(services):
    with services.work(ANONYMOUS) as work:
        owner = work.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        new = NewComplaint(
            authority=owner,
            kind="complaint",
            said=SAID,
            lang="en",
            once=uuid.uuid4(),
            contact="x@example.org",
            about=("device", "DV-DV1"),
        )
        made = commands.receive(work, new).public_id
        work.commit()
    return made


def test_GD_45_1__complaint__listed_shown_handled_and_answered(invoke, number):
    assert number in invoke("complaint", "list", "--as", "O1").output
    shown = invoke("complaint", "show", number, "--as", "O1").output
    assert SAID in shown
    assert "about device DV-DV1" in shown
    handled = invoke("complaint", "handle", number, "--outcome", "justified", "--note", "Seen.", "--as", "O1")
    assert handled.exit_code == 0, handled.exception
    without = invoke("complaint", "reply", number, "--words", "Right.", "--as", "O1")
    assert isinstance(without.exception, RuleViolation), "what was justified is put right in public"
    told = ("--told-en", "A camera was turned away.", "--told-zh", "已调整摄像头。")
    answered = invoke("--lang", "zh", "complaint", "reply", number, "--words", "Right.", *told, "--as", "O1")
    assert answered.exit_code == 0, answered.exception
    assert number not in invoke("complaint", "list", "--as", "O1").output
    late = json.loads(invoke("complaint", "list", "--answered", "--json", "--as", "O1").output)["complaints"]
    assert [one["state"] for one in late if one["id"] == number] == ["replied"]


@pytest.mark.parametrize("person", ["F1", None])
def test_GD_45_1__complaint__whoever_does_not_answer_for_it__reads_nothing(invoke, number, person):
    who = ("--as", person) if person else ()
    listed = invoke("complaint", "list", *who)
    assert isinstance(listed.exception, RuleViolation)
    assert listed.exception.status == 403
    assert number not in listed.output
    shown = invoke("complaint", "show", number, *who)
    assert isinstance(shown.exception, RuleViolation)
    assert shown.exception.status == 404
    assert SAID not in shown.output
    decided = invoke("complaint", "handle", number, "--outcome", "unjustified", "--note", "x", *who)
    assert isinstance(decided.exception, RuleViolation)


def test_checkpoint__before_and_after_it_is_signed(invoke, services):
    early = invoke("ledger", "checkpoint")
    assert isinstance(early.exception, RuleViolation)
    prove_all(services)
    told = json.loads(invoke("ledger", "checkpoint", "--json").output)
    assert told["checkpoint"] in invoke("ledger", "checkpoint").output
    note = invoke("ledger", "checkpoint", "--note").output
    assert note.startswith("skywarden/")
    assert note.splitlines()[1] == told["checkpoint"].split(":")[0]


def test_GD_41_1__contact__told_by_the_authority_itself__stands_in_the_open_data(invoke, services):
    told = ("--person", "Duty officer", "--address", "1 New Road", "--channel", "+86 00 1111")
    for who in (("--as", "F1"), ("--as", "N1"), ()):
        assert isinstance(invoke("authority", "contact", "A1", *told, *who).exception, RuleViolation)
    without = invoke("authority", "contact", "A1", *told[:-1], " ", "--as", "O1")
    assert without.exception.refusals[0].rule == "GD-41.1"
    done = invoke("authority", "contact", "A1", *told, "--as", "O1")
    assert done.exit_code == 0, done.exception
    with services.public() as public:
        seen = text("SELECT contact_person, contact_address, contact_channel FROM public_map.open_devices LIMIT 1")
        assert tuple(public.execute(seen).one()) == ("Duty officer", "1 New Road", "+86 00 1111")
    assert "Duty officer" in invoke("authority", "list").output
