"""What waits for those who approve models."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from schemas.roles import Role
from schemas.tables import ModelVersion
from web.i18n import ngettext
from web.waiting import Asking, Waiting

_APPROVERS = (Role.UNIT_HEAD, Role.TECHNICAL_REVIEWER)


def waiting(asking: Asking) -> Iterator[Waiting]:
    """Versions that were trained by somebody else and that nobody approved or refused yet."""
    mine = {grant.authority_id for grant in asking.actor.grants if grant.role in _APPROVERS}
    trained = select(func.count()).where(
        ModelVersion.state == "trained",
        ModelVersion.authority_id.in_(mine),
        ModelVersion.author_id.is_distinct_from(asking.actor.person_id),
    )
    count = asking.db.scalar(trained) or 0 if mine else 0
    yield Waiting(count, ngettext("%(num)d model to decide", "%(num)d models to decide", count), None, "/models")
