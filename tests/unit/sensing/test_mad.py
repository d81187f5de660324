"""IR-MAD: what changed ranks above what did not, whatever the tones of the dates are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sensing.bands import Role
from sensing.mad import Alteration, alteration

ROLES = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)


def dates(count: int = 8_000, changed: int = 200, *, gain: float = 1.0, offset: float = 0.0, seed: int = 1):
    """Two dates of the same ground, the first pixels of which became something else."""
    rng = np.random.default_rng(seed)
    ground = rng.normal(2_000, 500, (2, count))
    mixed = np.array([[1.0, 0.1], [0.9, 0.3], [0.7, 0.2], [0.2, 1.2]]) @ ground
    before = mixed + rng.normal(0, 25, mixed.shape)
    after = gain * (mixed + rng.normal(0, 25, mixed.shape)) + offset
    after[:, :changed] += gain * np.array([[500.0], [380.0], [300.0], [-700.0]])
    return tuple(dict(zip(ROLES, np.rint(date), strict=True)) for date in (before, after))


def ranks(before, after):
    found = alteration(before, after)
    whole = [{role: plane.astype(np.int32) for role, plane in date.items()} for date in (before, after)]
    return found.rank(found.score(*whole))


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.6, 300.0), (1.7, -200.0)])
def test_rank__changed_ground__above_the_rest_in_any_tone(gain, offset):
    found = ranks(*dates(gain=gain, offset=offset))
    assert np.median(found[:200]) > 0.97
    assert 0.4 < np.median(found[200:]) < 0.6


def test_rank__nothing_changed__is_spread_evenly():
    found = ranks(*dates(changed=0))
    assert np.quantile(found, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.03)


def test_score__any_window__the_same_bits():
    before, after = dates()
    found = alteration(before, after)
    whole = found.score(before, after)
    part = found.score(*({role: plane[100:131] for role, plane in date.items()} for date in (before, after)))
    assert (whole[100:131] == part).all()


def test_alteration__dumped_as_json__is_itself_again():
    found = alteration(*dates())
    assert Alteration.load(json.loads(json.dumps(found.dump()))) == found


@pytest.mark.parametrize("count", [0, 1, 199])
def test_alteration__too_few_pixels__none(count):
    assert alteration(*dates(count, 0)) is None


def test_alteration__constant_dates__ranks_nothing_above_the_rest():
    flat = {role: np.full(500, 900.0) for role in ROLES}
    found = alteration(flat, flat)
    assert found is None or (found.rank(found.score(flat, flat)) == 0).all()
