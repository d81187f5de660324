"""Connected parts found stripe by stripe are those that a whole look finds, however the plane is cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sensing.segment.components import Border, Large, Stitcher, Sweeper

SIDES = st.integers(1, 40)


@st.composite
def planes(draw):
    """Bits of a kind and of its sure pixels, and where the plane is cut; other kinds' bits lie in between."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(SIDES), draw(SIDES)
    field = ndimage.gaussian_filter(rng.normal(size=shape), draw(st.sampled_from([0.0, 0.7, 2.0])))
    marked = field > np.quantile(field, draw(st.floats(0, 1)))
    sure = marked & (rng.random(shape) < 0.3)
    cuts = sorted(draw(st.sets(st.integers(1, shape[0]), max_size=5)) | {shape[0]})
    return marked, sure, cuts


def by_stripes(marked, sure, cuts, large):
    """Every stripe by itself, in steps of three rows, then all of them stitched."""
    other = np.uint8(2) | (~marked * np.uint8(8)).astype(np.uint8)
    labels, sures = marked.astype(np.uint8) * 4 | other, sure.astype(np.uint8) * 4
    stitcher, top = Stitcher(large), 0
    for cut in cuts:
        sweeper = Sweeper(4, large, top)
        for row in range(top, cut, 3):
            sweeper.take(labels[row : min(row + 3, cut)], sures[row : min(row + 3, cut)])
        border, rest = Border.load(np.concatenate([sweeper.border().dump(), [7]]))
        assert rest.tolist() == [7]
        stitcher.take(border)
        top = cut
    return [tuple(part) for part in stitcher.end()]


def at_once(marked, sure):
    numbers, _ = ndimage.label(marked)
    for number, (rows, columns) in enumerate(ndimage.find_objects(numbers), 1):
        part = numbers == number
        seed = tuple(np.argwhere(part)[0].tolist())
        yield rows.start, columns.start, rows.stop, columns.stop, int(part.sum()), int((part & sure).sum()), seed


@settings(deadline=None)
@given(planes())
def test_sweeper__any_stripes__the_parts_of_the_whole(plane):
    assert by_stripes(*plane, Large(1, 0)) == sorted(at_once(*plane[:2]), key=lambda part: part[6])


@settings(deadline=None)
@given(planes(), st.integers(1, 30), st.integers(0, 5))
def test_sweeper__small_or_unsure_parts__are_left_out(plane, pixels, sure_px):
    wanted = [part for part in at_once(*plane[:2]) if part[4] >= pixels and part[5] >= sure_px]
    assert by_stripes(*plane, Large(pixels, sure_px)) == sorted(wanted, key=lambda part: part[6])
