"""The guards of what citizens say: the names that the table of complaints lists, and their checks (GD-45.1)."""

from __future__ import annotations

from enforcement import checks_complaints
from schemas.machine import Guard

GUARDS: dict[str, Guard] = {
    "GD-45.1:says_something": checks_complaints.says_something,
    "GD-45.1:subject_is_shown": checks_complaints.subject_is_shown,
    "GD-45.1:outcome_fits": checks_complaints.outcome_fits,
    "GD-45.1:answered_in_words": checks_complaints.answered_in_words,
    "GD-45.1:error_put_right": checks_complaints.error_put_right,
}
