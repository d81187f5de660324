"""The detectors of the default engine: how each kind is painted and examined, and what it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sensing.bands import Role
from sensing.features import Floats, majority
from sensing.mask import Mask
from sensing.segment import examine, fires, learned, litter, pair, ponds, single, yards
from sensing.segment.looks import FARMLAND, PROTECTED, SITES, WATER, Closer, Find, Numbers, Planes, Searched, View
from sensing.segment.survey import Survey
from sensing.words import Sentence, say

EXCAVATION, BUILDING, BURN_SCAR, DISCOLOURED_WATER = "excavation", "building", "burn_scar", "discoloured_water"
VEGETATION_LOSS, LAND_CONVERSION, SOLID_WASTE = "vegetation_loss", "land_conversion", "solid_waste"
ALGAL_BLOOM, BLACK_WATER, BARE_SOIL = "algal_bloom", "black_water", "bare_soil"
OPEN_FLAME, SMOKE_PLUME = "open_flame", "smoke_plume"
PAIR, SINGLE = "pair", "single"
_RGB = frozenset({Role.RED, Role.GREEN, Role.BLUE})


@dataclass(frozen=True)
class Detector:
    """One kind in one way of looking."""

    kind: str
    numbers: Numbers
    searched: Searched
    paint: Callable[[View, Mask, Numbers], Planes]
    examine: Callable[[Closer, Numbers], Find | None]

    @property
    def largest_m2(self) -> float:
        """How large an area may be at most that it looks at."""
        return _LARGEST_M2.get(self.kind, math.inf)

    def halo_px(self, gsd_m: float) -> int:
        """How far around a pixel its answer depends on other pixels."""
        reach_m: float = max(self.numbers.get(name, 0.0) for name in ("slope_m", "field_m", "bank_m", "crowd_m"))
        grain_px = sum(int(self.numbers.get(name, 0)) for name in ("settle_px", "calm_px", "rim_px"))
        return grain_px + math.ceil(reach_m / gsd_m) + 2

    def planes(self, view: View) -> Planes:
        """The painted planes without lone pixels and with small gaps closed."""
        here = view.ground(self.searched)
        if not here.any():
            return Planes(here, here)
        painted = self.paint(view, here, self.numbers)
        if not painted.member.any():
            return painted
        member = majority(painted.member, int(self.numbers["settle_px"]))
        return Planes(member, painted.sure & member)


def _water(level: Callable[[View], Floats]) -> Callable[[Closer, Numbers], Find | None]:
    def look(closer: Closer, numbers: Numbers) -> Find | None:
        return examine.plume(closer, level(closer.view), numbers)

    return look


_EITHER: Mapping[str, tuple[Any, Any]] = {
    SOLID_WASTE: (litter.dumped, litter.solid_waste),
    ALGAL_BLOOM: (ponds.bloom, ponds.algal_bloom),
    BLACK_WATER: (ponds.black, ponds.black_water),
    BARE_SOIL: (yards.uncovered, yards.bare_soil),
}
_WAYS: Mapping[str, Mapping[str, tuple[Any, Any]]] = {
    PAIR: {
        EXCAVATION: (pair.dug, examine.excavation),
        BUILDING: (pair.built, examine.building),
        BURN_SCAR: (pair.burnt, examine.burn_scar),
        DISCOLOURED_WATER: (pair.plume, _water(pair.water_change)),
        VEGETATION_LOSS: (pair.cleared, examine.vegetation_loss),
        LAND_CONVERSION: (yards.converted, yards.land_conversion),
        **_EITHER,
    },
    SINGLE: {
        EXCAVATION: (single.dug, examine.excavation),
        BUILDING: (single.built, examine.building),
        BURN_SCAR: (single.burnt, examine.burn_scar),
        DISCOLOURED_WATER: (single.plume, _water(single.water_colour)),
        **_EITHER,
    },
}
# What burns is looked for on one date, however many there are: by its heat, by a camera's colours, by its smoke.
_FIRES: Mapping[str, tuple[Any, Any]] = {
    "heat": (fires.hot, fires.hot_spot),
    "flames": (fires.flaming, fires.flames),
    "far_smoke": (fires.drifting, fires.smoke_plume),
    "near_smoke": (fires.drifting, fires.smoke_plume),
}
KINDS = (*_WAYS[PAIR], OPEN_FLAME, SMOKE_PLUME)


# The one place that says where each kind is looked for: nothing is painted beyond it.
SEARCHED: Mapping[str, Searched] = {
    **dict.fromkeys((EXCAVATION, BUILDING, BURN_SCAR, SOLID_WASTE, OPEN_FLAME), Searched()),
    SMOKE_PLUME: Searched(without=()),
    **dict.fromkeys((DISCOLOURED_WATER, ALGAL_BLOOM, BLACK_WATER), Searched(WATER, ())),
    VEGETATION_LOSS: Searched(PROTECTED, (FARMLAND, WATER)),
    LAND_CONVERSION: Searched(FARMLAND),
    BARE_SOIL: Searched(SITES),
}
# Without the layer within which it is looked for a kind has no meaning; buildings are drawn wherever they stand, but
# outside protected zones nobody asks for them.
_NEEDED_LAYER = {kind: one.within for kind, one in SEARCHED.items() if one.within} | {BUILDING: PROTECTED}
# A jumble that is larger than this is a landfill, or a picture so grainy that hues jump everywhere.
_LARGEST_M2 = {SOLID_WASTE: 20_000.0}
_NEEDED_BANDS = {ALGAL_BLOOM: frozenset({Role.NIR})}
_FEWEST_PIXELS = 200
# No natural scene is twice as green as it is red and blue: then the bands are not in the order that was assumed.
_GREENEST = 1.8


def way_of(roles: Collection[Role], before_roles: Collection[Role] | None) -> str:
    """Two dates with near infrared, or one in plain colour; then an earlier scene has nothing to say."""
    needed = _RGB | {Role.NIR}
    return PAIR if before_roles is not None and needed <= set(roles) & set(before_roles) else SINGLE


@dataclass(frozen=True)
class Facts:
    """What decides which kinds a scene allows: its bands, the way of looking, pixel size, layers and survey.

    `shown` says that a camera brightened the picture for the eye, `apart` that there is an earlier scene which does
    not lie on this one.
    """

    roles: frozenset[Role]
    way: str
    gsd_m: float
    layers: frozenset[str]
    survey: Survey
    shown: bool = False
    apart: bool = False

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        sets = {"roles": sorted(self.roles), "layers": sorted(self.layers)}
        plain = {name: getattr(self, name) for name in ("way", "gsd_m", "shown", "apart")}
        return sets | plain | {"survey": self.survey.dump()}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        return cls(
            roles=frozenset(Role(name) for name in plain["roles"]),
            way=plain["way"],
            gsd_m=plain["gsd_m"],
            layers=frozenset(plain["layers"]),
            survey=Survey.load(plain["survey"]),
            shown=plain["shown"],
            apart=plain["apart"],
        )


def choose(facts: Facts, parameters: Mapping[str, Any]) -> tuple[list[Detector], dict[str, Sentence]]:
    """The detectors that a scene allows, and for every other kind the reason why not.

    Those of the engine come first; then those of a pixel model, if `parameters` name one as `learned`.
    """
    chosen: list[Detector] = []
    refused: dict[str, Sentence] = {}
    for kind in KINDS:
        found = _fire(facts, kind, parameters) if kind in (OPEN_FLAME, SMOKE_PLUME) else _way(facts, kind, parameters)
        if isinstance(found, Sentence):
            refused[kind] = found
        else:
            own, (paint, look) = found
            numbers = {**parameters["surface"], **parameters[facts.way]["colours"], **own}
            chosen.append(Detector(kind, numbers, SEARCHED[kind], paint, look))
    more = _learned(facts, parameters)
    return chosen + more, {kind: why for kind, why in refused.items() if kind not in {one.kind for one in more}}


def _learned(facts: Facts, parameters: Mapping[str, Any]) -> list[Detector]:
    """What a pixel model adds; nothing where the colours of a scene cannot be trusted."""
    plain = parameters.get("learned")
    if plain is None or _unusable(facts):
        return []
    asked = learned.Learned.load(plain)
    return [Detector(*way) for way in learned.ways(asked, facts.roles, facts.gsd_m, pair=facts.way == PAIR)]


def _unusable(facts: Facts) -> Sentence | None:
    """What keeps a scene from being judged at all."""
    if not facts.roles >= _RGB:
        return say("cannot.colours")
    if facts.survey.count < _FEWEST_PIXELS:
        return say("cannot.few_pixels", count=facts.survey.count)
    if facts.survey.green_excess > _GREENEST:
        return say("cannot.order")
    return None


def _way(facts: Facts, kind: str, parameters: Mapping[str, Any]) -> tuple[Numbers, tuple[Any, Any]] | Sentence:
    """The numbers of a kind and its way of painting and examining; what keeps it from being judged, where that is."""
    reason = _unusable(facts) or _against(facts, kind, parameters)
    # How dark black water is differs between reflectances and what a camera brightened, not between ways of looking.
    section = PAIR if kind == BLACK_WATER and not facts.shown else facts.way
    return reason or (parameters[section][kind], _WAYS[facts.way][kind])


def _fire(facts: Facts, kind: str, parameters: Mapping[str, Any]) -> tuple[Numbers, tuple[Any, Any]] | Sentence:
    """How flames or smoke show in a picture: from afar by heat and by near infrared, near by in a camera's colours.

    Whatever a scene lacks is told for that kind, and another kind stays.
    """
    numbers = parameters["fires"]
    near = facts.gsd_m <= numbers["nearest_m"]
    way = ("flames" if near else "heat") if kind == OPEN_FLAME else ("near_smoke" if near else "far_smoke")
    reason = _unusable(facts) or _too_fine(facts, parameters) or _not_burning(facts, way, numbers)
    return reason or (numbers[way], _FIRES[way])


def _not_burning(facts: Facts, way: str, numbers: Mapping[str, Any]) -> Sentence | None:
    own = numbers[way]
    missing: list[str] = sorted({Role(band) for band in own["bands"]} - facts.roles)
    if missing:
        return say("cannot.no_heat" if way == "heat" else "cannot.lacks", bands=missing, **_near_by(way, numbers))
    if facts.gsd_m > own["coarsest_m"]:
        return say("cannot.coarse", gsd_m=facts.gsd_m, coarsest_m=own["coarsest_m"])
    if facts.shown != own["shown"]:
        return say("cannot.shown" if facts.shown else "cannot.not_shown")
    return None


def _near_by(way: str, numbers: Mapping[str, Any]) -> dict[str, float]:
    return {"nearest_m": numbers["nearest_m"]} if way == "heat" else {}


def _too_fine(facts: Facts, parameters: Mapping[str, Any]) -> Sentence | None:
    return say("cannot.fine", gsd_m=facts.gsd_m) if facts.gsd_m < parameters["surface"]["finest_m"] else None


def _against(facts: Facts, kind: str, parameters: Mapping[str, Any]) -> Sentence | None:
    if kind not in _WAYS[facts.way]:
        return say("cannot.apart" if facts.apart else "cannot.one_date")
    missing: list[str] = sorted(_NEEDED_BANDS.get(kind, frozenset()) - facts.roles)
    if missing:
        return say("cannot.lacks", bands=missing)
    coarse = _too_coarse(facts, kind, parameters)
    if coarse is not None:
        return coarse
    if fine := _too_fine(facts, parameters):
        return fine
    layer = _NEEDED_LAYER.get(kind)
    if layer is None or layer in facts.layers:
        return None
    return say("cannot.no_site") if layer == SITES else say("cannot.no_layer", layer=layer)


def _too_coarse(facts: Facts, kind: str, parameters: Mapping[str, Any]) -> Sentence | None:
    coarsest_m = _coarsest_m(kind, facts.way, facts.roles, parameters)
    if facts.gsd_m <= coarsest_m:
        return None
    sizes = {"gsd_m": facts.gsd_m, "coarsest_m": coarsest_m}
    if facts.gsd_m > _coarsest_m(kind, PAIR, facts.roles, parameters):
        return say("cannot.coarse", **sizes)
    return say("cannot.apart") if facts.apart else say("cannot.coarse_alone", **sizes)


def _coarsest_m(kind: str, way: str, roles: Collection[Role], parameters: Mapping[str, Any]) -> float:
    """The largest pixels in which a kind is looked for; near infrared may allow larger ones."""
    own = parameters[way][kind]
    usual_m: float = own.get("coarsest_m", parameters[way]["coarsest_m"])
    with_nir_m: float = own.get("coarsest_nir_m", usual_m)
    return with_nir_m if Role.NIR in roles else usual_m
