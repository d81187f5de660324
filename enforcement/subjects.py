"""What citizens may speak of: whatever stands on the public map, looked up in the views that everybody reads."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

# A zone belongs to no authority; whoever supervises the place answers for it.
_SHOWN: Mapping[str, str] = {
    "device": "SELECT authority_id FROM public_map.devices WHERE public_id = :name",
    "patrol_area": "SELECT authority_id FROM public_map.patrol_areas WHERE public_id = :name",
    "deployment_point": "SELECT authority_id FROM public_map.deployment_points WHERE public_id = :name",
    "patrol_route": "SELECT authority_id FROM public_map.patrol_routes WHERE public_id = :name",
    "privacy_zone": "SELECT NULL FROM public_map.privacy_zones WHERE public_id = :name",
    "flight": "SELECT r.authority_id FROM public_map.flight_log f"
    " JOIN public_map.patrol_routes r ON r.public_id = f.route_id WHERE f.public_id = :name",
}
KINDS = tuple(_SHOWN)


def is_shown(session: Session, kind: str, name: str, authority_id: uuid.UUID) -> bool:
    """Whether a subject of that kind and public id is public, and this authority the one that answers for it."""
    if kind not in _SHOWN or "\0" in name:
        return False
    found = session.execute(text(_SHOWN[kind]), {"name": name}).one_or_none()
    if found is None:
        return False
    own = "SELECT public_id = :owner FROM core.authority WHERE id = :id"
    return found[0] is None or bool(session.scalar(text(own), {"owner": found[0], "id": authority_id}))
