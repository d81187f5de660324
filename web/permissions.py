"""Permissions: no route exists without a declared audience and, per method, a declared permission.

Audit findings of the field (a GET and a POST under one permission, an upload that forgot its check)
have one cause: the check was somewhere else than the route. Here registration itself fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, request

from schemas.actors import Actor, ActorKind
from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, forbidden, refuse
from schemas.roles import Role
from web.identity.request_identity import current_actor
from web.lasting import Lasting
from web.rates import limited
from web.things.credentials import current_token

_NEEDS = "__skywarden_needs__"
View = TypeVar("View", bound=Callable[..., Any])


class Audience(StrEnum):
    """Whom a branch of the URL tree belongs to; the value is the branch's first path segment."""

    PUBLIC = ""
    ACCOUNT = "account"
    PILOT = "pilot"
    DESK = "review"
    MODELS = "models"
    REGISTRY = "registry"
    ZONES = "zones"
    THINGS = "sta"
    PLANNER = "planner"
    REVIEWS = "reviews"
    COMPLAINTS = "complaints"


class Permission(StrEnum):
    """What one method of one route does, in the words of requirements.md section 6."""

    BROWSE = "map.browse"
    ASK = "public.ask"
    SUBSCRIBE = "public.subscribe"
    SIGN_IN = "session.start"
    SIGN_OUT = "session.end"
    READ_ACCOUNT = "account.read"
    CHECK_PLAN = "plan.check"
    FILE_FLIGHT = "flight.file"
    READ_OWN_FLIGHTS = "flight.read_own"
    WATCH_FLIGHT = "flight.watch"
    ORDER_FLIGHT = "flight.order"
    CLEAR_FLIGHT = "flight.clear"
    READ_DETECTIONS = "detection.read"
    DECIDE_DETECTION = "detection.decide"
    READ_RELEASES = "release.read"
    RELEASE_FINDING = "release.decide"
    READ_MODELS = "model.read"
    LABEL_PLACES = "model.label"
    TRAIN_MODEL = "model.train"
    DECIDE_MODEL = "model.decide"
    READ_THINGS = "things.read"
    READ_HEALTH = "things.health"
    PUSH_READINGS = "things.push"
    READ_REGISTRY = "registry.read"
    ACT_ON_DEVICE = "device.act"
    PUBLISH = "publication.make"
    REPORT_DEVICES = "report.submit"
    SWITCH_RULES = "rules.switch"
    TELL_CONTACT = "contact.tell"
    READ_ZONES = "zone.read"
    DECIDE_ZONE = "zone.decide"
    DRAFT_PLACES = "siting.draft"
    READ_COORDINATION = "siting.coordinate"
    READ_FILES = "siting.read"
    REVIEW_SITES = "siting.review"
    SUBMIT_PLAN = "siting.submit"
    RETURN_PLAN = "siting.return"
    DECIDE_PLAN = "siting.decide"
    REVOKE_PLAN = "siting.revoke"
    APPROVE_PLACES = "patrol.approve"
    READ_COMPLAINTS = "complaint.read"
    ANSWER_COMPLAINT = "complaint.answer"


_PUBLISHERS = frozenset({Role.OFFICER, Role.PLANNER, Role.UNIT_HEAD})
_ACTING = _PUBLISHERS | {Role.LEGAL_REVIEWER, Role.TECHNICAL_REVIEWER, Role.COMMAND_CENTRE}
_LOOKING = _ACTING | {Role.PROVINCIAL_APPROVER, Role.SUPERVISOR, Role.DATA_ADMIN}
SIGNED_IN = frozenset({Permission.SIGN_OUT, Permission.READ_ACCOUNT})
# What anyone may do; what is written here is taken at a slow rate and never trusted.
OPEN = frozenset({Permission.BROWSE, Permission.SIGN_IN, Permission.ASK, Permission.SUBSCRIBE})
# What a device may do with a credential of its own; no person pushes readings.
BY_DEVICE = frozenset({Permission.READ_THINGS, Permission.PUSH_READINGS})
# Roles as data (requirements.md section 6). `OPEN` needs no login, `SIGNED_IN` any login.
ROLES: Mapping[Permission, frozenset[Role]] = {
    Permission.CHECK_PLAN: frozenset({Role.PILOT, Role.PLANNER, Role.OFFICER, Role.UNIT_HEAD}),
    Permission.FILE_FLIGHT: frozenset({Role.PILOT}),
    Permission.READ_OWN_FLIGHTS: frozenset({Role.PILOT}),
    Permission.WATCH_FLIGHT: frozenset({Role.PILOT, Role.UNIT_HEAD, Role.COMMAND_CENTRE}),
    Permission.ORDER_FLIGHT: frozenset({Role.PILOT, Role.UNIT_HEAD, Role.COMMAND_CENTRE}),
    Permission.CLEAR_FLIGHT: frozenset({Role.UNIT_HEAD}),
    Permission.READ_DETECTIONS: frozenset({Role.OFFICER}),
    Permission.DECIDE_DETECTION: frozenset({Role.OFFICER}),
    Permission.READ_RELEASES: frozenset({Role.LEGAL_REVIEWER, Role.SUPERVISOR}),
    Permission.RELEASE_FINDING: frozenset({Role.LEGAL_REVIEWER}),
    Permission.READ_MODELS: frozenset(
        {Role.OFFICER, Role.TECHNICAL_REVIEWER, Role.UNIT_HEAD, Role.SUPERVISOR, Role.DATA_ADMIN}
    ),
    Permission.LABEL_PLACES: frozenset({Role.OFFICER, Role.TECHNICAL_REVIEWER}),
    Permission.TRAIN_MODEL: frozenset({Role.OFFICER, Role.TECHNICAL_REVIEWER, Role.DATA_ADMIN}),
    Permission.READ_THINGS: frozenset({Role.OFFICER}),
    Permission.READ_HEALTH: frozenset({Role.COMMAND_CENTRE, Role.OFFICER, Role.UNIT_HEAD}),
    Permission.PUSH_READINGS: frozenset(),
    Permission.DECIDE_MODEL: frozenset({Role.UNIT_HEAD, Role.TECHNICAL_REVIEWER, Role.SUPERVISOR}),
    Permission.READ_REGISTRY: _LOOKING,
    Permission.ACT_ON_DEVICE: _ACTING,
    Permission.PUBLISH: _PUBLISHERS,
    Permission.REPORT_DEVICES: _PUBLISHERS,
    Permission.SWITCH_RULES: frozenset({Role.UNIT_HEAD, Role.LEGAL_REVIEWER, Role.PROVINCIAL_APPROVER}),
    Permission.TELL_CONTACT: frozenset({Role.OFFICER, Role.UNIT_HEAD}),
    Permission.READ_ZONES: _LOOKING - {Role.DATA_ADMIN},
    Permission.DECIDE_ZONE: frozenset({Role.UNIT_HEAD}),
    Permission.DRAFT_PLACES: frozenset({Role.PLANNER, Role.OFFICER}),
    Permission.READ_COORDINATION: frozenset(
        {Role.PLANNER, Role.OFFICER, Role.UNIT_HEAD, Role.COMMAND_CENTRE, Role.PROVINCIAL_APPROVER, Role.SUPERVISOR}
    ),
    Permission.READ_FILES: frozenset(
        {
            Role.LEGAL_REVIEWER,
            Role.TECHNICAL_REVIEWER,
            Role.UNIT_HEAD,
            Role.PROVINCIAL_APPROVER,
            Role.SUPERVISOR,
        }
    ),
    Permission.REVIEW_SITES: frozenset({Role.LEGAL_REVIEWER, Role.TECHNICAL_REVIEWER}),
    Permission.SUBMIT_PLAN: frozenset({Role.UNIT_HEAD}),
    Permission.RETURN_PLAN: frozenset(
        {Role.LEGAL_REVIEWER, Role.TECHNICAL_REVIEWER, Role.UNIT_HEAD, Role.PROVINCIAL_APPROVER}
    ),
    Permission.DECIDE_PLAN: frozenset({Role.PROVINCIAL_APPROVER}),
    Permission.REVOKE_PLAN: frozenset({Role.PROVINCIAL_APPROVER, Role.SUPERVISOR}),
    Permission.APPROVE_PLACES: frozenset({Role.UNIT_HEAD}),
    Permission.READ_COMPLAINTS: frozenset({Role.OFFICER, Role.UNIT_HEAD, Role.SUPERVISOR}),
    Permission.ANSWER_COMPLAINT: frozenset({Role.OFFICER, Role.UNIT_HEAD}),
}


@dataclass(frozen=True)
class Needs:
    """What a route declares: its audience, a permission per method, the body that it takes, and how often."""

    audience: Audience
    methods: Mapping[str, Permission]
    max_body_bytes: int | None = None
    long_form: bool = False
    rate: str | None = None


class UndeclaredRoute(Exception):
    """A route was registered without saying who may call it; the application does not start."""


class Section(Blueprint):
    """A branch of the URL tree that belongs to one audience."""

    def __init__(self, name: str, import_name: str, audience: Audience) -> None:
        super().__init__(name, import_name)
        self.audience = audience

    def page(
        self,
        rule: str,
        *,
        max_body_bytes: int | None = None,
        long_form: bool = False,
        rate: str | None = "pages",
        **methods: Permission,
    ) -> Callable[[View], View]:
        """Registers a view with a permission per method: `@section.page("/x", GET=..., POST=...)`.

        `long_form` lets a body have the fields that a check-list or many sites need. `rate` is the bucket in which
        requests of strangers are counted (web/rates.py); it counts for what the public reads, and None for nothing.
        """
        counted = rate if self.audience is Audience.PUBLIC else None
        if not methods:
            raise UndeclaredRoute(f"{rule}: no method is declared")

        def register(view: View) -> View:
            needs = Needs(self.audience, dict(methods), max_body_bytes, long_form, counted)
            setattr(view, _NEEDS, {**getattr(view, _NEEDS, {}), rule: needs})
            self.add_url_rule(rule, view_func=view, methods=list(methods), provide_automatic_options=False)
            return view

        return register


class GuardedFlask(Flask):
    """A Flask application that refuses routes which declare no audience and permission."""

    def __init__(self, import_name: str) -> None:
        # The rules that passed registration, by (rule, endpoint); asked again at every request.
        self.needs: dict[tuple[str, str], Needs] = {}
        # Flask's own static route would be the one route that declares nothing.
        super().__init__(import_name, static_folder=None)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: none here is a coroutine, and to ask that of a dozen costs a tile a twentieth."""
        return func

    def process_response(self, response: Response) -> Response:
        """All that is done to answers; to one that lasts it is done once."""
        if not isinstance(response, Lasting):
            return super().process_response(response)
        if not response.is_whole:
            super().process_response(response)
            response.complete(request.environ)
        return response

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Registers a rule, or raises UndeclaredRoute when it says less than it must."""
        needs = getattr(view_func, _NEEDS, {}).get(rule)
        declared = set(options.get("methods") or {"GET"})
        if needs is None or declared != set(needs.methods):
            raise UndeclaredRoute(f"{rule}: declare an audience and a permission for each of {sorted(declared)}")
        _check_branch(rule, needs.audience)
        self.needs[rule, str(endpoint)] = needs
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)


def _check_branch(rule: str, audience: Audience) -> None:
    first = rule.split("/")[1]
    staff = {a.value for a in Audience} - {Audience.PUBLIC.value}
    owner = first if first in staff else Audience.PUBLIC.value
    if owner != audience.value:
        raise UndeclaredRoute(f"{rule}: this branch of the tree belongs to another audience than {audience.name}")


def declared_needs(app: GuardedFlask) -> Needs | None:
    """What the route of this request declares; None when no route matched."""
    rule = request.url_rule
    return app.needs[rule.rule, rule.endpoint] if rule is not None else None


def enforce(app: GuardedFlask) -> None:
    """Before each request: 429 for who asks too often, 401 or 403 unless the actor holds the declared permission."""
    needs = declared_needs(app)
    if needs is None:
        return
    if needs.rate is not None:
        limited(needs.rate)
    if needs.max_body_bytes is not None:
        request.max_content_length = needs.max_body_bytes
    if needs.long_form:
        request.max_form_parts = limit("form.long_parts")
        request.max_form_memory_size = limit("form.long_bytes")
        request.max_content_length = max(limit("form.long_bytes"), needs.max_body_bytes or 0)
    if request.method == "HEAD":
        # What a HEAD asks is what a GET would be told (RFC 9110, 9.3.2). A view that knows GET and POST alone would do
        # for it what POST does, under the permission to read and from any origin; the server still leaves out the body.
        request.method = "GET"
    permission = needs.methods.get(request.method)
    if permission is None or permission in OPEN:
        return
    if permission in BY_DEVICE and current_token() is not None:
        return
    actor = current_actor()
    if actor.kind is not ActorKind.PERSON:
        raise RuleViolation(Kind.UNAUTHENTICATED, [refuse("session.required", "web.session_required")])
    if not may(actor, permission):
        raise forbidden("permission.missing", "web.permission_missing", permission=permission.value)


def may(actor: Actor, permission: Permission) -> bool:
    """Whether the actor holds a role that carries the permission."""
    if permission in OPEN:
        return True
    if permission in SIGNED_IN:
        return actor.kind is ActorKind.PERSON
    return bool(ROLES[permission] & actor.roles)
