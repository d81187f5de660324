"""`skywarden item`: the catalogue of what is supervised, and under which law (IR-1)."""

from __future__ import annotations

import click
from sqlalchemy import select

from geo.commands.catalogue import LAW_LEVELS, NewItem, NewLaw
from geo.commands.catalogue import add_item as enter_item
from geo.commands.catalogue import add_law as enter_law
from schemas.actors import HOST
from schemas.refusals import not_found
from schemas.tables import LegalBasis, SupervisionItem
from schemas.words import Coded
from web.cli.common import as_json, echo_json, lang, pass_services
from web.wiring import Services

_SAYS = {
    "en": {"law": "{code} is in the list of laws.", "item": "{code} is in the catalogue."},
    "zh": {"law": "{code} 已列入法律依据。", "item": "{code} 已列入事项目录。"},
}


@click.group()
def item() -> None:
    """The catalogue of supervision items, and the articles of law behind them."""


@item.command("law")
@click.argument("code")
@click.option("--title-en", required=True, help="Title of the law in English.")
@click.option("--title-zh", required=True, help="Title of the law in Chinese.")
@click.option("--article", required=True, help="Number of the article.")
@click.option("--level", required=True, type=click.Choice(LAW_LEVELS), help="What kind of law it is.")
@click.option("--sole-evidence", is_flag=True, help="It allows a penalty on a device's evidence alone (GD-11.4).")
@pass_services
def add_law(services: Services, code: str, title_en: str, title_zh: str, article: str, **rest: str | bool) -> None:
    """Enters an article of law under CODE."""
    new = NewLaw(code=code, title_en=title_en, title_zh=title_zh, article=article, **rest)  # type: ignore[arg-type]
    with services.work(HOST) as work:
        enter_law(work, new)
        work.commit()
    click.echo(_SAYS[lang()]["law"].format(code=code))


@item.command("add")
@click.argument("code")
@click.option("--name-en", required=True, help="Name of the item in English.")
@click.option("--name-zh", required=True, help="Name of the item in Chinese.")
@click.option("--law", required=True, help="Code of the article, see `skywarden item law`.")
@pass_services
def add_item(services: Services, code: str, name_en: str, name_zh: str, law: str) -> None:
    """Enters the item CODE."""
    with services.work(HOST) as work:
        basis = work.session.scalar(select(LegalBasis).where(LegalBasis.code == law))
        if basis is None:
            raise not_found("store.unknown", "store.not_found", subject=Coded("subject", ["legal_basis"]), measured=law)
        enter_item(work, NewItem(code=code, name_en=name_en, name_zh=name_zh, law=basis))
        work.commit()
    click.echo(_SAYS[lang()]["item"].format(code=code))


@item.command("list")
@as_json
@pass_services
def list_items(services: Services, as_json: bool) -> None:
    """The catalogue, with the article behind each item."""
    with services.session() as session:
        statement = select(SupervisionItem, LegalBasis).join(LegalBasis).order_by(SupervisionItem.code)
        rows = [
            {
                "code": item.code,
                "name": {"en": item.name_en, "zh": item.name_zh}[lang()],
                "law": {"en": law.title_en, "zh": law.title_zh}[lang()],
                "article": law.article,
            }
            for item, law in session.execute(statement)
        ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['code']:<12}{row['name']}  ({row['law']}, {row['article']})")
