"""What the database refuses by itself, translated into the refusal that people read.

Constraints and triggers that hold a rule are named `rule__GD-14.2__notice_period`; the name comes
back with the error, and this module turns it into a `RuleViolation`. Everything else stays an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import DBAPIError

from schemas.refusals import RuleViolation, conflict, invalid

NAME = re.compile(r"rule__(?P<rule>[A-Z]{2}-\d+(?:\.\d+)?|state\.machine)__(?P<reason>\w+)")
# The rule that shapes and numbers are sound; its reasons name a table and a column.
SOUND = "DC-4"


def translate(error: DBAPIError) -> RuleViolation | None:
    """The refusal behind a database error, or None where no rule is named."""
    diagnosis = getattr(error.orig, "diag", None)
    name = getattr(diagnosis, "constraint_name", None) or ""
    found = NAME.search(name) or NAME.search(str(error.orig))
    if found is None:
        return None
    rule, reason = found["rule"], found["reason"]
    if rule == SOUND:
        return invalid(rule, "judge.unsound", measured=reason.replace("_", " "))
    return conflict(rule, f"judge.{reason}", **_told(getattr(diagnosis, "message_detail", None)))


def _told(detail: str | None) -> Mapping[str, Any]:
    """What a trigger says beside its rule, as a JSON object in the DETAIL: who holds the air, when, how high, where.

    Only our own triggers write such an object; the DETAIL of a plain constraint holds values of rows and stays inside.
    """
    try:
        told = json.loads(detail or "")
        start, end = (datetime.fromisoformat(told[name]).astimezone(UTC) for name in ("from", "until"))
        heights = f"{told['alt_agl_min_m']:.0f}-{told['alt_agl_max_m']:.0f} m"
        held = f"{told['flight']}, {start:%Y-%m-%dT%H:%M}-{end:%H:%M}Z, {heights}"
        return {"measured": held, "place": told["place"]}
    except (ValueError, TypeError, KeyError):
        return {}
