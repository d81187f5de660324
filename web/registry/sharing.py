"""Who else uses a device, for what and until when; the owner's unit head decides (GD-18.1, S03)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.commands.grants import grant_use, refuse_use, revoke_use
from geo.periods import answer_due
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Authority, Device, DeviceGrant
from web.i18n import current_language, gettext
from web.identity.request_identity import services
from web.registry.rules_of import rules_at
from web.registry.steps import Field, Step, holds, text_of, unreadable
from web.words import N_

STATES: Mapping[str, str] = {
    "requested": N_("Asked for"),
    "granted": N_("Granted"),
    "refused": N_("Refused"),
    "expired": N_("Over"),
    "revoked": N_("Revoked"),
}
LOOKS = {"requested": "soon", "granted": "on", "refused": "stop", "revoked": "stop"}
FIELDS: Mapping[str, str] = {"live": N_("live picture"), "records": N_("recordings"), "readings": N_("readings")}


@dataclass(frozen=True)
class Use:
    """The use of a device by another authority, and what may be done about it now."""

    public_id: str
    who: dict[str, str]
    item: dict[str, str]
    purpose: dict[str, str]
    fields: str
    valid_from: date
    valid_to: date
    state: str
    reason: str | None
    steps: tuple[Step, ...]

    @property
    def look(self) -> str:
        """The class of its mark."""
        return LOOKS.get(self.state, "off")


def in_words(fields: Iterable[str]) -> str:
    """The fields of a device that are shared, in the reader's language."""
    between = "、" if current_language() == "zh" else ", "
    return between.join(gettext(FIELDS[name]) for name in fields if name in FIELDS)


@dataclass(frozen=True)
class Asked:
    """One request for the use of a device as lists show it; `due_on` is set while it waits for an answer (GD-17)."""

    public_id: str
    device: str
    name: str
    owner: dict[str, str]
    who: dict[str, str]
    item: dict[str, str]
    purpose: dict[str, str]
    fields: str
    valid_from: date
    valid_to: date
    state: str
    reason: str | None
    due_on: date | None

    @property
    def look(self) -> str:
        """The class of its mark."""
        return LOOKS.get(self.state, "off")


def asked(db: Session, row: DeviceGrant) -> Asked:
    """A request as lists show it."""
    owner = row.device.authority
    return Asked(
        public_id=row.public_id,
        device=row.device.public_id,
        name=row.device.name,
        owner={"en": owner.name_en, "zh": owner.name_zh},
        who={"en": row.authority.name_en, "zh": row.authority.name_zh},
        item={"en": row.item.name_en, "zh": row.item.name_zh},
        purpose={"en": row.purpose_en, "zh": row.purpose_zh},
        fields=in_words(row.fields),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        state=row.state,
        reason=row.state_reason,
        due_on=reply_due(db, owner, row.asked_at) if row.state == "requested" else None,
    )


def reply_due(db: Session, owner: Authority, asked_at: datetime) -> date:
    """The day by which the owner of a device answers a request of that moment."""
    pack = rules_at(db, services().rulebook, owner, services().clock.now())
    return answer_due(pack, "sharing.reply_due", asked_at)


def uses_of(work: Work, device: Device) -> list[Use]:
    """Every use that was asked for, what waits first."""
    wanted = select(DeviceGrant).where(DeviceGrant.device_id == device.id)
    rows = work.session.scalars(wanted.order_by(DeviceGrant.state != "requested", DeviceGrant.asked_at.desc()))
    return [_use(work, device, row) for row in rows]


def _use(work: Work, device: Device, row: DeviceGrant) -> Use:
    return Use(
        public_id=row.public_id,
        who={"en": row.authority.name_en, "zh": row.authority.name_zh},
        item={"en": row.item.name_en, "zh": row.item.name_zh},
        purpose={"en": row.purpose_en, "zh": row.purpose_zh},
        fields=in_words(row.fields),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        state=row.state,
        reason=row.state_reason,
        steps=_steps(work, device, row),
    )


def _steps(work: Work, device: Device, row: DeviceGrant) -> tuple[Step, ...]:
    if not holds(work, [Role.UNIT_HEAD], device.authority_id):
        return ()
    # The number of the grant keeps the forms of several apart where one is refused.
    hidden = {"kind": row.public_id}
    reason = (Field("reason", gettext("Reason, for the record"), most=500),)
    grant, refuse, revoke = gettext("Let it be used"), gettext("Do not let it be used"), gettext("End its use by them")
    if row.state == "requested":
        return (
            Step("grant_use", grant, grant, reason, hidden=hidden),
            Step("refuse_use", refuse, refuse, reason, hidden=hidden, heavy=True),
        )
    return (Step("revoke_use", revoke, revoke, reason, hidden=hidden, heavy=True),) if row.state == "granted" else ()


def _named(work: Work, device: Device) -> DeviceGrant:
    name = text_of("kind", 40)
    wanted = select(DeviceGrant).where(DeviceGrant.public_id == name, DeviceGrant.device_id == device.id)
    row = work.session.scalars(wanted).one_or_none()
    if row is None:
        raise unreadable("kind", name, "DG-…")
    return row


def _grant(work: Work, device: Device) -> None:
    grant_use(work, _named(work, device), reason=text_of("reason"))


def _refuse(work: Work, device: Device) -> None:
    refuse_use(work, _named(work, device), reason=text_of("reason"))


def _revoke(work: Work, device: Device) -> None:
    revoke_use(work, _named(work, device), reason=text_of("reason"))


COMMANDS: Mapping[str, Callable[[Work, Device], None]] = {
    "grant_use": _grant,
    "refuse_use": _refuse,
    "revoke_use": _revoke,
}
