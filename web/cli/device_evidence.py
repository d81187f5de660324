"""`skywarden device evidence`: what is on record of a device since its last evaluation (GD-10.1)."""

from __future__ import annotations

from dataclasses import asdict

import click
from sqlalchemy import select, text

from geo.evaluating import Evidence, Word, digest, evidence_of, words_of
from schemas.refusals import conflict, not_found
from schemas.store.work import Work
from schemas.tables import Device, Evaluation
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.registry.reach import device_of
from web.wiring import Services

_SAYS = {
    "en": {
        "for": "Speaks for: {outcome}",
        "keep": "keep",
        "adjust_signage": "adjust the signs",
        "cancel_site": "cancel the site",
    },
    "zh": {"for": "支持的结论：{outcome}", "keep": "保留", "adjust_signage": "调整标识", "cancel_site": "取消点位"},
}


@click.command()
@click.argument("name", metavar="DEVICE")
@click.option("--evaluation", help="What was on record when this evaluation was decided, such as EV-3K7Q.")
@as_person
@as_json
@pass_services
def evidence(services: Services, name: str, evaluation: str | None, person: str | None, as_json: bool) -> None:
    """Tells the use, faults, yield and complaints of DEVICE since it was last evaluated; a person decides.

    Of an evaluation that was made it tells what was kept with it, checked against the ledger.
    """
    with services.work(actor_for(services, person)) as work:
        device = device_of(work.session, work.actor, name) if person else work.get(Device, name)
        pack = work.pack_for(device)
        found = _kept(work, device, evaluation) if evaluation else evidence_of(work.session, device, pack, work.now)
        words = words_of(found, pack)
    if as_json:
        echo_json(_document(found, words))
        return
    for word in words:
        outcome = (
            f"  [{_SAYS[lang()]['for'].format(outcome=_SAYS[lang()][word.speaks_for])}]" if word.speaks_for else ""
        )
        click.echo(word.said[lang()] + outcome)


_IN_THE_LEDGER = text(
    "SELECT said ->> 'evidence' FROM ledger.event e, LATERAL (SELECT convert_from(e.body, 'UTF8')::jsonb) b (said)"
    " WHERE e.subject_kind = 'device' AND e.subject_id = :device AND said ->> 'evaluation' = :evaluation"
)


def _kept(work: Work, device: Device, evaluation: str) -> Evidence:
    """What was kept with an evaluation; raises RuleViolation where there is none, or the ledger names another."""
    wanted = select(Evaluation).where(Evaluation.device_id == device.id, Evaluation.public_id == evaluation)
    row = work.session.scalars(wanted).one_or_none()
    if row is None or row.evidence is None:
        raise not_found("device.no_evidence", "device.no_evidence", measured=evaluation[:40])
    named = work.session.scalar(_IN_THE_LEDGER, {"device": str(device.id), "evaluation": evaluation})
    if named != digest(row.evidence):
        raise conflict("GD-10.1", "device.evidence_differs", measured=evaluation)
    return Evidence.of_json(row.evidence)


def _document(found: Evidence, words: tuple[Word, ...]) -> dict[str, object]:
    return {**asdict(found), "words": [{"speaks_for": word.speaks_for, **word.said} for word in words]}
