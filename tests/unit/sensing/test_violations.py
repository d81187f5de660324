"""Law over land cover: permits, places, smallest areas, dates, and a trace in words."""

from __future__ import annotations

from datetime import date
from typing import get_args

import numpy as np
import pytest
import shapely

from schemas.refusals import RuleViolation
from schemas.rules import Rulebook
from schemas.rules.violations import Band
from sensing.bands import CLASSIFIED, Role
from sensing.context import Context, Place
from sensing.evaluate import read_truth
from sensing.segment.detectors import KINDS
from sensing.segment.engines import engine
from sensing.segment.examine import evidence, largest, outline, smoothed
from sensing.segment.model import Candidate
from sensing.segment.spectral import Spectral
from sensing.violations import Seen, judge, rules_sha256, unjudged
from sensing.words import say

DAY = date(2025, 7, 2)
SHAPE = shapely.box(113.26, 23.12, 113.261, 23.121)


@pytest.fixture(scope="module")
def pack():
    return Rulebook.load()["cn-gd-2025"]


def candidate(kind: str, area_m2: float = 11_000.0) -> Candidate:
    return Candidate(kind, SHAPE, area_m2, 0.8, {}, (say("seen.soil", share=0.9),))


def place(layer: str, geom=SHAPE, **more) -> Place:
    return Place(layer, "CF-1", "Place (fictional)", geom, **more)


def verdict(pack, kind: str, *places: Place, area_m2: float = 11_000.0):
    (one,) = judge([candidate(kind, area_m2)], pack, Context(places), DAY)
    return one


def test_excavation__no_permit__lead_that_needs_corroboration(pack):
    found = verdict(pack, "excavation")
    assert found.is_lead
    assert found.violation.code == "illegal_excavation"
    assert any("corroboration" in sentence.render("en") for sentence in found.trace)


def test_excavation__under_a_quarry_permit__no_finding_and_says_which(pack):
    found = verdict(pack, "excavation", place("permits", kind="quarry", number="QH-1"))
    assert not found.is_lead
    assert "QH-1" in found.trace[-1].render("en")


@pytest.mark.parametrize(
    "permit",
    [
        place("permits", kind="discharge"),
        place("permits", kind="quarry", valid_to=date(2025, 7, 1)),
        place("permits", kind="quarry", valid_from=date(2025, 7, 3)),
        place("permits", shapely.box(113.2608, 23.12, 113.262, 23.121), kind="quarry"),
    ],
    ids=["another kind", "ended yesterday", "begins tomorrow", "covers a fifth"],
)
def test_excavation__permit_that_does_not_cover_it__lead(pack, permit):
    assert verdict(pack, "excavation", permit).is_lead


def test_building__outside_protected_zones__no_finding(pack):
    found = verdict(pack, "building")
    assert not found.is_lead
    assert "outside protected" in found.trace[-1].render("en")


def test_building__inside_a_protected_zone__lead_that_names_it(pack):
    found = verdict(pack, "building", place("protected"))
    assert found.is_lead
    assert [overlap.place.layer for overlap in found.places] == ["protected"]


def test_discoloured_water__on_land__no_finding(pack):
    assert not verdict(pack, "discoloured_water").is_lead
    assert verdict(pack, "discoloured_water", place("water")).is_lead


def test_burn_scar__below_the_smallest_area__no_finding(pack):
    assert not verdict(pack, "burn_scar", area_m2=20.0).is_lead
    assert verdict(pack, "burn_scar").is_lead


def test_kind_without_a_rule__no_finding(pack):
    found = verdict(pack, "crop_circle")
    assert not found.is_lead
    assert found.violation is None


# -- what a rule may ask for besides ---------------------------------------------------------------


def changed(pack, code: str, **changes):
    """The pack with an entry of its catalogue changed."""
    entries = tuple(
        entry.model_validate(entry.model_dump() | changes) if entry.code == code else entry
        for entry in pack.violation_catalogue
    )
    return pack.model_copy(update={"violation_catalogue": entries})


def last_words(pack, *places: Place, **measures: float) -> tuple[bool, str]:
    one = Candidate("excavation", SHAPE, 11_000.0, 0.8, measures, (say("seen.soil", share=0.9),))
    (found,) = judge([one], pack, Context(places), DAY)
    return found.is_lead, " / ".join(sentence.render("en") for sentence in found.trace)


def test_every_verdict__lead_or_not__tells_its_rule_in_both_languages(pack):
    for kind in ("excavation", "building", "discoloured_water", "bare_soil"):
        found = verdict(pack, kind)
        told = {lang: [sentence.render(lang) for sentence in found.trace] for lang in ("en", "zh")}
        assert any("cn-gd-2025@" in sentence for sentence in told["en"])
        assert len(told["en"]) == len(told["zh"]) >= 3


def test_lead__legal_basis__is_told_as_the_placeholder_that_it_is(pack):
    found = verdict(pack, "excavation")
    assert "placeholder" in found.trace[-1].render("en")
    assert "占位" in found.trace[-1].render("zh")
    assert any("trust in this way of finding it: medium" in sentence.render("en") for sentence in found.trace)


def test_permit_beside__lead_that_shows_number_kind_holder_and_end(pack):
    ended = place("permits", kind="quarry", number="QH-1", holder="Quarry Co (fictional)", valid_to=date(2025, 7, 1))
    other = place("permits", kind="discharge", number="QH-2")
    found = verdict(pack, "excavation", ended, other)
    assert found.is_lead
    assert {one.place.number for one in found.permits} == {"QH-1", "QH-2"}
    told = " / ".join(sentence.render("en") for sentence in found.trace)
    assert "QH-1 (quarry; holder Quarry Co (fictional); until 2025-07-01)" in told
    assert "was not in force on 2025-07-02" in told
    assert "QH-2 (discharge" in told
    assert "allows something else" in told


def test_bare_soil__off_a_licensed_site__no_finding(pack):
    found = verdict(pack, "bare_soil")
    assert not found.is_lead
    assert "no licensed site" in found.trace[-1].render("en")


def test_bare_soil__on_a_licensed_site__lead_that_names_the_permit(pack):
    found = verdict(pack, "bare_soil", place("permits", kind="construction", number="C-9"))
    assert found.is_lead
    assert [overlap.place.number for overlap in found.places] == ["C-9"]
    assert any("C-9" in sentence.render("zh") for sentence in found.trace)


def test_never_within__most_of_it_lies_there__no_finding(pack):
    rule = changed(pack, "illegal_excavation", never_within=["farmland"])
    assert last_words(rule)[0]
    lead, told = last_words(rule, place("farmland"))
    assert not lead
    assert "farmland, where the rule does not apply" in told


def test_season__outside_it__no_finding(pack):
    rule = changed(pack, "illegal_excavation", seasons=[{"first": "08-01", "last": "09-30"}])
    lead, told = last_words(rule)
    assert not lead
    assert "outside the season of the rule (08-01 – 09-30)" in told


@pytest.mark.parametrize(
    ("measures", "said"),
    [({"soil_share": 0.9}, "soil_share is 0.9, within"), ({"soil_share": 0.1}, "the rule asks"), ({}, "not measured")],
)
def test_land_cover__measure_out_of_range_or_missing__no_finding(pack, measures, said):
    rule = changed(
        pack, "illegal_excavation", land_cover={"kinds": ["excavation"], "measures": {"soil_share": {"least": 0.5}}}
    )
    lead, told = last_words(rule, **measures)
    assert lead is (measures.get("soil_share") == 0.9)
    assert said in told


def test_land_cover__engine_less_sure_than_asked__no_finding(pack):
    rule = changed(pack, "illegal_excavation", land_cover={"kinds": ["excavation"], "least_score": 0.9})
    lead, told = last_words(rule)
    assert not lead
    assert "sure of it to 0.80" in told


# -- what cannot be judged in a scene --------------------------------------------------------------

RGB, NIR = frozenset({Role.RED, Role.GREEN, Role.BLUE}), frozenset({Role.NIR})


def test_bands_missing__refused_for_that_type__and_the_others_not(pack):
    rule = changed(pack, "open_burning", observed=[{"dates": 1, "bands": ["red", "swir2"], "coarsest_m": 31}])
    refused = unjudged(rule, Seen(RGB | NIR, RGB | NIR, 10.0), KINDS)
    assert "shortwave infrared 2" in refused["burn_scar"].render("en")
    assert "excavation" not in refused


def test_kinds_of_the_pack__every_one_has_a_detector(pack):
    assert {kind for entry in pack.violation_catalogue for kind in entry.kinds} == set(KINDS)


def test_kinds_without_detector__refused_by_name_for_every_scene(pack):
    detected = set(KINDS) - {"algal_bloom", "bare_soil"}
    refused = unjudged(pack, Seen(RGB | NIR, RGB | NIR, 0.4), detected)
    assert {kind: reason.key for kind, reason in refused.items()} == dict.fromkeys(
        ("algal_bloom", "bare_soil"), "cannot.no_detector"
    )


def test_waste__in_pixels_coarser_than_half_a_metre__refused_and_says_so(pack):
    refused = unjudged(pack, Seen(RGB | NIR, RGB | NIR, 0.7), KINDS)
    assert set(refused) == {"open_flame", "solid_waste"}
    assert "0.6 m or finer" in refused["solid_waste"].render("en")


def test_pixels_too_coarse_for_the_rule__refused(pack):
    refused = unjudged(pack, Seen(RGB, None, 5.0), KINDS)
    assert "1.6 m or finer" in refused["burn_scar"].render("en")
    assert "discoloured_water" not in refused


def test_engines_own_refusal__is_kept(pack):
    own = say("cannot.no_layer", layer="water")
    refused = unjudged(pack, Seen(RGB | NIR, RGB | NIR, 10.0, {"discoloured_water": own}), KINDS)
    assert refused["discoloured_water"] is own


def test_kind_that_cannot_be_judged__no_finding_and_says_why(pack):
    reason = say("cannot.no_detector")
    (found,) = judge([candidate("excavation")], pack, Context(()), DAY, {"excavation": reason})
    assert not found.is_lead
    assert found.trace[-1] is reason


def test_bands_of_rules__are_bands_of_images():
    # A satellite's own classes are no measurement that a rule could ask for.
    assert {*get_args(Band)} == {role.value for role in Role} - {Role.OTHER, *CLASSIFIED}


def test_rules__hash__differs_between_packs(pack):
    assert rules_sha256(pack) != rules_sha256(Rulebook.load()["demo-neutral"])


def test_evidence__each_measure__counts_at_most_one():
    numbers = {"a": [1.0, 0.5], "b": [10.0, -2.0], "unknown": [0, 1]}
    assert evidence({"a": 1.25, "b": 100.0}, numbers) == pytest.approx(0.5 - 1.0)


def test_smoothed__ragged_mask__one_piece_without_holes_or_hairs():
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    mask[20, 20] = False
    mask[15, 30:38] = True
    mask[2, 2] = True
    clean = smoothed(mask, 2)
    assert clean[20, 20]
    assert not clean[2, 2]
    assert not clean[15, 36]


@pytest.mark.parametrize("radius", [1, 3])
def test_smoothed__nothing__stays_nothing(radius):
    assert not smoothed(np.zeros((9, 9), bool), radius).any()
    assert outline(np.zeros((9, 9), bool)) is None


def test_largest__two_parts__the_larger_one():
    mask = np.zeros((10, 10), bool)
    mask[1:3, 1:3] = True
    mask[5:9, 5:9] = True
    assert largest(mask).sum() == 16


def test_truth__good_file__parts_what_must_be_found():
    wanted, silent = read_truth(_truth("finding", "none"), "truth.geojson")
    assert (len(wanted), len(silent)) == (1, 1)


def _truth(*expects: str) -> bytes:
    import json

    geometry = shapely.geometry.mapping(SHAPE)
    features = [
        {"type": "Feature", "geometry": geometry, "properties": {"kind": "burn_scar", "expect": e, "reason": ""}}
        for e in expects
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


@pytest.mark.parametrize("data", [b"{}", b'{"features": 3}', b'{"features": [{}]}', _truth("maybe")])
def test_truth__anything_else__refused(data):
    with pytest.raises(RuleViolation) as caught:
        read_truth(data, "truth.geojson")
    assert caught.value.refusals[0].rule == "truth.unreadable"


def test_engine__without_a_checkpoint__is_the_default():
    assert isinstance(engine(), Spectral)
