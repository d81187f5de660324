"""What every page needs: its navigation, the banner of sample data, the local date, and small template helpers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Flask, json, request
from flask_babel import lazy_gettext
from markupsafe import Markup

from schemas.actors import ActorKind
from schemas.rules.registry import registry
from web import words
from web.i18n import days_left
from web.identity.request_identity import current_actor, services
from web.permissions import OPEN, Permission, may
from web.public.kept import Keeper, database_name, later, map_lag_s


@dataclass(frozen=True)
class Link:
    """One entry of the navigation."""

    path: str
    label: Any
    needs: Permission
    unless: Permission | None = None

    @property
    def current(self) -> bool:
        """Whether the page being shown lies under this entry."""
        longest = max((link.path for link in LINKS if _lies_under(link.path)), key=len, default="")
        return self.path == longest


LINKS = (
    Link("/", lazy_gettext("Map"), Permission.BROWSE),
    Link("/list", lazy_gettext("List"), Permission.BROWSE),
    Link("/rules", lazy_gettext("Rules and rights"), Permission.BROWSE),
    Link("/ask", lazy_gettext("Complain or ask"), Permission.BROWSE, unless=Permission.READ_COMPLAINTS),
    Link("/pilot", lazy_gettext("Pilot desk"), Permission.CHECK_PLAN),
    Link("/pilot/air", lazy_gettext("In the air"), Permission.WATCH_FLIGHT),
    Link("/review", lazy_gettext("Review desk"), Permission.READ_DETECTIONS),
    Link("/review/private", lazy_gettext("Private ground"), Permission.READ_RELEASES),
    Link("/models", lazy_gettext("Models"), Permission.READ_MODELS),
    Link("/planner", lazy_gettext("Planner's desk"), Permission.DRAFT_PLACES),
    Link("/reviews", lazy_gettext("Approvals"), Permission.READ_FILES),
    Link("/registry", lazy_gettext("Registry"), Permission.READ_REGISTRY),
    Link("/zones", lazy_gettext("Privacy zones"), Permission.READ_ZONES),
    Link("/complaints", lazy_gettext("Complaints"), Permission.READ_COMPLAINTS),
    Link("/sta/health", lazy_gettext("Health of devices"), Permission.READ_HEALTH),
)


def _lies_under(path: str) -> bool:
    return request.path == path or (path != "/" and request.path.startswith(f"{path}/"))


def register(app: Flask) -> None:
    """Installs the helpers in the templates of `app`."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        navigation=navigation,
        signed_in=signed_in,
        sample_data=sample_data,
        today=today,
        days_left=days_left,
        words=words,
        may=allowed,
        is_law=is_law,
    )
    app.jinja_env.filters.update(attribute=attribute, anchor=anchor)


def navigation() -> list[Link]:
    """The entries that the reader may open; who has the desk of something needs no way to its form."""
    actor = current_actor()
    return [link for link in LINKS if may(actor, link.needs) and not (link.unless and may(actor, link.unless))]


def desks() -> list[Link]:
    """The desks that the reader holds a role for."""
    return [link for link in navigation() if link.needs not in OPEN]


def allowed(permission: str) -> bool:
    """Whether the reader holds a permission, by its word."""
    return may(current_actor(), Permission(permission))


def signed_in() -> bool:
    """Whether somebody is signed in."""
    return current_actor().kind is ActorKind.PERSON


_SAMPLE_DATA = Keeper(64)


def sample_data() -> bool:
    """Whether this installation holds the fictional district; every page then says so."""
    house = services()
    return _SAMPLE_DATA.current(database_name(), None, lambda _last: house.holds_sample_data, map_lag_s(), later())


def today() -> date:
    """The local date by the clock of the installation."""
    return services().today


def attribute(value: Mapping[str, Any] | list[Any]) -> Markup:
    """A value as JSON for a `data-` attribute in double quotes, which scripts read without any inline code."""
    return Markup(Markup.escape(json.dumps(value, ensure_ascii=False)))


def anchor(rule: str) -> str:
    """The fragment of the rules page that explains a rule id: `gd-14-2` for GD-14.2."""
    return rule.lower().replace(".", "-")


def is_law(rule: str) -> bool:
    """Whether a rule id is explained on the rules page; ids of our own checks are not."""
    return rule in registry()
