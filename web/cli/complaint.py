"""`skywarden complaint`: what citizens said to one's own authorities, and the answers to it (GD-45.1)."""

from __future__ import annotations

from typing import Any

import click

from enforcement import commands, queries
from enforcement.checks_complaints import OUTCOMES
from enforcement.commands import NewCorrection
from enforcement.queries import Words
from schemas.actors import Actor
from schemas.refusals import forbidden, not_found
from schemas.tables import Authority
from schemas.words import words
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.registry import by_code
from web.permissions import Permission
from web.registry.reach import below, own
from web.wiring import Services

SAYS = {
    "en": {
        "row": "{id}  {kind}  {state}  answer due {due}{late}  {authority}",
        "late": "  LATE",
        "none": "Nobody waits for an answer.",
        "about": "  about {kind} {id}",
        "contact": "  to be reached: {contact}",
        "outcome": "  {outcome}: {note}",
        "reply": "  answered: {reply}",
        "done": "{id}: {state}",
        "corrected": "{id}: told in public",
    },
    "zh": {
        "row": "{id}  {kind}  {state}  答复期限 {due}{late}  {authority}",
        "late": "  已逾期",
        "none": "没有待答复的来信。",
        "about": "  涉及 {kind} {id}",
        "contact": "  联系方式：{contact}",
        "outcome": "  {outcome}：{note}",
        "reply": "  已答复：{reply}",
        "done": "{id}：{state}",
        "corrected": "{id}：已公开更正",
    },
}
KINDS = {
    "complaint": {"en": "complaint", "zh": "投诉"},
    "question": {"en": "question", "zh": "咨询"},
    "error": {"en": "error on the map", "zh": "地图有误"},
}
RESULTS = {
    "justified": {"en": "justified", "zh": "属实"},
    "unjustified": {"en": "not justified", "zh": "不属实"},
    "answered": {"en": "answered", "zh": "已解答"},
}


@click.group()
def complaint() -> None:
    """Complaints, questions and reports of errors that citizens sent to one's own authorities."""


def _read(services: Services, actor: Actor, name: str) -> Words:
    """A message that the acting person reads; raises RuleViolation 404 for every other."""
    with services.session() as db:
        found = queries.words_of(db, name)
        if found is None or found.authority_id not in below(db, own(actor, Permission.READ_COMPLAINTS)):
            raise not_found("record.unknown", "registry.unknown", measured=name[:40])
    return found


@complaint.command("list")
@click.option("--answered", is_flag=True, help="What was answered, the latest first, instead of what waits.")
@as_person
@as_json
@pass_services
def list_words(services: Services, answered: bool, person: str | None, as_json: bool) -> None:
    """Lists what waits for an answer of one's own authorities, what is due first first."""
    actor = actor_for(services, person)
    with services.session() as db:
        mine = own(actor, Permission.READ_COMPLAINTS)
        if not mine:
            raise forbidden("permission.missing", "web.permission_missing", permission=Permission.READ_COMPLAINTS.value)
        reach = below(db, mine)
        found = queries.answered(db, reach) if answered else queries.waiting(db, reach)
    if as_json:
        echo_json({"ok": True, "complaints": [_short(services, one) for one in found]})
        return
    for one in found:
        click.echo(_row(services, one))
    if not found:
        click.echo(SAYS[lang()]["none"])


@complaint.command("show")
@click.argument("name", metavar="NUMBER")
@as_person
@as_json
@pass_services
def show(services: Services, name: str, person: str | None, as_json: bool) -> None:
    """Tells what was said under NUMBER, about what, and what came of it."""
    found = _read(services, actor_for(services, person), name)
    if as_json:
        told = {"said": found.said, "contact": found.contact, "note": found.note, "reply": found.reply}
        echo_json({"ok": True, **_short(services, found), **told})
        return
    says = SAYS[lang()]
    click.echo(_row(services, found))
    if found.about_kind:
        kind = words()["subject"].get(found.about_kind, {}).get(lang(), found.about_kind)
        click.echo(says["about"].format(kind=kind, id=found.about_id))
    click.echo("\n".join(f"  | {line}" for line in found.said.splitlines()))
    if found.contact:
        click.echo(says["contact"].format(contact=found.contact))
    if found.outcome:
        click.echo(says["outcome"].format(outcome=RESULTS[found.outcome][lang()], note=found.note))
    if found.reply:
        click.echo(says["reply"].format(reply=found.reply))


@complaint.command("handle")
@click.argument("name", metavar="NUMBER")
@click.option("--outcome", type=click.Choice(list(RESULTS)), required=True, help="What came of looking into it.")
@click.option("--note", required=True, help="For the file alone: what was looked at, and what was seen.")
@as_person
@as_json
@pass_services
def handle(services: Services, name: str, outcome: str, note: str, person: str | None, as_json: bool) -> None:
    """Records what came of looking into NUMBER; the reply follows."""
    actor = actor_for(services, person)
    _read(services, actor, name)
    with services.work(actor) as work:
        commands.handle(work, name, outcome=outcome, note=note)
        work.commit()
    _tell(services, actor, name, as_json=as_json)


@complaint.command("reply")
@click.argument("name", metavar="NUMBER")
@click.option("--words", "said", required=True, help="The answer, for whoever asked alone.")
@click.option("--told-en", default="", help="What was put right, for everybody in English; where it was justified.")
@click.option("--told-zh", default="", help="What was put right, for everybody in Chinese; where it was justified.")
@as_person
@as_json
@pass_services
def reply(services: Services, name: str, said: str, person: str | None, as_json: bool, **told: str) -> None:
    """Answers NUMBER; what was justified is put right in the same step, publicly."""
    actor = actor_for(services, person)
    found = _read(services, actor, name)
    right = NewCorrection(told["told_en"], told["told_zh"]) if found.outcome == "justified" else None
    with services.work(actor) as work:
        commands.reply(work, name, said, correction=right)
        work.commit()
    _tell(services, actor, name, as_json=as_json)


@complaint.command("correct")
@click.option("--authority", required=True, help="Code of the authority that has put something right.")
@click.option("--told-en", required=True, help="What was put right, in English, without names.")
@click.option("--told-zh", required=True, help="What was put right, in Chinese, without names.")
@as_person
@as_json
@pass_services
def correct(services: Services, authority: str, told_en: str, told_zh: str, person: str | None, as_json: bool) -> None:
    """Tells in public what an authority has put right on its own motion."""
    with services.work(actor_for(services, person)) as work:
        made = commands.correct(work, by_code(work, Authority, authority), NewCorrection(told_en, told_zh)).public_id
        work.commit()
    if as_json:
        echo_json({"ok": True, "id": made})
    else:
        click.echo(SAYS[lang()]["corrected"].format(id=made))


def _tell(services: Services, actor: Actor, name: str, *, as_json: bool) -> None:
    found = _read(services, actor, name)
    if as_json:
        echo_json({"ok": True, **_short(services, found)})
    else:
        click.echo(SAYS[lang()]["done"].format(id=name, state=words()["state"][found.state][lang()]))


def _short(services: Services, one: Words) -> dict[str, Any]:
    return {
        "id": one.public_id,
        "kind": one.kind,
        "state": one.state,
        "due_on": one.due_on.isoformat(),
        "late": one.is_late(services.today),
        "authority": one.authority_en,
        "about": one.about_id,
        "outcome": one.outcome,
        "outcomes": list(OUTCOMES[one.kind]),
    }


def _row(services: Services, one: Words) -> str:
    says = SAYS[lang()]
    return says["row"].format(
        id=one.public_id,
        kind=KINDS[one.kind][lang()],
        state=words()["state"][one.state][lang()],
        due=one.due_on,
        late=says["late"] if one.is_late(services.today) else "",
        authority=one.authority_en if lang() == "en" else one.authority_zh,
    )
