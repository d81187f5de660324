"""What if a device stood elsewhere: asked from the map without changing anything, and kept where wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, json, make_response, request

from geo import shapes
from geo.commands import studies
from geo.commands.studies import NewDevice
from geo.coverage.footprints import Device
from geo.geojson import parse_document
from schemas.limits import limit
from schemas.refusals import RuleViolation, invalid, too_large
from schemas.store.work import Work
from schemas.tables import CoverageStudy
from web.i18n import gettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import answers, coverage_scope
from web.planner.coverage import study_page
from web.planner.coverage_standing import Effect, StandingStudy, as_geojson, standing_of
from web.planner.coverage_wishes import OWN, Wish, wish_of
from web.planner.coverage_words import DEMANDS_SHORT, HIDDEN_BY, amount, area, share
from web.planner.words import said

section = Section("planner_coverage_what_if", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES


@section.page("/planner/coverage/<public_id>/what-if", POST=_DRAFT, max_body_bytes=1 << 20)
def what_if(public_id: str) -> Response:
    """What some changes of devices would do together; nothing is recorded."""
    changes = _changes_of(parse_document(request.get_data()))
    with services().session() as db:
        study = coverage_scope.opened(db, current_actor(), public_id)
        coverage_scope.require_answer(study)
        standing = standing_of(db, study)
    effect = standing.effect(_wishes(changes, standing))
    told = json.dumps(_answer(effect, standing, study.result or {}), ensure_ascii=False)
    # Shapes of many thousand corners are text already.
    shapes_told = f'"footprint": {as_geojson(effect.footprint)}, "was": {as_geojson(effect.was)}'
    response = make_response(f"{told[:-1]}, {shapes_told}}}")
    response.mimetype = "application/json"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _changes_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    changes = document.get("changes")
    if not isinstance(changes, list) or not all(isinstance(one, dict) for one in changes):
        raise invalid("coverage.changes", "coverage.changes")
    if len(changes) > limit("coverage.changes"):
        raise too_large("coverage.many_changes", measured=len(changes), required=limit("coverage.changes"))
    return changes


def _wishes(told: Sequence[Mapping[str, Any]], standing: StandingStudy) -> list[Wish]:
    wishes = [wish_of(one, standing.seers) for one in told]
    keys = [wish.key for wish in wishes]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise invalid("coverage.same_device", "coverage.same_device", measured=twice[:40])
    return wishes


def _answer(effect: Effect, standing: StandingStudy, result: Mapping[str, Any]) -> dict[str, Any]:
    """The effect in numbers, and in words for the reader; without its shapes."""
    seen_m2 = result["seen_m2"][0] + effect.seen_m2
    part = min(max(seen_m2 / result["ground_m2"], 0.0), 1.0)
    rows = [
        [gettext("Ground that is seen"), area(effect.seen_m2, signed=True)],
        [gettext("Ground that several see"), area(effect.duplicated_m2, signed=True)],
        [gettext("Homes that are seen"), area(effect.homes_m2, signed=True)],
    ]
    for kind, change in effect.demand.items():
        if standing.units[kind] not in ("m2", "homes_m2"):
            rows.append([said(DEMANDS_SHORT, kind), _signed(change, standing.units[kind])])
    return {
        "seen_m2": effect.seen_m2,
        "duplicated_m2": effect.duplicated_m2,
        "homes_m2": effect.homes_m2,
        "demand": effect.demand,
        "share": part,
        "lead": _lead(effect.seen_m2, part),
        "note": said(HIDDEN_BY, effect.hidden) if effect.hidden else "",
        "rows": rows,
        "took": gettext("Computed in %(ms)s ms, by its neighbourhood alone.", ms=f"{1000 * effect.seconds:.0f}"),
        "ms": 1000 * effect.seconds,
    }


# Less than a square metre of change is none to anybody.
_NOTHING_M2 = 1.0


def _lead(change_m2: float, part: float) -> str:
    told = {"area": area(abs(change_m2)), "share": share(part)}
    if change_m2 >= _NOTHING_M2:
        return gettext("%(area)s more would be seen: %(share)s of the ground", **told)
    if change_m2 <= -_NOTHING_M2:
        return gettext("%(area)s less would be seen: %(share)s of the ground", **told)
    return gettext("No more and no less would be seen: %(share)s of the ground", **told)


def _signed(value: float, unit: str) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return sign + amount(abs(value), unit)


# -- kept ------------------------------------------------------------------------------------------------------


@section.page("/planner/coverage/<public_id>/keep", POST=_DRAFT, long_form=True)
def keep(public_id: str) -> Response:
    """The changes become the study's own, and it is computed anew."""

    def step(work: Work) -> None:
        study = coverage_scope.opened(work.session, work.actor, public_id)
        coverage_scope.require_answer(study)
        standing = standing_of(work.session, study)
        told = _changes_of(parse_document(b'{"changes": ' + request.form.get("changes", "").encode() + b"}"))
        if not told:
            raise invalid("coverage.changes", "coverage.changes")
        studies.put_devices(work, study, _devices(study, _wishes(told, standing), standing))

    try:
        answers.do(step)
    except RuleViolation as error:
        return study_page(public_id, answers.refused(error), error.status)
    return answers.go(f"/planner/coverage/{public_id}", "coverage-kept")


def _devices(study: CoverageStudy, wishes: Sequence[Wish], standing: StandingStudy) -> list[NewDevice]:
    """The study's own devices with the wishes: what stands, then what is changed, then what is new."""
    own = {_key_of(row): row for row in study.devices}
    devices = {key: _as_kept(row) for key, row in own.items()}
    for wish in wishes:
        registered = None if wish.key.startswith(OWN) or wish.key not in standing.seers else wish.key
        if wish.view is None and registered is None:
            devices.pop(wish.key, None)
            continue
        view = wish.view or standing.seers[wish.key].device
        devices[wish.key] = NewDevice(
            view=view, label=wish.label, device_type=wish.device_type, device=registered, gone=wish.view is None
        )
    return list(devices.values())


def _key_of(row: Any) -> str:  # noqa: ANN401 - a StudyDevice
    return row.changes or f"{OWN}{row.ordinal}"


def _as_kept(row: Any) -> NewDevice:  # noqa: ANN401 - a StudyDevice
    view = Device(shapes.lon_lat(row.geom), row.range_m, row.sector_azimuth_deg, row.hfov_deg, row.mast_m, row.target_m)
    return NewDevice(view=view, label=row.label, device_type=row.device_type, device=row.changes, gone=row.gone)
