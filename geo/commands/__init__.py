"""Changes of devices, patrol areas, routes and privacy zones; each is one command with one ledger event.

Whoever calls commits: `with services.work(actor) as work: commands.approve(work, area); work.commit()`.
"""

from geo.commands.devices import (
    NewDevice,
    activate_device,
    block_device,
    block_where_private,
    discontinue_device,
    pause_device,
    record_calibration,
    record_review,
    record_sign,
    register_device,
    resume_device,
    review_device,
    unblock_device,
)
from geo.commands.patrols import (
    NewArea,
    NewRoute,
    approve,
    check,
    draft_area,
    draft_route,
    take_effect,
    take_effect_where_due,
)
from geo.commands.publications import OWN_CHANNEL, publish, record_publication, retire, suspend
from geo.commands.zones import NewZone, add_privacy_zone

__all__ = [
    "OWN_CHANNEL",
    "NewArea",
    "NewDevice",
    "NewRoute",
    "NewZone",
    "activate_device",
    "add_privacy_zone",
    "approve",
    "block_device",
    "block_where_private",
    "check",
    "discontinue_device",
    "draft_area",
    "draft_route",
    "pause_device",
    "publish",
    "record_calibration",
    "record_publication",
    "record_review",
    "record_sign",
    "register_device",
    "resume_device",
    "retire",
    "review_device",
    "suspend",
    "take_effect",
    "take_effect_where_due",
    "unblock_device",
]
