"""`skywarden model`: what officers teach, the models that learn from it, their cards, and who lets them be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from geoalchemy2.shape import to_shape
from sqlalchemy import select

from schemas.tables import Label, ModelVersion
from schemas.words import words
from sensing.learn import commands, queries
from sensing.learn.asking import Question, ask
from sensing.learn.commands import OBJECT, PIXEL
from sensing.learn.fit import LARGE, SMALL, train
from sensing.learn.labels import read_marks
from sensing.learn.pixel import PixelModel
from sensing.learn.sampling import opened
from sensing.learn.store import pixel_model
from sensing.learn.training import Taught, Wish, authority_for, drawn_samples, taught, train_objects, train_pixels
from sensing.pipeline import source_of
from sensing.quarantine import Progress
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.model_encoder import export_encoder
from web.cli.progress import progress_bar
from web.model_card import class_word, page
from web.scenes import shelf_of
from web.wiring import Services

WORDS = {
    "en": {
        "labelled": "{count} places labelled in {scene}: {classes}",
        "trained": "{id}: {kind} model of {labels} labels in {scenes} scenes, {seconds:.1f} s; not approved",
        "held": "held-out areas: {areas} areas, {count} samples, {right}",
        "right": "{share:.0%} right, every class counted alike; calibration error {ece:.3f}",
        "pairs": "accepted above rejected in {share:.0%} of pairs; calibration error {ece:.3f}",
        "unmeasured": "not measured on other areas: label each class in several places before it can be approved",
        "none": "no models",
        "state": "{id} is {state}",
        "kind": "kind",
        "authority": "authority",
        "purpose": "purpose",
        "classes": "classes",
        "sha256": "SHA-256",
        "trained_at": "trained",
        "approved_at": "approved",
        "labels": "labels",
        "scenes": "scenes",
        "licence": "licence",
        "card": "{out}: card of {id}",
        "nothing": "nothing is in doubt",
        "question": "{number:>3}  {lon:.6f} {lat:.6f}  {pixels:>6} px  doubt {score:>9.1f}  {guess} ({confidence:.0%})",
        "written": "{out}: {count} questions; write the class of each and hand the file to skywarden model label",
    },
    "zh": {
        "labelled": "已在 {scene} 标注 {count} 处：{classes}",
        "trained": "{id}：{kind} 模型，{labels} 条标注，{scenes} 景影像，用时 {seconds:.1f} 秒；尚未批准",
        "held": "留出区域：{areas} 个区域，{count} 个样本，{right}",
        "right": "各类别同等计权，正确率 {share:.0%}；校准误差 {ece:.3f}",
        "pairs": "{share:.0%} 的比对中采纳线索评分更高；校准误差 {ece:.3f}",
        "unmeasured": "未能在其他区域测量：须先在多处标注各类别才能报批",
        "none": "没有模型",
        "state": "{id}：{state}",
        "kind": "类型",
        "authority": "机关",
        "purpose": "用途",
        "classes": "类别",
        "sha256": "SHA-256",
        "trained_at": "训练时间",
        "approved_at": "批准时间",
        "labels": "标注数",
        "scenes": "影像",
        "licence": "数据许可",
        "card": "{out}：{id} 的说明卡",
        "nothing": "没有需要询问的地点",
        "question": "{number:>3}  {lon:.6f} {lat:.6f}  {pixels:>6} 像元  疑问 {score:>7.1f}  {guess} {confidence:.0%}",
        "written": "{out}：{count} 个问题；填写各点类别后用 skywarden model label 提交",
    },
}


@click.group()
def model() -> None:
    """What officers teach, the models that learn from it, and who lets them be used."""


model.add_command(export_encoder)


@model.command("label")
@click.argument("scene_id", metavar="SCENE")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_person
@as_json
@pass_services
def label(services: Services, scene_id: str, file: Path, person: str | None, as_json: bool) -> None:
    """Keeps what is said of places in SCENE: a GeoJSON FILE of points and polygons with the property class.

    The class none is for what is nothing of interest. Only what the masked copy shows can be labelled.
    """
    marks = read_marks(file.read_bytes())
    with services.work(actor_for(services, person)) as work:
        rows = commands.label_places(work, shelf_of(services), scene_id, marks)
        work.commit()
    counts = {name: sum(row.of_class == name for row in rows) for name in sorted({row.of_class for row in rows})}
    if as_json:
        echo_json({"ok": True, "scene": scene_id, "labels": [row.public_id for row in rows], "classes": counts})
        return
    told = ", ".join(f"{class_word(name, lang())} {count}" for name, count in counts.items())
    click.echo(WORDS[lang()]["labelled"].format(count=len(rows), scene=scene_id, classes=told))


@model.command("train")
@click.option("--kind", type=click.Choice([PIXEL, OBJECT]), default=PIXEL, show_default=True)
@click.option("--purpose", required=True, help="What the model is for.")
@click.option("--licence", required=True, help="Under which terms the training data may be used for this.")
@click.option("--authority", help="Whose model it is; needed by whoever acts for several.")
@click.option("--scene", "scenes", multiple=True, help="Learn from the labels of these scenes alone.")
@click.option("--without", multiple=True, metavar="LABEL", help="Leave out a label that was a mistake.")
@click.option("--large", is_flag=True, help="A larger network (32, 16) instead of (24), for many labels.")
@as_person
@as_json
@pass_services
def train_model(
    services: Services,
    person: str | None,
    as_json: bool,
    kind: str,
    authority: str | None,
    **wished: Any,  # noqa: ANN401 - purpose, licence, scenes, without, large
) -> None:
    """Trains a model from the labels of an authority, measures it on areas held out, and registers it."""
    actor = actor_for(services, person)
    with services.session() as session:
        wish = Wish(
            authority_id=authority_for(session, actor, authority),
            purpose=wished["purpose"],
            licence=wished["licence"],
            scenes=wished["scenes"],
            hidden=LARGE if wished["large"] else SMALL,
        )
        known = taught(session, wish.authority_id, wish.scenes, without=wished["without"])
    # No transaction stays open while the model is fitted: that would delay the sealing of the ledger.
    with progress_bar(as_json) as progress:
        trained = (train_pixels if kind == PIXEL else train_objects)(shelf_of(services), known, wish, progress)
    with services.work(actor) as work:
        row = commands.register_model(work, trained)
        work.commit()
    if as_json:
        echo_json({"ok": True, "model": row.public_id, "sha256": row.sha256, "metrics": row.metrics})
    else:
        _tell_trained(row)


def _tell_trained(row: ModelVersion) -> None:
    says, metrics = WORDS[lang()], row.metrics
    about = {"labels": len(row.label_ids), "scenes": len(row.scene_ids), "seconds": metrics["seconds"]}
    click.echo(says["trained"].format(id=row.public_id, kind=row.kind, **about))
    _tell_held(metrics, row.kind)


def _tell_held(metrics: Mapping[str, Any], kind: str) -> None:
    says, held = WORDS[lang()], metrics["held_out"]
    if not held["count"]:
        click.echo("  " + says["unmeasured"])
        return
    ece = metrics["calibration"]["after"]["ece"]
    text, share = ("right", held["balanced_accuracy"]) if kind == PIXEL else ("pairs", held["auc"] or 0.0)
    click.echo("  " + says["held"].format(right=says[text].format(share=share, ece=ece), **held))


@model.command("list")
@as_json
@pass_services
def list_models(services: Services, as_json: bool) -> None:
    """All versions, the newest first."""
    with services.session() as session:
        rows = queries.models(session)
    if as_json:
        echo_json([vars(row) for row in rows])
        return
    if not rows:
        click.echo(WORDS[lang()]["none"])
    for row in rows:
        state = words()["state"][row.state][lang()]
        told = f"{row.public_id:<12} {row.kind:<7} {state:<22} {row.authority:<6} {row.labels:>6}  {row.purpose}"
        click.echo(told)


@model.command("show")
@click.argument("model_id", metavar="MODEL")
@as_json
@pass_services
def show(services: Services, model_id: str, as_json: bool) -> None:
    """Everything that the registry holds of MODEL."""
    with services.session() as session:
        card = queries.card(session, model_id)
    if as_json:
        echo_json(card)
        return
    says, data = WORDS[lang()], card["training_data"]
    click.echo(says["state"].format(id=model_id, state=words()["state"][card["state"]][lang()]))
    facts = {name: card[name] for name in ("kind", "authority", "purpose", "sha256", "trained_at", "approved_at")}
    facts["classes"] = ", ".join(class_word(name, lang()) for name in card["classes"])
    facts |= {"labels": data["labels"], "scenes": ", ".join(one["scene"] for one in data["sources"])}
    for name, value in (facts | {"licence": data["licence"]}).items():
        click.echo(f"  {says[name]}: {value or '—'}")
    _tell_held(card["metrics"], card["kind"])


@model.command("card")
@click.argument("model_id", metavar="MODEL")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the page goes; MODEL.html without.")
@as_json
@pass_services
def card(services: Services, model_id: str, out: Path | None, as_json: bool) -> None:
    """Writes the card of MODEL as one page to print; with --json it is printed as a document instead."""
    with services.session() as session:
        told = queries.card(session, model_id)
    if as_json:
        echo_json(told)
        return
    target = out or Path(f"{model_id}.html")
    target.write_text(page(told, lang()), encoding="utf-8")
    click.echo(WORDS[lang()]["card"].format(out=target, id=model_id))


@model.command("approve")
@click.argument("model_id", metavar="MODEL")
@as_person
@as_json
@pass_services
def approve(services: Services, model_id: str, person: str | None, as_json: bool) -> None:
    """Lets MODEL be used; not by whoever trained it, and not before it was measured on other areas."""
    with services.work(actor_for(services, person)) as work:
        row = commands.approve_model(work, model_id)
        work.commit()
    _tell_state(row, as_json)


@model.command("refuse")
@click.argument("model_id", metavar="MODEL")
@click.option("--reason", required=True)
@as_person
@as_json
@pass_services
def refuse(services: Services, model_id: str, reason: str, person: str | None, as_json: bool) -> None:
    """Decides that MODEL shall not be used."""
    with services.work(actor_for(services, person)) as work:
        row = commands.refuse_model(work, model_id, reason)
        work.commit()
    _tell_state(row, as_json)


@model.command("withdraw")
@click.argument("model_id", metavar="MODEL")
@click.option("--reason", required=True)
@as_person
@as_json
@pass_services
def withdraw(services: Services, model_id: str, reason: str, person: str | None, as_json: bool) -> None:
    """Takes the approved MODEL out of use; what was found with it stays."""
    with services.work(actor_for(services, person)) as work:
        row = commands.withdraw_model(work, model_id, reason)
        work.commit()
    _tell_state(row, as_json)


def _tell_state(row: ModelVersion, as_json: bool) -> None:
    if as_json:
        echo_json({"ok": True, "model": row.public_id, "state": row.state})
    else:
        state = words()["state"][row.state][lang()]
        click.echo(WORDS[lang()]["state"].format(id=row.public_id, state=state))


@model.command("ask")
@click.argument("scene_id", metavar="SCENE")
@click.option("--model", "model_id", help="Ask for this approved model; without it, for what the labels teach so far.")
@click.option("--authority", help="Whose labels; needed by whoever acts for several.")
@click.option("--count", type=click.IntRange(1, 200), default=10, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A GeoJSON file to answer in.")
@as_person
@as_json
@pass_services
def ask_places(
    services: Services,
    scene_id: str,
    person: str | None,
    as_json: bool,
    count: int,
    **wished: Any,  # noqa: ANN401
) -> None:
    """Where in SCENE a click would teach most: doubt summed over the area that it stands for, greatest first."""
    shelf = shelf_of(services)
    with services.session() as session:
        source = source_of(session, scene_id)
        ready = pixel_model(session, shelf, wished["model_id"]) if wished["model_id"] else None
        known = Taught([], {})
        if ready is None:
            actor = actor_for(services, person)
            known = taught(session, authority_for(session, actor, wished["authority"]))
        here = select(Label).where(Label.scene_id == source.scene.id)
        clicked = [to_shape(row.geom) for row in session.scalars(here)]
    with progress_bar(as_json) as progress, opened(shelf, source) as ground:
        asked = ready or _draft(services, known, progress)
        questions = ask(ground, asked, clicked, count=count, progress=progress)
    _tell_questions(questions, wished["out"], as_json)


def _draft(services: Services, known: Taught, progress: Progress) -> PixelModel:
    """What the labels teach so far, for asking alone: it is kept nowhere and finds nothing."""
    samples, _ = drawn_samples(shelf_of(services), known, progress)
    return train(samples)


def _tell_questions(questions: list[Question], out: Path | None, as_json: bool) -> None:
    says = WORDS[lang()]
    collection = {"type": "FeatureCollection", "features": [one.feature() for one in questions]}
    if out is not None:
        out.write_text(json.dumps(collection, ensure_ascii=False, indent=1), encoding="utf-8")
    if as_json:
        echo_json(collection)
        return
    if not questions:
        click.echo(says["nothing"])
    for number, one in enumerate(questions, start=1):
        click.echo(says["question"].format(number=number, **(vars(one) | {"guess": class_word(one.guess, lang())})))
    if out is not None:
        click.echo(says["written"].format(out=out, count=len(questions)))
