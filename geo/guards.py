"""The guards of places: the names that the tables of devices, areas and routes list, and their checks."""

from __future__ import annotations

from geo import checks_common, checks_device, checks_patrol
from schemas.machine import Guard

GUARDS: dict[str, Guard] = {
    "GD-02.1:place_has_rules": checks_common.place_has_rules,
    "IR-1:item_cited": checks_common.item_cited,
    "GD-16.1:approver_is_not_author": checks_common.approver_is_not_author,
    "GD-14.2:official_channel": checks_common.official_channel,
    "GD-14.3:further_channel": checks_common.further_channel,
    "GD-14.4:fresh_publication": checks_common.fresh_publication,
    "GD-14.2:notice_period_over": checks_common.notice_period_over,
    "GD-14.4:announced": checks_common.announced,
    "GD-14.6:secret_is_documented": checks_device.secret_is_documented,
    "GD-14.6:exempt_from_publication": checks_device.exempt_from_publication,
    "GD-14.6:not_secret": checks_device.not_secret,
    "GD-09.2:site_approved": checks_device.site_approved,
    "GD-10.3:both_reviews_passed": checks_device.both_reviews_passed,
    "GD-10.3:reviews_recent": checks_device.reviews_recent,
    "GD-12.2:quality_certificate": checks_device.quality_certificate,
    "GD-15:outside_private_places": checks_device.outside_private_places,
    "GD-22.2:calibration_valid": checks_device.calibration_valid,
    "GD-14.1:sign_verified": checks_device.sign_verified,
    "GD-16.4:aircraft_marked": checks_device.aircraft_marked,
    "GD-14.5:end_expected": checks_device.end_expected,
    "GD-14.5:nothing_moved": checks_device.nothing_moved,
    "GD-14.5:pause_not_too_long": checks_device.pause_not_too_long,
    "GD-14.5:block_not_too_long": checks_device.block_not_too_long,
    "IR-1:inside_jurisdiction": checks_patrol.inside_jurisdiction,
    "GD-16.3:siting_plan_cited": checks_patrol.siting_plan_cited,
    "GD-16.2:height_band_named": checks_patrol.height_band_named,
    "GD-16.2:height_within_band": checks_patrol.height_within_band,
    "GD-16.3:inside_published_area": checks_patrol.inside_published_area,
    "GD-16.5:clear_of_private_places": checks_patrol.clear_of_private_places,
    "DC-2:mission_compiled": checks_patrol.mission_compiled,
    "DC-2:digest_published": checks_patrol.digest_published,
}
