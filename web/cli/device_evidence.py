"""`skywarden device evidence`: what is on record of a device since its last evaluation (GD-10.1)."""

from __future__ import annotations

from dataclasses import asdict

import click

from geo.evaluating import Evidence, Word, evidence_of, words_of
from schemas.tables import Device
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
@as_person
@as_json
@pass_services
def evidence(services: Services, name: str, person: str | None, as_json: bool) -> None:
    """Tells the use, faults, yield and complaints of DEVICE since it was last evaluated; a person decides."""
    with services.work(actor_for(services, person)) as work:
        device = device_of(work.session, work.actor, name) if person else work.get(Device, name)
        pack = work.pack_for(device)
        found = evidence_of(work.session, device, pack, work.now)
        words = words_of(found, pack)
    if as_json:
        echo_json(_document(found, words))
        return
    for word in words:
        outcome = (
            f"  [{_SAYS[lang()]['for'].format(outcome=_SAYS[lang()][word.speaks_for])}]" if word.speaks_for else ""
        )
        click.echo(word.said[lang()] + outcome)


def _document(found: Evidence, words: tuple[Word, ...]) -> dict[str, object]:
    return {**asdict(found), "words": [{"speaks_for": word.speaks_for, **word.said} for word in words]}
