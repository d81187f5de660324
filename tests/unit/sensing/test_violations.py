"""Law over land cover: permits, places, smallest areas, dates, and a trace in words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import shapely

from schemas.refusals import RuleViolation
from schemas.rules import Rulebook
from sensing.context import Context, Place
from sensing.evaluate import read_truth
from sensing.segment.engines import engine
from sensing.segment.examine import evidence, largest, outline, smoothed
from sensing.segment.model import Candidate
from sensing.segment.spectral import Spectral
from sensing.violations import judge, rules_sha256
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


def test_engine__checkpoint_without_its_hash__refused(tmp_path):
    with pytest.raises(RuleViolation) as caught:
        engine(Path(tmp_path / "sam.pth"))
    assert caught.value.refusals[0].text == "segment.checkpoint_pin"
