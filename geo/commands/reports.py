"""The annual report of newly added devices and its supplements: submitted by the head, received above (GD-13.3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class ToSubmit:
    """What is to be reported of a year and is not yet: part 1 is the report, a later one a supplement to it."""

    part: int
    draft: Draft


def reports_of(session: Session, authority: Authority, year: int) -> list[AnnualReport]:
    """The report that an authority has submitted for a year, and its supplements, in their order."""
    wanted = select(AnnualReport).where(AnnualReport.authority_id == authority.id, AnnualReport.year == year)
    return list(session.scalars(wanted.order_by(AnnualReport.part)))


def to_submit(session: Session, authority: Authority, pack: RulePack, year: int) -> ToSubmit | None:
    """What an authority has yet to report of a year: all of it, or the devices that no part names; None where nothing.

    A device may begin to be used between the report and the end of its year, and is reported too.
    """
    submitted = reports_of(session, authority, year)
    draft = annual_report(session, authority, pack, year)
    if not submitted:
        return ToSubmit(1, draft)
    told = {one["id"] for report in submitted for one in json.loads(report.document)["devices"]}
    rest = tuple(device for device in draft.devices if device[0] not in told)
    return ToSubmit(len(submitted) + 1, replace(draft, devices=rest)) if rest else None


def reports_waiting(session: Session, authority: Authority, pack: RulePack, today: date) -> Iterator[ToSubmit]:
    """What an authority should submit now: of last year what is overdue, of this year what is due soon."""
    overdue = to_submit(session, authority, pack, today.year - 1)
    if overdue is not None and overdue.draft.devices:
        yield overdue
    month, day = map(int, pack["annual_report.due"].split("-"))
    if (date(today.year, month, day) - today).days <= pack["due.remind_days"]:
        soon = to_submit(session, authority, pack, today.year)
        if soon is not None:
            yield soon


def report_document(report: ToSubmit, authority: Authority, pack: RulePack) -> dict[str, Any]:
    """A report as a JSON object: what is submitted, hashed and downloaded."""
    draft = report.draft
    return {
        "authority": {"code": authority.code, "name": {"en": authority.name_en, "zh": authority.name_zh}},
        "year": draft.year,
        "part": report.part,
        "addressee": draft.addressee,
        "due_on": draft.due_on.isoformat(),
        "rules": pack.reference,
        "devices": [
            {"id": name, "name": title, "first_used_on": first_used_on.isoformat()}
            for name, title, first_used_on in draft.devices
        ],
    }


def submit_report(work: Work, authority: Authority, pack: RulePack, year: int) -> AnnualReport:
    """Submits the report of a year as the devices say it now, or a supplement to it with those that it does not name.

    `pack` are the rules of the authority's place.
    """
    if not work.actor.has(Role.UNIT_HEAD, authority.id):
        raise role_missing(Coded("subject", ["annual_report"], f" {year}"), "submit", (Role.UNIT_HEAD,))
    today = pack.local_date(work.now)
    if year > today.year:
        raise invalid("GD-13.3", "report.too_early", measured=str(year), required=str(today.year))
    report = to_submit(work.session, authority, pack, year)
    if report is None:
        raise conflict("GD-13.3", "report.twice", measured=str(year))
    document = rfc8785.dumps(report_document(report, authority, pack))
    row = AnnualReport(
        id=new_id(),
        public_id=public_id("AR"),
        authority_id=authority.id,
        year=year,
        part=report.part,
        addressee=report.draft.addressee,
        due_on=report.draft.due_on,
        document=document.decode(),
        content_sha256=hashlib.sha256(document).hexdigest(),
        submitted_on=today,
        submitted_by=work.actor.person_id,
    )
    work.session.add(row)
    told = {"report": row.public_id, "year": year, "part": row.part, "sha256": row.content_sha256}
    body = told | {"devices": len(report.draft.devices)}
    work.record("annual_report.submit", "authority", authority.id, body)
    return row


def record_report_receipt(  # noqa: PLR0913
    work: Work,
    authority: Authority,
    pack: RulePack,
    year: int,
    *,
    receipt_no: str,
    received_on: date | None,
    part: int = 1,
) -> AnnualReport:
    """Records the receipt of the government that a report, or a supplement to it, went to; once."""
    if not any(work.actor.has(role, authority.id) for role in _RECORDERS):
        raise role_missing(Coded("subject", ["annual_report"], f" {year}"), "record_receipt", _RECORDERS)
    row = next((one for one in reports_of(work.session, authority, year) if one.part == part), None)
    if row is None:
        raise not_found("GD-13.3", "report.none", measured=str(year))
    today = pack.local_date(work.now)
    if not receipt_no.strip() or received_on is None or not row.submitted_on <= received_on <= today:
        measured = f"{receipt_no.strip() or '—'}, {received_on or '—'}"
        raise invalid("GD-13.3", "report.receipt", measured=measured, required=row.submitted_on.isoformat())
    row.receipt_no, row.received_on = receipt_no.strip(), received_on
    body = {
        "report": row.public_id,
        "year": year,
        "part": part,
        "receipt": row.receipt_no,
        "on": received_on.isoformat(),
    }
    work.record("annual_report.receive", "authority", authority.id, body)
    return row
