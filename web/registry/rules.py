"""Rules taken on: the overlays that an authority may switch for itself, and what each changes, in words (G-42)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy import select

from geo import commands
from schemas.refusals import RuleViolation
from schemas.rules import RulePack
from schemas.rules.overlays import Overlay
from schemas.rules.values import Days
from schemas.store.overlays import switched_on
from schemas.store.work import Work
from schemas.tables import Authority, OverlaySwitch
from web.errors import wants_page
from web.i18n import current_language, gettext, in_words, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.registry.reach import Office, asked_office, below, offices, own
from web.registry.rules_of import base_of
from web.registry.steps import one_of, text_of, typed
from web.words import N_

section = Section("registry_rules", __name__, Audience.REGISTRY)

# What a key of the rules means, for somebody who decides about it.
KEYS: Mapping[str, str] = {
    "item.catalogue_only": N_("Only what stands in the catalogue of items is supervised"),
    "item.offsite_list_only": N_("Only items on the off-site list are supervised from afar"),
    "entity.written_notice": N_("A firm is told in writing before it is supervised from afar"),
    "entity.risk_plan": N_("Every firm has a risk plan of its own"),
    "alert.yellow_after_days": N_("An alert nobody has put right brings a yellow card after"),
    "alert.performance_after_days": N_("An alert nobody has put right enters the appraisal after"),
    "view.faults": N_("Faults of a view that must be put right"),
    "patrol.daily_record": N_("Patrols are recorded every day"),
    "publish.updates_per_month": N_("News published each month, at least"),
    "publish.exposure_per_month": N_("Typical cases published each month, at least"),
    "behaviour.export_due": N_("Records of supervision are handed on within"),
    "data.databases": N_("Databases that are kept"),
    "case.leniency_step": N_("Before every penalty it is asked whether it can be waived or milder"),
    "case.stages": N_("Stages of a case, none left out"),
}
PARTS: Mapping[str, str] = {
    "wrong_position": N_("wrong position"),
    "insufficient": N_("too few views"),
    "offline": N_("offline"),
    "blurred": N_("blurred"),
    "items": N_("items"),
    "objects": N_("supervised firms"),
    "personnel": N_("personnel"),
    "behaviour": N_("supervision records"),
    "complaints": N_("complaints"),
    "credit": N_("credit"),
    "knowledge": N_("knowledge"),
    "cases": N_("cases"),
    "filing": N_("opening of the case"),
    "evidence": N_("evidence"),
    "notice": N_("notice"),
    "review": N_("review"),
    "decision": N_("decision"),
    "service": N_("service of documents"),
    "execution": N_("execution"),
}
_IN_DAYS = ("alert.yellow_after_days", "alert.performance_after_days")


@dataclass(frozen=True)
class Change:
    """One value that an overlay sets, in words: without it and with it."""

    key: str
    words: str
    before: str
    after: str
    source: str

    @property
    def same(self) -> bool:
        """Whether the law of the place asks for as much already."""
        return self.before == self.after


@dataclass(frozen=True)
class Shown:
    """An overlay as its authority sees it."""

    id: str
    title: dict[str, str]
    on: bool
    since: datetime | None
    reason: str
    changes: tuple[Change, ...]
    unsure: str


@section.page("/registry/rules", GET=Permission.READ_REGISTRY, POST=Permission.SWITCH_RULES)
def rules() -> Response:
    """What an authority has taken on, what each overlay changes, and the switch."""
    if request.method == "GET":
        return _page()
    try:
        overlay, turn = text_of("overlay"), one_of("turn", ("on", "off"))
        with services().work(current_actor()) as work:
            office = asked_office(_within(work), current_actor())
            authority = work.session.get_one(Authority, office.id)
            commands.switch_overlay(work, authority, overlay, on=turn == "on", reason=text_of("reason", 500))
            work.commit()
    except RuleViolation as refused:
        if not wants_page():
            raise
        return _page(refused)
    return make_response(redirect(f"/registry/rules?authority={office.code}&done=1#{overlay}", 303))


def _within(work: Work) -> list[Office]:
    actor = current_actor()
    return offices(work.session, below(work.session, own(actor, Permission.READ_REGISTRY)))


def _page(refused: RuleViolation | None = None) -> Response:
    with services().work(current_actor()) as work:
        within = _within(work)
        office = asked_office(within, current_actor())
        authority = work.session.get_one(Authority, office.id)
        base = base_of(work, authority)
        shown = [_shown(work, authority, base, overlay) for overlay in work.rulebook.overlays]
        on = sum(one.on for one in shown)
        page = render_template(
            "registry/rules.html",
            headline=ngettext(
                "%(who)s has taken on %(num)d work plan of %(all)s",
                "%(who)s has taken on %(num)d work plans of %(all)s",
                on,
                who=in_words(office.name),
                all=len(shown),
            ),
            base=base.title.zh if current_language() == "zh" else base.title.en,
            office=office,
            offices=within,
            overlays=shown,
            switches=office.id in own(current_actor(), Permission.SWITCH_RULES),
            refusals=refused.render(current_language()) if refused else [],
            typed=typed() if refused else {},
        )
    return make_response(page, refused.status if refused else 200)


def _shown(work: Work, authority: Authority, base: RulePack, overlay: Overlay) -> Shown:
    on = switched_on(work.session, authority.id)
    others = [name for name in on if name != overlay.id]
    day = base.local_date(work.now)
    without = work.rulebook.with_overlays(base, others, day)
    with_it = work.rulebook.with_overlays(base, [*others, overlay.id], day)
    told = select(OverlaySwitch).where(OverlaySwitch.authority_id == authority.id, OverlaySwitch.overlay == overlay.id)
    last = work.session.scalars(told.order_by(OverlaySwitch.recorded_at.desc()).limit(1)).first()
    keys = [*overlay.values, *(entry.key for entry in overlay.replace)]
    return Shown(
        id=overlay.id,
        title={"en": overlay.title.en, "zh": overlay.title.zh},
        on=overlay.id in on,
        since=last.recorded_at if last else None,
        reason=last.reason if last else "",
        changes=tuple(
            Change(
                key, key_words(key), value_words(key, without[key]), value_words(key, with_it[key]), with_it.source(key)
            )
            for key in keys
        ),
        unsure=_listed([key_words(key) for key in overlay.needs_legal_review]),
    )


def key_words(key: str) -> str:
    """What a key of the rules is about."""
    known = KEYS.get(key)
    return gettext(known) if known else key


def value_words(key: str, value: Any) -> str:  # noqa: ANN401 - whatever a pack holds
    """A value of the rules, as people say it."""
    if value is None:
        return gettext("not set")
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, Days):
        if value.kind.value == "working":
            return ngettext("%(num)d working day", "%(num)d working days", value.count)
        return ngettext("%(num)d day", "%(num)d days", value.count)
    if isinstance(value, tuple | list):
        return _listed([gettext(PARTS[part]) if part in PARTS else str(part) for part in value]) or gettext("none")
    if key in _IN_DAYS:
        return ngettext("%(num)d day", "%(num)d days", value)
    return str(value)


def _listed(said: list[str]) -> str:
    return ("、" if current_language() == "zh" else ", ").join(said)
