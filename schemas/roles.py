"""The twelve roles of requirements.md section 6."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A role that a person holds in one authority for a period."""

    PILOT = "pilot"
    UNIT_HEAD = "unit_head"
    LEGAL_REVIEWER = "legal_reviewer"
    TECHNICAL_REVIEWER = "technical_reviewer"
    PROVINCIAL_APPROVER = "provincial_approver"
    OFFICER = "officer"
    PARTY = "party"
    PUBLIC = "public"
    PLANNER = "planner"
    COMMAND_CENTRE = "command_centre"
    DATA_ADMIN = "data_admin"
    SUPERVISOR = "supervisor"
