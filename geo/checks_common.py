"""What must hold for any place that is proposed, approved and published (GD-02, GD-14, GD-16, IR-1)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from shapely.geometry import mapping

from geo import notices
from geo.content import content_sha256
from geo.publication import notice
from schemas.machine import Context, label
from schemas.refusals import Refusal, refuse
from schemas.store.places import rule_shape
from schemas.tables import Announcement, Authority, Publication, SitingPlan, SupervisionItem
from schemas.words import Coded

# Of a revoked plan it is told when it was revoked. A site of an amended one is no longer asked for.
_APPROVED = ("approved", "revoked")


def place_has_rules(context: Context) -> Iterable[Refusal]:
    """GD-02.1: the whole of the place lies where the rule pack applies."""
    shape = rule_shape(context.session, context.subject)
    outside = shape.difference(context.pack.jurisdiction.geometry)
    if not outside.is_empty:
        yield refuse("GD-02.1", "site.no_rules", required=context.pack.id, place=mapping(outside))


def item_cited(context: Context) -> Iterable[Refusal]:
    """IR-1, LF-10: the subject names an item of the catalogue, and one that may be supervised from afar.

    Both hold for the authorities that have switched these rules on (G-42).
    """
    item_id = context.subject.item_id
    yield from item_refusals(context, None if item_id is None else context.session.get(SupervisionItem, item_id))


def item_refusals(context: Context, item: SupervisionItem | None) -> Iterable[Refusal]:
    """IR-1, LF-10: why a subject may not be supervised under an item, or under none."""
    if item is None and context.pack["item.catalogue_only"]:
        yield refuse("IR-1", "site.no_item", subject=label(context.subject))
    elif context.pack["item.offsite_list_only"] and (item is None or not item.offsite_allowed):
        measured = item.code if item else "—"
        yield refuse("LF-10", "site.item_unlisted", subject=label(context.subject), measured=measured)


def approver_is_not_author(context: Context) -> Iterable[Refusal]:
    """GD-16.1: whoever approves did not draft it; where nobody knows who did, the answer is no."""
    author_id = context.subject.author_id
    if author_id is None:
        yield refuse("GD-16.1", "site.no_author", subject=label(context.subject))
    elif author_id == context.actor.person_id:
        yield refuse("GD-16.1", "site.own_draft", subject=label(context.subject))


def siting_plan_refusals(context: Context, rule: str, siting_plan_id: UUID | None) -> Iterable[Refusal]:
    """The refusals, under `rule`, of leaning on a siting plan of others, or not approved as the pack asks."""
    level = context.pack["siting.approver_level"]
    if level is None:
        return
    plan = context.session.get(SitingPlan, siting_plan_id) if siting_plan_id else None
    if plan is None or plan.state not in _APPROVED or not _dated(plan, context.today) or not plan.approval_no:
        yield refuse(rule, "site.plan_not_approved", required=Coded("level", [level]))
        return
    if plan.authority_id != context.subject.authority_id:
        yield refuse(rule, "site.plan_of_others", number=plan.approval_no, subject=label(context.subject))
    if plan.revoked_on is not None and plan.revoked_on <= context.today:
        yield refuse(rule, "site.plan_revoked", measured=plan.revoked_on.isoformat(), number=plan.approval_no)
    approver_id = plan.approver_authority_id
    approver = context.session.get(Authority, approver_id) if approver_id else None
    if approver is None or approver.level != level:
        measured = Coded("level", [approver.level]) if approver else "—"
        yield refuse(rule, "site.plan_wrong_level", measured=measured, required=Coded("level", [level]))


def _dated(plan: SitingPlan, today: date) -> bool:
    return plan.approved_on is not None and plan.approved_on <= today


def official_channel(context: Context) -> Iterable[Refusal]:
    """GD-14.2: the official disclosure platform carries the publication."""
    missing = notices.current(context.session, context.subject, context.pack).official_missing
    if missing:
        yield refuse("GD-14.2", "notice.official_missing", required=missing, channels=_channels(context, True))


def further_channel(context: Context) -> Iterable[Refusal]:
    """GD-14.3: another channel that is convenient to the public carries it too."""
    missing = notices.current(context.session, context.subject, context.pack).further_missing
    if missing:
        yield refuse("GD-14.3", "notice.further_missing", required=missing, channels=_channels(context, False))


def _channels(context: Context, official: bool) -> str:
    return ", ".join(code for code, channel in context.pack.channels.items() if channel.official is official)


def fresh_publication(context: Context) -> Iterable[Refusal]:
    """GD-14.4: what was published is what is true now, and after the last time of being out of use."""
    content = content_sha256(context.session, context.subject)
    stopped_at = notices.stopped_at(context.session, context.subject)
    stopped_on = context.pack.local_date(stopped_at).isoformat() if stopped_at else ""
    republish = context.pack["publication.resume_requires_republish"]
    for row in notices.appearances(context.session, context.subject, context.pack):
        if row.content_sha256 != content:
            yield refuse("GD-14.4", "notice.other_content", channel=row.channel, receipt=row.receipt_id)
        if republish and stopped_at is not None and row.published_at < stopped_at:
            yield refuse("GD-14.4", "notice.before_stop", channel=row.channel, required=stopped_on)


def notice_period_over(context: Context) -> Iterable[Refusal]:
    """GD-14.2: the days of notice have run since the later of the channels."""
    content = content_sha256(context.session, context.subject)
    standing = notices.appearances(context.session, context.subject, context.pack)
    made = notice(notices.counted(row for row in standing if row.content_sha256 == content), context.pack)
    if made.over_on(context.today):
        return
    if made.earliest is None:
        yield _not_running(context, standing, content)
        return
    yield refuse(
        "GD-14.2",
        "notice.too_early",
        earliest=made.earliest,
        measured=(context.today - made.started_on).days if made.started_on else None,
        required=context.pack["publication.lead_days"],
        today=context.today.isoformat(),
    )


def _not_running(context: Context, standing: Iterable[Publication], content: str) -> Refusal:
    other = [row.channel for row in standing if row.content_sha256 != content]
    if other:
        return refuse("GD-14.2", "notice.other_content", channel=", ".join(other), receipt="—")
    return refuse("GD-14.2", "notice.not_started", subject=label(context.subject))


def announced(context: Context) -> Iterable[Refusal]:
    """GD-14.4: the end of use has been announced; nothing is announced of what was secret (GD-14.6)."""
    subject = context.subject
    if getattr(subject, "secret", False):
        return
    announcement_id = context.params.get("announcement_id")
    made = context.session.get(Announcement, announcement_id) if announcement_id else None
    told = made is not None and (made.subject_kind, made.subject_id) == (subject.__tablename__, subject.id)
    if made is None or not told or made.announced_at > context.now:
        yield refuse("GD-14.4", "notice.not_announced", subject=label(subject))
