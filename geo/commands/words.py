"""The words that a device may be described by, and the refusal of others."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.refusals import Kind, RuleViolation, refuse

PLATFORMS = ("fixed", "uav", "ugv", "usv")
DEVICE_TYPES = ("video", "radar", "water_quality", "air", "noise", "satellite_ref")
OWNERS = ("authority", "department", "enterprise")


def refuse_unknown(words: Iterable[tuple[str, str, tuple[str, ...]]]) -> None:
    """Raise RuleViolation 422 for every (field, word, allowed words) whose word is not allowed."""
    refusals = [
        refuse("site.word", "site.word", field=field, measured=value, required=", ".join(allowed))
        for field, value, allowed in words
        if value not in allowed
    ]
    if refusals:
        raise RuleViolation(Kind.INVALID, refusals)
