"""Citizens of the fictional district speak: a complaint that was answered and put right, and three that wait.

All of it goes the way of a citizen's form and of an officer's desk, so that the ledger has witnessed it.
"""

from __future__ import annotations

import uuid

from shapely.geometry import Polygon
from sqlalchemy import select

from enforcement import commands
from enforcement.commands import NewComplaint, NewCorrection
from geo.commands import NewRequest, ask_zone
from schemas.actors import ANONYMOUS
from schemas.store.work import Work
from schemas.tables import Authority, Device, PatrolRoute
from web.wiring import Services

_RIGHT = NewCorrection(
    "The purpose on the page of a noise meter said more than it measures; it was worded anew (fictional).",
    "一台噪声监测仪页面上的用途表述超出其实际监测内容，已重新表述（虚构）。",
)
_COURT = Polygon([(113.2536, 23.1362), (113.2539, 23.1362), (113.2539, 23.1364), (113.2536, 23.1364)])


def speak(services: Services) -> None:
    """Sends what citizens of the district have to say, and answers the first of it."""
    noise = ("device", _shown(services, "noise"))
    answered = _say(
        services,
        kind="error",
        about=noise,
        lang="en",
        said="Its page says that it watches homes. Does it record what people say? (fictional)",
    )
    _answer(services, answered)
    camera = ("device", _shown(services, "video"))
    _say(services, kind="complaint", about=camera, lang="zh", said="这台摄像头是否会拍到我家厨房窗户？（虚构）")
    _say(services, kind="question", about=("patrol_route", _route(services)), lang="en", said=_WHEN)
    with services.work(ANONYMOUS) as work:
        told = {
            "place_text": "7 Lock Lane (fictional) · 船闸巷7号（虚构）",
            "reason": "A shelter; whoever lives there must not be seen. (fictional) · 庇护所，住户不得被看到。（虚构）",
            "asked_by": "A resident (fictional) · 居民（虚构）",
            "contact": "+86 00 0000 0001",
        }
        ask_zone(work, NewRequest(authority=_bureau(work), shape=_COURT, sensitive=True, **told))
        work.commit()


_WHEN = "At what hours may the drone fly over the school road, and how low? (fictional)"


def _say(services: Services, *, kind: str, about: tuple[str, str], lang: str, said: str) -> str:
    with services.work(ANONYMOUS) as work:
        new = NewComplaint(authority=_bureau(work), kind=kind, said=said, lang=lang, once=uuid.uuid4(), about=about)
        name = commands.receive(work, new).public_id
        work.commit()
    return name


def _answer(services: Services, name: str) -> None:
    with services.work(services.actor("O1")) as work:
        commands.handle(work, name, outcome="justified", note="It keeps levels alone, never sound. (fictional)")
        work.commit()
    with services.work(services.actor("O1")) as work:
        words = "It keeps levels in decibel, never sound. You were right that its page did not say so. (fictional)"
        commands.reply(work, name, words, correction=_RIGHT)
        work.commit()


def _bureau(work: Work) -> Authority:
    return work.session.scalars(select(Authority).where(Authority.code == "A1")).one()


def _shown(services: Services, kind: str) -> str:
    with services.session() as session:
        of_kind = (Device.device_type == kind) & (Device.state == "active") & Device.secret.is_(False)
        return session.scalars(select(Device.public_id).where(of_kind).order_by(Device.public_id).limit(1)).one()


def _route(services: Services) -> str:
    with services.session() as session:
        in_force = select(PatrolRoute.public_id).where(PatrolRoute.state == "effective")
        return session.scalars(in_force.order_by(PatrolRoute.code).limit(1)).one()
