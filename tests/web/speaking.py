"""What citizens said, asked for and want to know, for tests of what nobody else may read of it."""

from __future__ import annotations

import uuid

from shapely.geometry import box
from sqlalchemy import select

from enforcement import commands
from enforcement.commands import NewComplaint, NewCorrection
from geo.commands import NewRequest, ask_zone
from schemas.actors import ANONYMOUS
from schemas.tables import Authority
from web.asking import subscriptions
from web.asking.subscriptions import NewSubscription
from web.wiring import Services

HERE = box(113.2640, 23.1330, 113.2643, 23.1332)
RIGHT = NewCorrection("A notice was corrected.", "已更正一则公示。")
SUBSCRIBER = "SECRET-subscriber@example.org"


def speak(services: Services) -> None:
    """A complaint that was answered, a zone that is asked for, a subscription, and an error put right unasked."""
    with services.work(ANONYMOUS) as work:
        owner = work.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        words = {"kind": "error", "said": "x", "lang": "en", "contact": "x", "about": ("device", "DV-DV1")}
        name = commands.receive(work, NewComplaint(authority=owner, once=uuid.uuid4(), **words)).public_id
        work.commit()
    with services.work(services.actor("O1")) as work:
        commands.handle(work, name, outcome="justified", note="x")
        work.commit()
    with services.work(services.actor("O1")) as work:
        commands.reply(work, name, "x", correction=RIGHT)
        work.commit()
    with services.work(services.actor("H1")) as work:
        commands.correct(work, work.session.get_one(Authority, owner.id), RIGHT)
        work.commit()
    with services.work(ANONYMOUS) as work:
        told = {"place_text": "x", "reason": "x", "asked_by": "x", "contact": "x"}
        ask_zone(work, NewRequest(authority=work.session.get_one(Authority, owner.id), shape=HERE, **told))
        work.commit()
    with services.housekeeping() as db:
        subscriptions.ask(db, NewSubscription(SUBSCRIBER, HERE, "x", "en"), services.clock.now())
