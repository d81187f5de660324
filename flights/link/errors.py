"""What can go wrong on the line, as refusals; texts are in schemas/texts/link.toml."""

from __future__ import annotations

from typing import Self

from schemas.refusals import Kind, RuleViolation, refuse


class LinkLost(RuleViolation):
    """The vehicle is not, or no longer, heard (503). It goes on by itself: mission, fence and failsafes."""

    @classmethod
    def no_heartbeat(cls, url: str, waited_s: float) -> Self:
        """Nothing was ever heard at `url`."""
        text = refuse("link.no_heartbeat", "link.no_heartbeat", url=url, measured=f"{waited_s:.0f} s")
        return cls(Kind.UNAVAILABLE, [text])

    @classmethod
    def silent(cls, silence_s: float) -> Self:
        """The vehicle fell silent."""
        return cls(Kind.UNAVAILABLE, [refuse("link.lost", "link.lost", measured=f"{silence_s:.0f} s")])


class CalledOff(RuleViolation):
    """Somebody stopped the flight while the aircraft still stood (409)."""

    @classmethod
    def because(cls, reason: str) -> Self:
        """Called off for `reason`."""
        return cls(Kind.CONFLICT, [refuse("link.called_off", "link.called_off", measured=reason)])


class VehicleRefused(RuleViolation):
    """The vehicle said no, or did not do in time what was asked of it (409)."""

    @classmethod
    def because(cls, rule: str, *, text: str | None = None, **details: object) -> Self:
        """A refusal of the single rule `rule`, whose text key is the same where no other is given."""
        return cls(Kind.CONFLICT, [refuse(rule, text or rule, **details)])  # type: ignore[arg-type]
