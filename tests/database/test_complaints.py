"""What citizens say: received, looked into and replied to by a day; errors are put right; nothing leaks (GD-45.1)."""

import uuid
from datetime import date, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from enforcement import commands, queries
from enforcement.commands import NewComplaint, NewCorrection
from schemas.actors import ANONYMOUS
from schemas.refusals import RuleViolation
from schemas.store import judge
from schemas.tables import Authority, Complaint
from tests.classified import make_secret
from tests.database.acting import rules, texts

SAID = "The camera at DV1 looks into my kitchen: canary-of-a-complaint."
CONTACT = "canary@example.org"
RIGHT = NewCorrection("The camera was turned away.", "已调整摄像头方向。")


def authority(doing, code="A1"):
    return doing.session.scalars(select(Authority).where(Authority.code == code)).one()


@pytest.fixture
def say(services):
    def run(code="A1", **options):
        with services.work(ANONYMOUS) as doing:
            said = {"kind": "complaint", "said": SAID, "lang": "en", "once": uuid.uuid4(), "contact": CONTACT}
            made = commands.receive(doing, NewComplaint(authority=authority(doing, code), **said | options))
            doing.commit()
        return made.public_id

    return run


@pytest.fixture
def handle(work):
    def run(name, outcome="justified", note="Looked at on site.", actor="O1"):
        with work(actor) as doing:
            commands.handle(doing, name, outcome=outcome, note=note)
            doing.commit()

    return run


@pytest.fixture
def reply(work):
    def run(name, words="You were right.", correction=RIGHT, actor="O1"):
        with work(actor) as doing:
            commands.reply(doing, name, words, correction=correction)
            doing.commit()

    return run


@pytest.mark.parametrize("about", [None, ("device", "DV-DV1"), ("patrol_area", "PA-PA1"), ("patrol_route", "RT-R1")])
def test_GD_45_1__anybody_says_something__received_with_a_number_and_a_day(say, session, about):
    name = say(about=about)
    assert name.startswith("CM-")
    found = queries.words_of(session, name)
    assert (found.state, found.due_on, found.said, found.contact) == ("received", date(2025, 7, 23), SAID, CONTACT)
    assert (found.about_kind, found.about_id) == (about or (None, None))
    assert queries.waiting(session, [found.authority_id]) == (found,)
    assert queries.waiting(session, [uuid.uuid4()]) == ()


@pytest.mark.parametrize(
    ("wrong", "text_key"),
    [
        ({"said": " \n"}, "complaint.empty"),
        ({"said": "x" * 4001}, "complaint.long"),
        ({"kind": "praise"}, "complaint.kind"),
        ({"about": ("device", "DV-NONE")}, "complaint.unknown_subject"),
        ({"about": ("device", "DV-\0")}, "complaint.unknown_subject"),
        ({"about": ("person", "PE-O1")}, "complaint.unknown_subject"),
    ],
)
def test_GD_45_1__nothing_said_or_about_nothing__refused(say, wrong, text_key):
    with pytest.raises(RuleViolation) as caught:
        say(**wrong)
    assert texts(caught) == {text_key}
    assert rules(caught) == {"GD-45.1"}


def test_GD_45_1__secret_device__refused_as_if_it_were_not_there(say, admin):
    make_secret(admin, "DV-DV1")
    with pytest.raises(RuleViolation) as caught:
        say(about=("device", "DV-DV1"))
    assert texts(caught) == {"complaint.unknown_subject"}


def test_GD_45_1__justified__handled_replied_and_put_right_in_public(say, handle, reply, session, services):
    name = say(about=("device", "DV-DV1"))
    handle(name)
    reply(name)
    found = queries.words_of(session, name)
    assert (found.state, found.outcome, found.reply) == ("replied", "justified", "You were right.")
    assert queries.waiting(session, [found.authority_id]) == ()
    assert queries.answered(session, [found.authority_id]) == (found,)
    with services.public() as public:
        (told,) = public.execute(text("SELECT * FROM public_map.corrections")).mappings().all()
    assert (told["about_id"], told["text_en"], told["corrected_on"]) == ("DV-DV1", RIGHT.text_en, date(2025, 7, 2))


def test_GD_45_1__correction_of_a_device_that_became_secret__told_no_more(say, handle, reply, services, admin):
    name = say(about=("device", "DV-DV1"))
    handle(name)
    reply(name)
    make_secret(admin, "DV-DV1")
    with services.public() as public:
        assert public.execute(text("SELECT * FROM public_map.corrections")).all() == []


@pytest.mark.parametrize(
    ("kind", "outcome"), [("question", "justified"), ("complaint", "answered"), ("error", "maybe"), ("error", "")]
)
def test_GD_45_1__outcome_that_does_not_fit__refused(say, handle, kind, outcome):
    name = say(kind=kind)
    with pytest.raises(RuleViolation) as caught:
        handle(name, outcome)
    assert texts(caught) == {"complaint.outcome"}


@pytest.mark.parametrize(
    ("outcome", "words", "correction", "text_key"),
    [
        ("justified", "Yes.", None, "complaint.no_correction"),
        ("unjustified", "No.", RIGHT, "complaint.nothing_to_correct"),
        ("unjustified", " ", None, "complaint.no_reply"),
        ("unjustified", "x" * 4001, None, "complaint.long"),
        ("justified", "Yes.", NewCorrection("Turned away.", " "), "complaint.correction_untold"),
    ],
)
def test_GD_45_1__reply_that_lacks_something__refused(say, handle, reply, outcome, words, correction, text_key):
    name = say()
    handle(name, outcome)
    with pytest.raises(RuleViolation) as caught:
        reply(name, words, correction)
    assert texts(caught) == {text_key}


def test_GD_45_1__reply_before_it_is_handled__refused(say, reply):
    with pytest.raises(RuleViolation) as caught:
        reply(say())
    assert texts(caught) == {"machine.unknown_transition"}


def test_GD_45_1__handled_without_a_note__refused(say, handle):
    with pytest.raises(RuleViolation) as caught:
        handle(say(), note=" ")
    assert texts(caught) == {"machine.reason"}


@pytest.mark.parametrize("actor", ["S1", "F1", "N1", "X1", "D1"])
def test_GD_45_1__whoever_does_not_answer__403(say, handle, actor):
    with pytest.raises(RuleViolation) as caught:
        handle(say(), actor=actor)
    assert caught.value.status == 403


def test_GD_45_1__past_the_day__late(say, session):
    found = queries.words_of(session, say())
    assert not found.is_late(date(2025, 7, 23))
    assert found.is_late(date(2025, 7, 24))


def test_GD_45_1__on_own_motion__corrected_in_public(work, services):
    with work("H1") as doing:
        made = commands.correct(doing, authority(doing), RIGHT, about=("device", "DV-DV1"))
        doing.commit()
    with services.public() as public:
        assert public.execute(text("SELECT public_id FROM public_map.corrections")).scalar_one() == made.public_id
    with pytest.raises(RuleViolation) as caught, work("F1") as doing:
        commands.correct(doing, authority(doing), RIGHT)
    assert caught.value.status == 403


def test_ledger__of_what_was_said__holds_a_hash_and_no_word(say, handle, reply, admin):
    name = say()
    handle(name, note="note-canary")
    reply(name, "reply-canary")
    told = "\n".join(str(row) for row in admin.execute("SELECT * FROM ledger.event").fetchall())
    assert "said_sha256" in told
    assert not [word for word in (SAID, "canary", CONTACT) if word in told]
    first = admin.execute("SELECT actor FROM ledger.event WHERE action = 'complaint.receive'").fetchone()
    assert first == ("anonymous",)


def test_register__of_few_people__tells_no_number(say, session, services):
    rows = text("SELECT kind, received, replied FROM public_map.complaints")
    for _ in range(4):
        say()
    with services.public() as public:
        assert public.execute(rows).all() == [("complaint", None, None)]
    say()
    with services.public() as public:
        assert public.execute(rows).all() == [("complaint", 5, 0)]


def test_form_sent_twice__one_complaint(say, session):
    once = uuid.uuid4()
    name = say(once=once)
    with pytest.raises(DBAPIError, match="uq_complaint_once"):
        say(once=once)
    assert queries.words_sent(session, once).public_id == name


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core.complaint SET said = 'something else'",
        "UPDATE core.complaint SET contact = NULL",
        "UPDATE core.complaint SET due_on = due_on + 30",
    ],
)
def test_GD_45_1__what_was_said__is_not_rewritten(say, services, statement):
    say()
    with pytest.raises(DBAPIError) as caught, services.housekeeping() as db:
        db.execute(text(statement))
    assert judge.translate(caught.value).refusals[0].text == "judge.complaint_is_final"


def test_GD_45_1__what_was_said__is_not_deleted(say, services):
    say()
    with pytest.raises(DBAPIError, match="permission denied for table complaint"), services.housekeeping() as db:
        db.execute(text("DELETE FROM core.complaint"))


def test_GD_43__contact__is_forgotten_after_the_reply(say, handle, reply, services, clock):
    name, open_still = say(), say()
    handle(name)
    reply(name)
    for days, forgotten in ((90, 0), (1, 1), (0, 0)):
        clock.advance(timedelta(days=days, seconds=1 if days == 1 else 0))
        with services.housekeeping() as db:
            assert commands.forget_contacts(db, clock.now()) == forgotten
    with services.session() as db:
        kept = {row.public_id: row.contact for row in db.scalars(select(Complaint))}
    assert kept == {name: None, open_still: CONTACT}
