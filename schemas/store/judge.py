"""What the database refuses by itself, translated into the refusal that people read.

Constraints and triggers that hold a rule are named `rule__GD-14.2__notice_period`; the name comes
back with the error, and this module turns it into a `RuleViolation`. Everything else stays an error.
"""

from __future__ import annotations

import re

from sqlalchemy.exc import DBAPIError

from schemas.refusals import RuleViolation, conflict

NAME = re.compile(r"rule__(?P<rule>[A-Z]{2}-\d+(?:\.\d+)?)__(?P<reason>\w+)")


def translate(error: DBAPIError) -> RuleViolation | None:
    """The refusal behind a database error, or None where no rule is named."""
    diagnosis = getattr(error.orig, "diag", None)
    name = getattr(diagnosis, "constraint_name", None) or ""
    found = NAME.search(name) or NAME.search(str(error.orig))
    if found is None:
        return None
    return conflict(found["rule"], "store.judge", reason=found["reason"].replace("_", " "))
