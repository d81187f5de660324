"""What tests of commands on devices say again and again."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from geo import commands
from geo.attachments import File
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import Device

PAPER = File("a" * 64, 1_000, "application/pdf", "paper.pdf")
PHOTO = File("b" * 64, 1_000, "image/jpeg", "sign.jpg")


def answered(pack, kind, **answers):
    """Answers that pass every item of a check-list, but for those given, with the files and words that it asks for."""
    items = dict.fromkeys(pack[f"review.{kind}.items"], True) | answers
    return commands.Answers(
        items=items,
        texts={item: "It is not so." for item, passed in items.items() if not passed},
        files={item: [PAPER] for item in pack["review.attachments"] if item in items},
        standards=[standard.id for standard in pack.standards][:1] if kind == "technical" else [],
    )


def rules(caught):
    return {refusal.rule for refusal in caught.value.refusals}


def texts(caught):
    return {refusal.text for refusal in caught.value.refusals}


def state(services, public_id):
    with services.session() as session:
        return find(session, Device, public_id).state


def refused(work, code, public_id, command, **options):
    """The violation with which a command on a device is refused."""
    with pytest.raises(RuleViolation) as caught, work(code) as doing:
        command(doing, doing.get(Device, public_id), **options)
    return caught


def done(work, code, public_id, command, **options):
    """Does a command on a device, and commits."""
    with work(code) as doing:
        command(doing, doing.get(Device, public_id), **options)
        doing.commit()


def show(work, public_id, channel, code="O1", **receipt):
    done(work, code, public_id, commands.record_publication, channel=channel, **receipt)


def show_on_both(work, clock, public_id):
    show(work, public_id, "official_disclosure", receipt_id="GD-1", published_at=clock.now())
    show(work, public_id, "platform_map")


def discontinue(work, public_id):
    words = {"reason": "not needed", "text_en": "Ended.", "text_zh": "停用。"}
    done(work, "H1", public_id, commands.discontinue_device, **words)


def witnessed_when_published(past_the_judge):
    """Lets every publication have been recorded when it was made; tests play in a past that no database saw."""
    with past_the_judge() as session:
        session.execute(text("UPDATE core.publication SET recorded_at = published_at"))


def repaired(work, public_id):
    """Has the technical reviewer say that the cause of a stop is gone."""
    words = {"kind": "repair", "text": "Put back and fastened.", "done_by": "A1"}
    done(work, "T1", public_id, commands.record_upkeep, **words)
