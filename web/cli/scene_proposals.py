"""`skywarden scene proposals`: where two dates differ strongly and nothing explains it; asked of people."""

from __future__ import annotations

import json
from pathlib import Path

import click
from sqlalchemy import select

from schemas.refusals import not_found
from schemas.tables import Scene
from sensing.proposals import SKIP, Proposed, answer_proposal, compared_km2, proposals
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.models.queries import classes_for
from web.scenes import shelf_of
from web.wiring import Services

WORDS = {
    "en": {
        "none": "on the {km2:g} km² that were compared, nothing changed strongly that is not explained",
        "place": "{id}  {lon:.6f} {lat:.6f}  {area:>10,.0f} m²  {times:.1f} times the usual difference{answer}",
        "answered": "  answered: {word}",
        "kept": "{id}: {word}",
        "nature": "These are questions, not findings: only people can say what is there.",
    },
    "zh": {
        "none": "在所比对的 {km2:g} 平方公里内，没有未得到解释的显著变化",
        "place": "{id}  {lon:.6f} {lat:.6f}  {area:>10,.0f} 平方米  差异为常见值的 {times:.1f} 倍{answer}",
        "answered": "  已答：{word}",
        "kept": "{id}：{word}",
        "nature": "以上为待人工判断的问题，不是线索。",
    },
}


@click.command("proposals")
@click.argument("scene_id", metavar="SCENE")
@click.option("--answer", "answers", multiple=True, help="ID=WORD: what is there, none for nothing, skip if unknown.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A GeoJSON file to write them to.")
@as_person
@as_json
@pass_services
def list_proposals(
    services: Services, scene_id: str, person: str | None, as_json: bool, answers: tuple[str, ...], out: Path | None
) -> None:
    """Lists the places of SCENE that changed strongly and that nothing explains, by what an answer would settle.

    An answer is kept as a label that models learn from. None of these is a finding, in the queue or public.
    """
    with services.session() as session:
        scene = session.scalars(select(Scene).where(Scene.public_id == scene_id)).one_or_none()
        if scene is None:
            raise not_found("scene.unknown", measured=scene_id)
        km2 = compared_km2(session, scene)
        allowed = classes_for(session, scene, services.rulebook, services.clock.now())
    told = [_answered(services, person, one, allowed) for one in answers]
    with services.session() as session:
        rows = proposals(session, scene, services.clock.now())
    collection = {"type": "FeatureCollection", "features": [one.feature() for one in rows]}
    if out is not None:
        out.write_text(json.dumps(collection, ensure_ascii=False, indent=1), encoding="utf-8")
    if as_json:
        echo_json({"ok": True, "compared_km2": km2, "answers": [*allowed, SKIP], **collection})
        return
    for proposal_id, word in told:
        click.echo(WORDS[lang()]["kept"].format(id=proposal_id, word=word))
    for row in rows:
        click.echo(_line(row))
    click.echo(WORDS[lang()]["nature" if rows else "none"].format(km2=km2))


def _answered(services: Services, person: str | None, answer: str, allowed: list[str]) -> tuple[str, str]:
    proposal_id, _, word = answer.partition("=")
    with services.work(actor_for(services, person)) as work:
        answer_proposal(work, shelf_of(services), proposal_id, word, allowed)
        work.commit()
    return proposal_id, word


def _line(row: Proposed) -> str:
    says, at = WORDS[lang()], row.geom.representative_point()
    answer = says["answered"].format(word=row.answer) if row.answer else ""
    return says["place"].format(id=row.public_id, lon=at.x, lat=at.y, area=row.area_m2, times=row.times, answer=answer)
