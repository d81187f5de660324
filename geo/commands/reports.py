"""Commands on the annual report of newly added devices: submitted by the unit head, received above (GD-13.3)."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import rfc8785
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.commands.common import role_missing
from geo.due import AnnualReport as Draft
from geo.due import annual_report
from schemas.ids import new_id, public_id
from schemas.refusals import conflict, invalid, not_found
from schemas.roles import Role
from schemas.rules import RulePack
from schemas.store.work import Work
from schemas.tables import AnnualReport, Authority
from schemas.words import Coded

_RECORDERS = (Role.UNIT_HEAD, Role.OFFICER, Role.PLANNER)


def report_of(session: Session, authority: Authority, year: int) -> AnnualReport | None:
    """The report that an authority has submitted for a year, or None."""
    wanted = select(AnnualReport).where(AnnualReport.authority_id == authority.id, AnnualReport.year == year)
    return session.scalars(wanted).one_or_none()


def report_document(draft: Draft, authority: Authority, pack: RulePack) -> dict[str, Any]:
    """A report as a JSON object: what is submitted, hashed and downloaded."""
    return {
        "authority": {"code": authority.code, "name": {"en": authority.name_en, "zh": authority.name_zh}},
        "year": draft.year,
        "addressee": draft.addressee,
        "due_on": draft.due_on.isoformat(),
        "rules": pack.reference,
        "devices": [
            {"id": name, "name": title, "first_used_on": first_used_on.isoformat()}
            for name, title, first_used_on in draft.devices
        ],
    }


def submit_report(work: Work, authority: Authority, pack: RulePack, year: int) -> AnnualReport:
    """Submits the report of a year as the devices say it now; `pack` are the rules of the authority's place."""
    if not work.actor.has(Role.UNIT_HEAD, authority.id):
        raise role_missing(Coded("subject", ["annual_report"], f" {year}"), "submit", (Role.UNIT_HEAD,))
    today = pack.local_date(work.now)
    if year > today.year:
        raise invalid("GD-13.3", "report.too_early", measured=str(year), required=str(today.year))
    if report_of(work.session, authority, year) is not None:
        raise conflict("GD-13.3", "report.twice", measured=str(year))
    draft = annual_report(work.session, authority, pack, year)
    document = rfc8785.dumps(report_document(draft, authority, pack))
    row = AnnualReport(
        id=new_id(),
        public_id=public_id("AR"),
        authority_id=authority.id,
        year=year,
        addressee=draft.addressee,
        due_on=draft.due_on,
        document=document.decode(),
        content_sha256=hashlib.sha256(document).hexdigest(),
        submitted_on=today,
        submitted_by=work.actor.person_id,
    )
    work.session.add(row)
    body = {"report": row.public_id, "year": year, "devices": len(draft.devices), "sha256": row.content_sha256}
    work.record("annual_report.submit", "authority", authority.id, body)
    return row


def record_report_receipt(
    work: Work, authority: Authority, pack: RulePack, year: int, *, receipt_no: str, received_on: date | None
) -> AnnualReport:
    """Records the receipt of the government that a report went to, once."""
    if not any(work.actor.has(role, authority.id) for role in _RECORDERS):
        raise role_missing(Coded("subject", ["annual_report"], f" {year}"), "record_receipt", _RECORDERS)
    row = report_of(work.session, authority, year)
    if row is None:
        raise not_found("GD-13.3", "report.none", measured=str(year))
    today = pack.local_date(work.now)
    if not receipt_no.strip() or received_on is None or not row.submitted_on <= received_on <= today:
        measured = f"{receipt_no.strip() or '—'}, {received_on or '—'}"
        raise invalid("GD-13.3", "report.receipt", measured=measured, required=row.submitted_on.isoformat())
    row.receipt_no, row.received_on = receipt_no.strip(), received_on
    body = {"report": row.public_id, "year": year, "receipt": row.receipt_no, "on": received_on.isoformat()}
    work.record("annual_report.receive", "authority", authority.id, body)
    return row
