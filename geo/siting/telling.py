"""An answer in words, and as the document of a run: why each site, what it duplicates, whose homes it sees. Pure."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from geo.coverage.demand import POPULATION, UNITS
from geo.siting.asked import PATROL_HOURS, SitingAsked
from geo.siting.found import Fit, Found, Point, Site
from schemas.refusals import LANGUAGES, Refusal

_KM2 = 1e6
_SQUARE = ("m2", "homes_m2")
_NAMED = 5


@dataclass(frozen=True)
class Checked:
    """What the registry says of a chosen site: which part of its view devices of its kind see by now, and the law.

    `private` are the refusals of GD-15 and `outside` those of the jurisdiction; none where the site keeps the rules.
    """

    duplicates_share: float = 0.0
    duplicates_of: tuple[str, ...] = ()
    private: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class Laws:
    """What of the rule pack an answer leans on: from which share on duplicates have to be answered (GD-17)."""

    duplicate_ratio: float


@dataclass(frozen=True)
class Facts:
    """What an answer is told with beside what was found: what was checked of each site, the law, and who is who.

    `authorities` are names by language and by the code of the authority; `front` is `checked` for each answer of the
    front; `item` the names by language of the supervision item that the study is about. `assumed` and `masts_assumed`
    are how many devices the study counts by a usual view or height, because nobody says theirs; `hour` is the one of
    the day that it is about.
    """

    checked: Sequence[Checked]
    laws: Laws
    authorities: Mapping[str, Mapping[str, str]]
    front: Sequence[Sequence[Checked]] = ()
    item: Mapping[str, str] = field(default_factory=dict)
    assumed: int = 0
    masts_assumed: int = 0
    hour: int | None = None


def told(asked: SitingAsked, found: Found, facts: Facts) -> dict[str, Any]:
    """The document of an answer (siting_run.result), with its sentences in both languages."""
    unit = UNITS[asked.demand]
    return {
        "model": asked.model,
        "demand": asked.demand,
        "proven": found.proven,
        "gap": _finite(found.gap),
        "seconds": round(found.seconds, 3),
        "unit": unit,
        "total": found.total,
        "seen_before": found.seen_before,
        "seen_after": found.seen_after,
        "candidates": found.candidates,
        "left_out": found.left_out,
        "mean_m": found.mean_m,
        "pieces": found.pieces,
        "effort": found.effort,
        "is_least": found.is_least,
        "fit": _fit_document(found.fit),
        "places": {kind: [list(at) for at in places] for kind, places in found.places.items()},
        "sites": _sites(found.sites, facts.checked, unit, facts),
        "front": [
            _point(asked, found, point, checked, facts) for point, checked in zip(found.front, facts.front, strict=True)
        ],
        "sentences": _both(lambda say: _whole(say, asked, found, facts)),
    }


def _sites(sites: Sequence[Site], checked: Sequence[Checked], unit: str, facts: Facts) -> list[dict[str, Any]]:
    return [
        _site(number, site, one, unit, facts) for number, (site, one) in enumerate(zip(sites, checked, strict=True), 1)
    ]


def _point(asked: SitingAsked, found: Found, point: Point, checked: Sequence[Checked], facts: Facts) -> dict[str, Any]:
    """One answer of the front; laid over the document of the whole, `answer` is the document of that answer alone."""
    sites = _sites(point.sites, checked, UNITS[asked.demand], facts)
    alone = replace(
        found,
        sites=point.sites,
        seen_after=found.seen_before + point.seen,
        fit=point.fit,
        gap=point.gap,
        proven=point.proven,
        is_least=point.is_least,
        front=(),
    )
    return {
        "seen": point.seen,
        "burden": point.burden,
        "sites": [site["at"] for site in sites if site["kind"] == "new"],
        "answer": {
            "sites": sites,
            "proven": alone.proven,
            "gap": _finite(alone.gap),
            "seen_after": alone.seen_after,
            "fit": _fit_document(alone.fit),
            "sentences": _both(lambda say: _whole(say, asked, alone, facts)),
        },
    }


def _finite(gap: float) -> float | None:
    return gap if math.isfinite(gap) else None


def _fit_document(fit: Fit | None) -> dict[str, Any] | None:
    return None if fit is None else asdict(fit) | {"gained": list(fit.gained)}


def amount(value: float, unit: str, lang: str) -> str:
    """A quantity of demand with its unit, in words."""
    if unit in _SQUARE:
        key, shown = (f"{unit}_km2", value / _KM2) if value >= _KM2 / 10 else (unit, value)
        return _Say(lang)(f"unit.{key}", value=shown)
    return _Say(lang)(f"unit.{unit}", value=value)


@cache
def _texts() -> Mapping[str, Any]:
    read = resources.files("geo.siting").joinpath("telling.toml").read_text(encoding="utf-8")
    return tomllib.loads(read)


class _Say:
    """Texts of one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, key: str, **values: Any) -> str:  # noqa: ANN401
        group, _, name = key.partition(".")
        text: str = _texts()[self.lang][group][name]
        return text.format(**values)

    def amount(self, value: float, unit: str) -> str:
        return amount(value, unit, self.lang)

    def list(self, names: Sequence[str]) -> str:
        shown = self("word.comma").join(names[:_NAMED])
        return shown if len(names) <= _NAMED else self("word.more", shown=shown, more=len(names) - _NAMED)


def _both(make: Any) -> dict[str, Any]:  # noqa: ANN401 - a function of _Say
    return {lang: make(_Say(lang)) for lang in LANGUAGES}


def _whole(say: _Say, asked: SitingAsked, found: Found, facts: Facts) -> list[str]:
    """What the whole answer says."""
    unit = UNITS[asked.demand]
    new = [site for site in found.sites if site.kind == "new"]
    shared = [site for site in found.sites if site.kind == "shared"]
    kind, total = say(f"demand.{asked.demand}"), found.total or 1.0
    lines = []
    if asked.model == PATROL_HOURS:
        hours, flights = sum(site.hours or 0 for site in found.sites), sum(site.flights or 0 for site in found.sites)
        lines.append(say("whole.patrol", routes=len(found.sites), flights=flights, hours=hours, asked=asked.count))
    else:
        lines.append(say("whole.sites", new=len(new), shared=len(shared), candidates=found.candidates))
    lines.append(
        say(
            "whole.seen",
            demand=kind,
            before=found.seen_before / total,
            after=found.seen_after / total,
            more=say.amount(found.seen_after - found.seen_before, unit),
        )
    )
    lines += _proof(say, asked, found)
    lines += _figures(say, found)
    if shared:
        lines.append(say("whole.shared", devices=say.list([f"{one.label} ({one.device})" for one in shared])))
    kinds = "patrol" if asked.model == PATROL_HOURS else asked.view.device_type
    counted = say("counted.item", item=_item(say, found.item, facts)) if found.item else say(f"counted.{kinds}")
    lines.append(counted)
    if len(found.front) == 1:
        (only,) = found.front
        words = {"most": say.amount(only.seen, unit), "many": say.amount(only.burden, "homes_m2")}
        lines.append(say("whole.front_one", **words))
    elif found.front:
        least, most = found.front[0], found.front[-1]
        seen = [say.amount(one.seen, unit) for one in (least, most)]
        homes = [say.amount(one.burden, "homes_m2") for one in (least, most)]
        lines.append(
            say("whole.front", points=len(found.front), least=seen[0], most=seen[1], few=homes[0], many=homes[1])
        )
    if asked.demand == POPULATION:
        lines.append(say("whole.both"))
    lines += _taken_for_granted(say, facts)
    left = found.left_out
    if left.get("private"):
        lines.append(say("whole.private", private=left["private"], found=left["found"]))
    return lines


def _taken_for_granted(say: _Say, facts: Facts) -> list[str]:
    """What of the study nobody said and was assumed, and what it does not look at."""
    lines = []
    if facts.assumed:
        lines.append(say("whole.assumed", count=facts.assumed))
    if facts.masts_assumed:
        lines.append(say("whole.masts_assumed", count=facts.masts_assumed))
    if facts.hour is not None:
        lines.append(say("whole.hour", hour=facts.hour))
    return lines


def _proof(say: _Say, asked: SitingAsked, found: Found) -> list[str]:
    """Whether the solver proved it; else how far from the best it may be, in what the model is about."""
    if found.proven:
        return [say("whole.proven")]
    if not math.isfinite(found.gap):
        return [say("whole.unknown_gap")]
    lines = [say(f"gap.{asked.model}", gap=found.gap)] if found.gap > 0 else []
    return lines if found.is_least else [*lines, say("gap.burden")]


def _figures(say: _Say, found: Found) -> list[str]:
    """What some models alone can tell."""
    figures = {"effort": found.effort, "pieces": found.pieces, "mean": found.mean_m}
    lines = [say(f"whole.{name}", value=value) for name, value in figures.items() if value is not None]
    return lines if found.fit is None else [_fit(say, found.fit), *lines]


def _fit(say: _Say, fit: Fit) -> str:
    told = say("whole.fit", **asdict(fit))
    return told if not fit.gained else told + say("whole.fit_gained", names=say.list(fit.gained))


def _site(number: int, site: Site, checked: Checked, unit: str, facts: Facts) -> dict[str, Any]:
    return {
        "ordinal": number,
        "at": [round(site.lon, 7), round(site.lat, 7)],
        "sector_azimuth_deg": site.azimuth_deg,
        "hfov_deg": site.hfov_deg,
        "range_m": site.range_m,
        "mast_m": site.mast_m,
        "kind": site.kind,
        "source": site.source,
        "device": site.device,
        "label": site.label,
        "authority": site.authority,
        "flights": site.flights,
        "hours": site.hours,
        "adds": site.adds,
        "duplicates_share": checked.duplicates_share,
        "duplicates_of": list(checked.duplicates_of),
        "burden": {"homes_m2": site.homes_m2, "places": list(site.homes)},
        "rules": _rules(site, checked, facts.laws),
        "sentences": _both(lambda say: _why(say, site, checked, unit, facts)),
    }


def _why(say: _Say, site: Site, checked: Checked, unit: str, facts: Facts) -> list[str]:
    """Why this site."""
    if site.kind == "patrol":
        lines = [say("site.flown", label=site.label, flights=site.flights, hours=site.hours)]
        return [*lines, say("site.adds_patrol", more=say.amount(site.adds, unit))]
    lines = [say("site.adds", more=say.amount(site.adds, unit))]
    if site.kind == "shared":
        owner = facts.authorities.get(site.authority, {}).get(say.lang, site.authority)
        return [*lines, say("site.shared", label=site.label, device=site.device, authority=owner)]
    if checked.duplicates_share > 0:
        devices = say.list(checked.duplicates_of)
        lines.append(say("site.duplicates", share=checked.duplicates_share, devices=devices))
        if checked.duplicates_share >= facts.laws.duplicate_ratio:
            lines.append(say("site.answer", ratio=facts.laws.duplicate_ratio))
    else:
        alone = say("site.alone_for_item", item=_item(say, site.item, facts)) if site.item else say("site.alone")
        lines.append(alone)
    if site.homes_m2 > 0:
        homes = say.amount(site.homes_m2, "homes_m2")
        lines.append(say("site.homes", homes=homes, places=say.list(site.homes)))
    else:
        lines.append(say("site.no_homes"))
    return lines


def _item(say: _Say, code: str, facts: Facts) -> str:
    """An item by its name, and the code by which the catalogue lists it."""
    return say("word.item", name=facts.item[say.lang], code=code) if facts.item else code


def _rules(site: Site, checked: Checked, laws: Laws) -> list[dict[str, Any]]:
    """Which rules the site meets; what is not met has to be settled before the plan can go on."""
    if site.kind == "patrol":
        return [_rule("GD-16.3", True, "patrol")]
    if site.kind == "shared":
        return [_rule("GD-17", True, "shared"), _rule("GD-18.1", False, "ask_use")]
    far = checked.duplicates_share < laws.duplicate_ratio
    return [
        _rule("GD-13.1", True, "need"),
        _rule("GD-15", not checked.private, "private" if checked.private else "no_private"),
        _rule("GD-17", far, "few_duplicates" if far else "duplicates", ratio=laws.duplicate_ratio),
        _rule("IR-1", True, "inside"),
    ]


def _rule(name: str, met: bool, key: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"rule": name, "met": met} | {lang: _Say(lang)(f"rule.{key}", **values) for lang in LANGUAGES}
