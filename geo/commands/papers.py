"""Commands on the papers of a device: signs, tests, evaluations, upkeep, incidents (GD-10, GD-14, GD-20, GD-22)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from geo import notices
from geo.attachments import File, attach
from geo.commands.common import local_today, require
from geo.commands.publications import stop
from geo.commands.words import refuse_unknown
from geo.evaluating import digest, evidence_of
from geo.periods import months_after
from schemas.ids import new_id, public_id
from schemas.refusals import conflict, invalid
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Calibration, Device, Evaluation, Signage, Upkeep

INSPECTORS = (Role.OFFICER, Role.TECHNICAL_REVIEWER, Role.COMMAND_CENTRE)
_EVALUATORS = (Role.OFFICER, Role.PLANNER, Role.UNIT_HEAD, Role.LEGAL_REVIEWER, Role.TECHNICAL_REVIEWER)
OUTCOMES = ("keep", "adjust_signage", "cancel_site")
TESTS = ("verification", "calibration")


def record_sign(
    work: Work, device: Device, *, text: str, photo: File | None = None, seen_on: date | None = None
) -> Signage:
    """Records that the sign of a device, or the mark of an aircraft, was seen on a day, today without one.

    The rule pack says whether a photo is needed (GD-14.1, GD-16.4).
    """
    require(work, device, *INSPECTORS, action="record_sign")
    if not text.strip():
        raise invalid("GD-14.1", "device.sign_blank")
    if photo is None and work.pack_for(device)["signage.photo_required"]:
        raise invalid("GD-14.1", "device.sign_no_photo")
    sign = Signage(
        id=new_id(),
        public_id=public_id("SG"),
        device_id=device.id,
        text=text,
        photo_sha256=photo.sha256 if photo else None,
        verified_on=_past_day(work, device, seen_on),
        verified_by=work.actor.person_id,
    )
    work.session.add(sign)
    files = attach(work, "signage", sign.id, "photo", [photo] if photo else [])
    body = {"sign": sign.public_id, "photo": sign.photo_sha256, "seen_on": sign.verified_on.isoformat()}
    work.record("device.record_sign", "device", device.id, body | {"files": files})
    return sign


def _past_day(work: Work, device: Device, day: date | None) -> date:
    today = local_today(work, device)
    if day is not None and day > today:
        raise invalid("GD-20.2", "device.day_ahead", measured=day.isoformat(), required=today.isoformat())
    return day or today


@dataclass(frozen=True, kw_only=True)
class Test:
    """A metrological verification or a calibration; `valid_to` where it was passed."""

    __test__ = False

    agency: str
    certificate_no: str
    passed: bool = True
    valid_to: date | None = None
    tested_on: date | None = None
    kind: str = "verification"


def record_calibration(work: Work, device: Device, test: Test, *, certificate: File | None = None) -> Calibration:
    """Records a test of an instrument and until when it holds; one that failed ends what held before (GD-22.2)."""
    require(work, device, *INSPECTORS, action="record_calibration")
    refuse_unknown([("kind", test.kind, TESTS)])
    tested_on = _past_day(work, device, test.tested_on)
    if not test.certificate_no.strip() or not test.agency.strip():
        raise invalid("GD-22.2", "device.test_blank")
    if test.passed != (test.valid_to is not None) or (test.valid_to is not None and test.valid_to < tested_on):
        raise invalid("GD-22.2", "device.test_valid", measured=str(test.valid_to or "—"))
    most_months = work.pack_for(device)["calibration.max_months"]
    latest = months_after(tested_on, most_months)
    if test.valid_to is not None and test.valid_to > latest:
        raise invalid(
            "GD-22.2", "device.test_too_long", measured=test.valid_to.isoformat(), required=latest.isoformat()
        )
    row = Calibration(
        id=new_id(),
        public_id=public_id("CB"),
        device_id=device.id,
        kind=test.kind,
        agency=test.agency,
        certificate_no=test.certificate_no,
        passed=test.passed,
        tested_on=tested_on,
        valid_to=test.valid_to,
        recorded_by=work.actor.person_id,
    )
    work.session.add(row)
    work.session.flush()  # the date on the device is one that a test on record says
    device.calibration_valid_to = test.valid_to
    body = {
        "certificate": test.certificate_no,
        "passed": test.passed,
        "valid_to": test.valid_to.isoformat() if test.valid_to else None,
        "files": attach(work, "calibration", row.id, "certificate", [certificate] if certificate else []),
    }
    work.record("device.record_calibration", "device", device.id, body)
    return row


def evaluate_device(  # noqa: PLR0913
    work: Work,
    device: Device,
    *,
    outcome: str,
    text: str,
    announcement: tuple[str, str] = ("", ""),
    files: Sequence[File] = (),
    seen: str = "",
) -> Evaluation:
    """Records the periodic evaluation of a device (GD-10.1), with what is on record of it and speaks for an outcome.

    `seen` is the gist of the record that the evaluator was shown; raises RuleViolation (409) where something has come
    in since that may speak for another outcome. `cancel_site` ends its use in the same step, by the unit head and with
    an announcement in English and Chinese; `adjust_signage` stays due until a sign is seen again (GD-10.2).
    """
    refuse_unknown([("outcome", outcome, OUTCOMES)])
    require(work, device, *_EVALUATORS, action="evaluate")
    if not text.strip():
        raise invalid("GD-10.1", "device.evaluation_blank")
    evidence = evidence_of(work.session, device, work.pack_for(device), work.now)
    if seen and seen != evidence.gist:
        raise conflict("GD-10.1", "device.evidence_changed")
    row = Evaluation(
        id=new_id(),
        public_id=public_id("EV"),
        device_id=device.id,
        outcome=outcome,
        text=text,
        evaluated_on=local_today(work, device),
        evaluated_by=work.actor.person_id,
        evidence=evidence.as_json(),
    )
    work.session.add(row)
    kept = attach(work, "evaluation", row.id, "document", files)
    told = {"evaluation": row.public_id, "outcome": outcome, "files": kept, "evidence": digest(evidence.as_json())}
    if outcome == "cancel_site":
        end_use(work, device, reason=text, announcement=announcement, record=told)
    else:
        work.record("device.evaluate", "device", device.id, told)
    return row


def end_use(
    work: Work,
    device: Device,
    *,
    reason: str,
    announcement: tuple[str, str],
    record: Mapping[str, Any] | None = None,
    step: str = "discontinue",
) -> None:
    """Takes a device out of use and announces it; what never was in use is withdrawn from its channels (GD-14.4)."""
    was_used = device.activated_on is not None
    shown = notices.appearances(work.session, device, work.pack_for(device))
    stop(work, device, step, "discontinued", reason=reason, texts=announcement, record=record)
    device.state_reason, device.discontinued_on = reason, local_today(work, device)
    if not was_used:
        for row in shown:
            row.withdrawn_at = work.now


def record_upkeep(  # noqa: PLR0913
    work: Work,
    device: Device,
    *,
    kind: str,
    text: str,
    done_by: str,
    done_on: date | None = None,
    files: Sequence[File] = (),
) -> Upkeep:
    """Records maintenance, or a repair: a technical reviewer's word that the cause of a stop is gone (GD-22.1)."""
    refuse_unknown([("kind", kind, ("maintenance", "repair"))])
    repair = kind == "repair"
    require(work, device, *((Role.TECHNICAL_REVIEWER,) if repair else INSPECTORS), action="record_upkeep")
    if not text.strip() or not done_by.strip():
        raise invalid("GD-22.1", "device.upkeep_blank")
    row = Upkeep(
        id=new_id(),
        public_id=public_id("UK"),
        device_id=device.id,
        kind=kind,
        done_on=_past_day(work, device, done_on),
        done_by=done_by,
        text=text,
        stopped_since=device.state_since if repair and device.state == "blocked" else None,
        recorded_by=work.actor.person_id,
    )
    work.session.add(row)
    body = {"upkeep": row.public_id, "kind": kind, "files": attach(work, "upkeep", row.id, "document", files)}
    work.record("device.record_upkeep", "device", device.id, body)
    return row
