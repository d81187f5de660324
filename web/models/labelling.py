"""Labels by clicks and polygons on a map of a scene; what is shown and labelled is the masked copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Response, make_response, redirect, render_template, request

from schemas.refusals import RuleViolation
from sensing import preview
from sensing.bands import Role
from sensing.intake import Shelf
from sensing.learn.commands import label_places
from sensing.learn.labels import read_marks
from web.errors import wants_page
from web.i18n import current_language, ngettext
from web.identity.request_identity import current_actor, services
from web.model_card import class_word
from web.models import queries
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.overview import desk_map

section = Section("models_labelling", __name__, Audience.MODELS)


# A form holds some hundred places; whoever has more hands them in as a file (skywarden model label).
@section.page("/models/label/<scene>", GET=Permission.LABEL_PLACES, POST=Permission.LABEL_PLACES)
def label(scene: str) -> Response:
    """The map to label on, and the labels that were drawn on it."""
    if request.method == "GET":
        return _page(scene)
    house, actor = services(), current_actor()
    marks = request.form.get("marks", "")
    try:
        with house.work(actor) as work:
            queries.copy_of(work.session, actor, scene, house.clock.now())
            made = label_places(work, Shelf(house.data_dir), scene, read_marks(marks.encode()))
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(scene, refused, marks)
    return make_response(redirect(f"/models/label/{scene}?done={len(made)}", 303))


def _page(scene_id: str, refused: RuleViolation | None = None, marks: str = "") -> Response:
    house, actor, lang = services(), current_actor(), current_language()
    with house.session() as db:
        copy = queries.copy_of(db, actor, scene_id, house.clock.now())
        classes = queries.classes_for(db, copy.scene, house.rulebook, house.clock.now())
        features = queries.labels_on(db, copy.scene)
    done = request.args.get("done", "")
    told = int(done) if done.isascii() and done.isdigit() and len(done) < 6 else 0
    page = render_template(
        "models/label.html",
        scene=copy.scene,
        classes=[(word, class_word(word, lang)) for word in classes],
        config=_config(copy, features, classes, house.data_dir),
        count=len(features),
        kept=ngettext("%(num)d label was kept", "%(num)d labels were kept", told) if told else "",
        marks=marks,
        refusals=refused.render(lang) if refused else [],
    )
    return make_response(page, refused.status if refused else 200)


def _config(copy: queries.Copy, features: list[dict[str, Any]], classes: list[str], data_dir: Path) -> dict[str, Any]:
    reach = preview.reach(Shelf(data_dir).derivatives.get(copy.sha256))
    with public_connection() as public:
        config = desk_map(public)
    box = reach.box
    return config | {
        "bounds": [box.west, box.south, box.east, box.north],
        "themes": ["privacy_zones"],
        "picture": {
            "tiles": f"/models/label/{copy.scene.public_id}/tiles/{{z}}/{{x}}/{{y}}.png?v={copy.sha256[:12]}",
            "maxzoom": min(reach.zoom + 1, 22),
        },
        "labels": features,
        "classes": classes,
    }


@section.page("/models/label/<scene>/tiles/<int:z>/<int:x>/<int:y>.png", GET=Permission.LABEL_PLACES)
def tile(scene: str, z: int, x: int, y: int) -> Response:
    """One tile of the masked copy in its own colours."""
    house = services()
    with house.session() as db:
        copy = queries.copy_of(db, current_actor(), scene, house.clock.now())
    response = Response(status=304)
    if not request.if_none_match.contains(copy.sha256):
        path = Shelf(house.data_dir).derivatives.get(copy.sha256)
        response = Response(preview.tile(path, tuple(map(Role, copy.roles)), (z, x, y)), mimetype="image/png")
    # What is private from today is asked for anew today, whatever a browser kept.
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(copy.sha256)
    return response
