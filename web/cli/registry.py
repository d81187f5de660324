"""What the commands of the registry share: one step on one subject, files by their item, texts by their name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from geoalchemy2.shape import to_shape
from sqlalchemy import select

from geo.attachments import File
from geo.checklists import Answers, Institution
from schemas.machine import label
from schemas.refusals import not_found
from schemas.rules import RulePack
from schemas.store.overlays import switched_on
from schemas.store.work import Work
from schemas.tables import Authority, LegalBasis, Stated, SupervisionItem
from schemas.words import Coded, words
from web.attachments import take_in
from web.cli.common import actor_for, echo_json, lang
from web.wiring import Services

T = TypeVar("T", bound=Stated)
_SAYS = {"en": "{subject}: {state}", "zh": "{subject}：{state}"}


def step(
    services: Services,
    person: str | None,
    kind: type[T],
    name: str,
    command: Callable[[Work, T], object],
    *,
    as_json: bool = False,
) -> None:
    """Does a command on the subject called `name`, commits, and says in which state it is."""
    with services.work(actor_for(services, person)) as work:
        subject = work.get(kind, name)
        command(work, subject)
        work.commit()
        tell(subject, as_json=as_json)


def tell(subject: Stated, *, as_json: bool) -> None:
    """Says in which state a subject is."""
    if as_json:
        echo_json({"ok": True, "id": subject.public_id, "state": subject.state, "version": subject.version})
        return
    state = words()["state"][subject.state][lang()]
    click.echo(_SAYS[lang()].format(subject=label(subject).tell(lang()), state=state))


def by_code(work: Work, kind: type[Authority] | type[SupervisionItem] | type[LegalBasis], code: str) -> Any:  # noqa: ANN401
    """The row with a code; raises RuleViolation 404 where there is none."""
    row = work.session.scalars(select(kind).where(kind.code == code)).first()
    if row is None:
        named = Coded("subject", [kind.__tablename__])
        raise not_found("store.unknown", "store.not_found", subject=named, measured=code)
    return row


def rules_of(work: Work, authority: Authority) -> RulePack:
    """The rules in force where an authority acts, with the overlays that it has switched on."""
    pack = work.rulebook.at_place(to_shape(authority.jurisdiction), work.now)
    on = switched_on(work.session, authority.id)
    return work.rulebook.with_overlays(pack, on, pack.local_date(work.now))


class Pair(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """NAME=VALUE."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:  # noqa: ANN401
        """The two parts."""
        if isinstance(value, tuple):
            return value
        name, sign, rest = str(value).partition("=")
        if not sign or not name.strip():
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return name.strip(), rest


def day(at: datetime | None) -> date | None:
    """The day of a date that was given on the command line."""
    return None if at is None else at.date()


DAY = click.DateTime(formats=["%Y-%m-%d"])
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def kept(services: Services, paths: Iterable[Path | None]) -> list[File]:
    """The files, taken in."""
    return [take_in(services, path) for path in paths if path is not None]


def kept_by_item(services: Services, pairs: Iterable[tuple[str, str]]) -> dict[str, list[File]]:
    """The files of ITEM=PATH, taken in, by their item."""
    found: dict[str, list[File]] = {}
    for item, path in pairs:
        if not Path(path).is_file():
            raise click.BadParameter(f"{path} is no file")
        found.setdefault(item, []).append(take_in(services, Path(path)))
    return found


def review_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options with which a review is answered."""
    for option in (
        click.option("--kind", type=click.Choice(["legal", "technical"]), required=True, help="Which review."),
        click.option("--passed", multiple=True, metavar="ITEM", help="An item that passes; `all` for every other one."),
        click.option("--failed", multiple=True, type=Pair(), metavar="ITEM=TEXT", help="An item that fails, and why."),
        click.option("--file", "files", multiple=True, type=Pair(), metavar="ITEM=PATH", help="A file for an item."),
        click.option("--standard", "standards", multiple=True, help="A standard that the device meets."),
        click.option("--basis", help="Code of the article that lets its evidence stand alone."),
        click.option(
            "--institution", nargs=3, metavar="NAME NUMBER VALID_TO", help="Who reviewed, with its qualification."
        ),
        click.option("--note", default="", help="A remark."),
    ):
        command = option(command)
    return command


def answers(services: Services, work: Work, required: Iterable[str], given: Mapping[str, Any]) -> Answers:
    """The answers of a review, from its options."""
    failed = dict(given["failed"])
    items = dict.fromkeys(failed, False) | {item: True for item in given["passed"] if item != "all"}
    if "all" in given["passed"]:
        items = dict.fromkeys(required, True) | items
    basis = given["basis"]
    return Answers(
        items=items,
        texts=failed,
        files=kept_by_item(services, given["files"]),
        note=given["note"],
        sole_basis=by_code(work, LegalBasis, basis) if basis else None,
        institution=_institution(given["institution"]),
        standards=given["standards"],
    )


def _institution(given: tuple[str, str, str] | None) -> Institution | None:
    if not given:
        return None
    try:
        return Institution(given[0], given[1], date.fromisoformat(given[2]))
    except ValueError as error:
        raise click.BadParameter(f"{given[2]!r} is no date such as 2026-12-31") from error
