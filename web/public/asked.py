"""What a reader asks of the map, as the address says it: one state for page, list, print, frame and script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import request
from sqlalchemy import Connection, text

from schemas.refusals import RuleViolation, invalid
from web import words
from web.page import today
from web.public.layers import DEVICES, LAYERS

# Said in the address where every box of a group is empty: nothing at all of it is shown.
NONE = "none"
SHOWN = "shown"
# States in which a device can be seen, in the order in which the legend says them.
DEVICE_STATES = ("active", "in_notice_period", "maintenance", "out_of_use", "discontinued", "retired")
LONGEST_WORD = 120
LAST_PAGE = 10_000
FIRST_DAY = date(2000, 1, 1)


@dataclass(frozen=True)
class View:
    """What is to be shown: empty groups mean everything; `on` a day of the past, None for today.

    `grid` asks for the cells that several devices reach, which are not shown unless asked for.
    """

    kinds: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    authority: str = ""
    on: date | None = None
    grid: bool = False

    @property
    def is_narrowed(self) -> bool:
        """Whether less than everything is asked for."""
        return bool(self.kinds or self.states or self.layers or self.authority)

    def shows(self, layer: str) -> bool:
        """Whether a layer is to be seen; the devices go with their kinds."""
        if layer == DEVICES.name:
            return self.kinds != (NONE,)
        return not self.layers or layer in self.layers

    def address(self, path: str, **more: str) -> str:
        """The view under another path, with more words."""
        pairs = [("kind", kind) for kind in self.kinds] + [("state", state) for state in self.states]
        pairs += [("layer", layer) for layer in self.layers]
        pairs += [("authority", self.authority)] if self.authority else []
        pairs += [("on", self.on.isoformat())] if self.on else []
        # Only the map itself draws the grid.
        pairs += [("grid", SHOWN)] if self.grid and path == "/" else []
        pairs += list(more.items())
        return f"{path}?{urlencode(pairs)}" if pairs else path

    @property
    def today_address(self) -> str:
        """The same view as it is today."""
        return replace(self, on=None).address("/")

    def for_script(self) -> dict[str, Any]:
        """The view for maps that are only looked at."""
        return {"kinds": self.kinds, "states": self.states, "layers": self.layers, "authority": self.authority}

    def list_address(self, layer: str = DEVICES.name) -> str:
        """The same view as a list; kinds and states are those of devices."""
        view = replace(self, layers=()) if layer == DEVICES.name else replace(self, layers=(), kinds=(), states=())
        return view.address("/list", layer=layer)


def view_asked(public: Connection) -> View:
    """The view that the address of this request says; raises RuleViolation 422 for what nobody could show."""
    return View(
        kinds=several("kind", [*words.DEVICE_TYPES]),
        states=several("state", [*DEVICE_STATES]),
        layers=several("layer", [name for name in LAYERS if name != DEVICES.name]),
        authority=authority_asked(public),
        on=day_asked(),
        grid=choice("grid", [SHOWN]) == SHOWN,
    )


def several(key: str, offered: Sequence[str]) -> tuple[str, ...]:
    """The words of a group, in the order of the offer; all of them is the same as none said."""
    said = set(request.args.getlist(key)) - {""}
    if said == {NONE}:
        return (NONE,)
    for value in said:
        if value not in offered:
            raise unknown(key, value, offered)
    return tuple(value for value in offered if value in said) if len(said) < len(offered) else ()


def one_word(key: str, most: int = LONGEST_WORD) -> str:
    """A text of the query, trimmed; raises RuleViolation 422 when no text could mean anything."""
    value = request.args.get(key, "").strip()
    if len(value) > most:
        raise unknown(key, value, [f"1-{most}"])
    return value


def choice(key: str, offered: Sequence[str]) -> str:
    """One word of an offer, or none; raises RuleViolation 422."""
    value = one_word(key)
    if value and value not in offered:
        raise unknown(key, value, offered)
    return value


def authority_asked(public: Connection) -> str:
    """The public id of the authority that is asked for; raises RuleViolation 422 where there is none such."""
    value = one_word("authority", 64)
    if value:
        ids = public.execute(text("SELECT public_id FROM public_map.authorities ORDER BY 1 LIMIT 500")).scalars().all()
        if value not in ids:
            raise unknown("authority", value, ids[:6])
    return value


def day_asked() -> date | None:
    """The day of the past that is asked for; None for today; raises RuleViolation 422 for a day to come or no day."""
    value = one_word("on", 40)
    if not value:
        return None
    try:
        # What Python takes beside it (20250601, 2025-W22-7) is not what an address of ours says.
        day = date.fromisoformat(value) if len(value) == 10 else None
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= today() or day.isoformat() != value:
        raise unknown("on", value, [f"{FIRST_DAY} … {today()}"])
    return None if day == today() else day


def page_number() -> int:
    """Which page of several is asked for; raises RuleViolation 422."""
    value = one_word("page", 8) or "1"
    if value.isascii() and value.isdigit() and 1 <= int(value) <= LAST_PAGE:
        return int(value)
    raise unknown("page", value, [f"1-{LAST_PAGE}"])


def refuse_others(known: Iterable[str]) -> None:
    """Refuses what the address says beside what is known there; raises RuleViolation 422."""
    for key in request.args:
        if key not in known:
            raise unknown(key[:40], request.args[key], sorted(known))


def unknown(key: str, value: str, offered: Sequence[str]) -> RuleViolation:
    """The refusal of a word of the address, with what would do."""
    return invalid(
        "query.unknown",
        "web.query_unknown",
        name=key,
        measured=value[:40],
        required=", ".join(offered),
    )
