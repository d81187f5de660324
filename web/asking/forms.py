"""Fields that the forms of citizens share."""

from __future__ import annotations

from schemas.refusals import refuse
from schemas.words import Coded
from web.planner.forms import Form

LONGEST_CONTACT = 300


def contact_line(form: Form, name: str, *, required: bool = False) -> str:
    """One line by which somebody is reached or named; whatever else is in it is a fault of the field."""
    said = form.raw(name)
    if len(said) > LONGEST_CONTACT or not said.isprintable():
        told = refuse("form.field", "ask.contact_line", field=Coded("field", [name]), required=LONGEST_CONTACT)
        form.faults.add(told, name)
        return ""
    return form.text(name, required=required)
