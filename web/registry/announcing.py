"""The publisher's desk: what waits to be announced, each channel with its receipt, the clock, and ends of use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy import select

from geo import commands, queries
from geo.commands.dispatches import send_again, send_notice
from geo.commands.publications import OWN_CHANNEL
from geo.notices import Published
from geo.wording import stop_text
from schemas.machine import state_tables
from schemas.refusals import RuleViolation
from schemas.roles import Role
from schemas.rules.violations import Text
from schemas.store.work import Work
from schemas.tables import Announcement, Device, Dispatch, PatrolArea
from web.errors import wants_page
from web.i18n import current_language, days_left, gettext, in_words, joined, ngettext, weekday
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.overview import desk_map
from web.registry import publishing, words
from web.registry.publishing import ChannelLine, Row
from web.registry.steps import Field, Step, ahead, holds, moment_of, one_of, text_of, typed, unreadable
from web.registry.words import capital

section = Section("registry_announcing", __name__, Audience.REGISTRY)
_PUBLISHERS = [Role.OFFICER, Role.PLANNER, Role.UNIT_HEAD]


@section.page("/registry/publication", GET=Permission.PUBLISH)
def desk() -> str:
    """What waits to be announced, what is being sent, which clocks run, and what may be taken up again."""
    with services().work(current_actor()) as work:
        waits = publishing.section(work, publishing.TO_ANNOUNCE, "approved")
        running = publishing.section(work, {}, publishing.NOTICE)
        stopped = publishing.section(work, publishing.STOPPED, "suspended")
        sending = publishing.under_way(work)
        reshaped = publishing.reshaped(work)
        return render_template(
            "registry/publication.html",
            headline=_headline(waits.total + len(reshaped), sum(one.stuck for one in sending)),
            waits=waits,
            reshaped=reshaped,
            running=running,
            soonest=sorted(running.rows, key=lambda row: row.notice.earliest or date.max),
            stopped=stopped,
            sending=sending,
            says=words,
        )


def _headline(waits: int, stuck: int) -> str:
    head = ngettext("%(num)d approval waits to be announced", "%(num)d approvals wait to be announced", waits)
    if not waits:
        head = gettext("Nothing waits to be announced")
    if not stuck:
        return head
    more = ngettext("%(num)d notice did not get through", "%(num)d notices did not get through", stuck)
    return gettext("%(now)s; %(waits)s", now=head, waits=more)


@section.page("/registry/publication/<public_id>", GET=Permission.PUBLISH, POST=Permission.PUBLISH)
def subject(public_id: str) -> Response:
    """One subject: what the public will read, what each channel carries, and the steps that may be taken."""
    if request.method == "GET":
        return _page(public_id)
    step = request.form.get("step", "")
    try:
        with services().work(current_actor()) as work:
            found = publishing.subject_of(work, public_id)
            if step not in STEPS:
                raise unreadable("step", step, ", ".join(STEPS))
            STEPS[step](work, found)
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(public_id, refused, step)
    return make_response(redirect(f"/registry/publication/{public_id}?done={step}", 303))


# -- what is done -----------------------------------------------------------------------------------------


def _send(work: Work, found: Published) -> None:
    send_notice(work, found, channel=text_of("channel"))


def _again(work: Work, found: Published) -> None:
    name = text_of("dispatch")
    wanted = select(Dispatch).where(Dispatch.public_id == name, Dispatch.subject_id == found.id)
    row = work.session.scalars(wanted).one_or_none()
    if row is None:
        raise unreadable("dispatch", name, "DC-…")
    send_again(work, row)


def _show(work: Work, found: Published) -> None:
    commands.record_publication(work, found, channel=OWN_CHANNEL)


def _receipt(work: Work, found: Published) -> None:
    at = moment_of("at")
    commands.record_publication(work, found, channel=text_of("channel"), receipt_id=text_of("receipt"), published_at=at)


def _begin(work: Work, found: Published) -> None:
    commands.publish(work, found)


def _withdraw(work: Work, found: Published) -> None:
    commands.withdraw_publication(work, found, channel=text_of("channel"), reason=text_of("reason"))


def _stop(work: Work, found: Published) -> None:
    kind = one_of("kind", words.STOPS)
    texts = {"reason": text_of("reason"), "text_en": text_of("text_en"), "text_zh": text_of("text_zh")}
    if kind == "retired":
        commands.retire(work, found, **texts)
    elif isinstance(found, Device):
        commands.discontinue_device(work, found, **texts)
    else:
        commands.suspend(work, found, **texts)


def _area(found: Published) -> PatrolArea:
    if not isinstance(found, PatrolArea):
        raise unreadable("step", found.__tablename__, PatrolArea.__tablename__)
    return found


def _show_change(work: Work, found: Published) -> None:
    commands.record_change_publication(work, _area(found), channel=OWN_CHANNEL)


def _receipt_change(work: Work, found: Published) -> None:
    told = {"channel": text_of("channel"), "receipt_id": text_of("receipt")}
    commands.record_change_publication(work, _area(found), **told, published_at=moment_of("at"))


def _apply_change(work: Work, found: Published) -> None:
    commands.apply_change(work, _area(found))


STEPS: Mapping[str, Callable[[Work, Published], None]] = {
    "send": _send,
    "again": _again,
    "show": _show,
    "receipt": _receipt,
    "begin": _begin,
    "withdraw": _withdraw,
    "stop": _stop,
    "show_change": _show_change,
    "receipt_change": _receipt_change,
    "apply_change": _apply_change,
}


# -- the page ---------------------------------------------------------------------------------------------


def _page(public_id: str, refused: RuleViolation | None = None, step: str = "") -> Response:
    with public_connection() as public:
        config = desk_map(public)
    with services().work(current_actor()) as work:
        found = publishing.subject_of(work, public_id)
        row = publishing.row_of(work, found)
        lines = publishing.channels_of(work, found, services().channels)
        pack = work.pack_for(found)
        page = render_template(
            "registry/announce.html",
            row=row,
            headline=_sentence(row, lines),
            missing=_missing(row) if row.state in ("reviewed", "approved", "discontinued", "suspended") else "",
            lines=lines,
            preview=publishing.preview(work.session, found, pack),
            need=pack["publication.min_channels"],
            begin=_step_to_begin(work, found),
            ends=_steps_to_end(work, found),
            told=_announcements(work, found),
            changes=_steps_of_change(work, found),
            config=config,
            refusals=refused.render(current_language()) if refused else [],
            tried=step,
            typed=typed() if refused else {},
            says=words,
            in_use=found.state in publishing.IN_USE,
            public_url=_public_url(found) if found.state not in ("reviewed", "approved", "checked", "draft") else "",
            work_on="" if row.kind != "device" else f"/registry/device/{row.public_id}",
        )
    return make_response(page, refused.status if refused else 200)


def _public_url(found: Published) -> str:
    branch = {"device": "device", "patrol_area": "area", "patrol_route": "route"}.get(found.__tablename__)
    return f"/{branch}/{found.public_id}" if branch else ""


def _sentence(row: Row, lines: list[ChannelLine]) -> str:
    """The answer first: whether it is announced, and from when it may be used."""
    name = capital(in_words(row.name))
    earliest = row.notice.earliest
    if row.state in ("active", "effective"):
        return gettext("%(name)s is announced and in use", name=name)
    if row.state in ("maintenance", "blocked", "retired"):
        return gettext("%(name)s: %(state)s", name=name, state=words.state(row.state))
    if row.state == "published" and earliest is not None:
        if earliest <= today():
            return gettext(
                "The notice period of %(name)s is over: it may be used since %(day)s", name=name, day=earliest
            )
        left = days_left(earliest, today())
        told = {"name": name, "day": weekday(earliest), "left": left}
        return gettext("%(name)s may be used from %(day)s, %(left)s", **told)
    if earliest is not None:
        told = {"name": name, "day": weekday(earliest)}
        return gettext("%(name)s stands on enough channels: begin its notice period, which ends on %(day)s", **told)
    if any(line.carries for line in lines):
        return gettext("%(name)s is announced in part", name=name)
    return gettext("%(name)s is not announced", name=name)


def _missing(row: Row) -> str:
    """Which channels are missing before its notice period may begin."""
    missing = []
    if row.notice.official_missing:
        missing.append(gettext("The official platform is missing."))
    further = row.notice.further_missing
    if further:
        said = ngettext("%(num)d further channel is missing.", "%(num)d further channels are missing.", further)
        missing.append(said)
    return joined(*missing)


def _step_to_begin(work: Work, found: Published) -> Step | None:
    transition = state_tables()[found.__machine__].find("publish", found.state)
    if transition is None:
        return None
    return Step(
        name="begin",
        title=gettext("Begin the notice period"),
        button=gettext("Begin the notice period"),
        refusals=ahead(work, found, transition),
        mine=holds(work, _PUBLISHERS, found.authority_id),
    )


def _steps_to_end(work: Work, found: Published) -> list[Step]:
    """Taking out of use and giving up, with words to begin from; for the unit head."""
    table = state_tables()[found.__machine__]
    pack = work.pack_for(found)
    kinds = {
        "discontinue": ("discontinued", gettext("Take it out of use"), gettext("Take out of use and announce")),
        "suspend": ("suspended", gettext("Suspend it"), gettext("Suspend and announce")),
        "retire": ("retired", gettext("Give it up for good"), gettext("Give up and announce")),
    }
    steps = []
    for name, (kind, title, button) in kinds.items():
        if table.find(name, found.state) is None:
            continue
        said = stop_text(work.session, found, pack, kind, today().isoformat())
        steps.append(
            Step(
                name="stop",
                title=title,
                button=button,
                fields=(
                    Field("reason", gettext("Reason, for the record"), most=500),
                    Field("text_zh", gettext("Announcement in Chinese"), "area", value=said["zh"], lang="zh-CN"),
                    Field("text_en", gettext("Announcement in English"), "area", value=said["en"], lang="en"),
                ),
                follows=_follows(kind),
                mine=holds(work, [Role.UNIT_HEAD], found.authority_id),
                who=(Role.UNIT_HEAD.value,),
                hidden={"kind": kind},
                heavy=True,
            )
        )
    return steps


def _steps_of_change(work: Work, found: Published) -> list[Step]:
    """What is to be done with another shape that was approved for an area in force (GD-16.3, G-6)."""
    change = queries.change_of(work.session, found) if isinstance(found, PatrolArea) else None
    if change is None or change.approved_on is None:
        return []
    pack = work.pack_for(found)
    others = tuple((code, in_words(_pair(one.title))) for code, one in pack.channels.items() if code != OWN_CHANNEL)
    transition = state_tables()[found.__machine__].find("revise", found.state)
    publishes = holds(work, _PUBLISHERS, found.authority_id)
    share = f"{100 * change.iou:.0f} %"
    follows = gettext("The new shape has %(n)s in common with the present one, which stays until then.", n=share)
    shown = gettext("Show it on the public map")
    receipt = gettext("Record a receipt by hand")
    applied = gettext("Put the new shape into force")
    return [
        Step(name="show_change", title=shown, button=shown, follows=follows, mine=publishes),
        Step(
            name="receipt_change",
            title=receipt,
            button=gettext("Record the receipt"),
            mine=publishes,
            fields=(
                Field("channel", gettext("Channel"), "select", options=others),
                Field("receipt", gettext("Number of the receipt")),
                Field("at", gettext("It appeared at"), "moment"),
            ),
        ),
        Step(
            name="apply_change",
            title=applied,
            button=applied,
            mine=holds(work, [Role.UNIT_HEAD], found.authority_id),
            who=(Role.UNIT_HEAD.value,),
            refusals=ahead(work, found, transition) if transition else (),
        ),
    ]


def _pair(title: Text) -> dict[str, str]:
    return {"en": title.en, "zh": title.zh}


def _follows(kind: str) -> str:
    if kind == "retired":
        return gettext("It cannot be used again. Its history stays public.")
    return gettext("The announcement appears at once. Using it again needs a new notice, and the days begin anew.")


def _announcements(work: Work, found: Published) -> list[Announcement]:
    wanted = select(Announcement).where(
        Announcement.subject_kind == found.__tablename__, Announcement.subject_id == found.id
    )
    return list(work.session.scalars(wanted.order_by(Announcement.announced_at.desc())))
