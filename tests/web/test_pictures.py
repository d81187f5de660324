"""Maps of studies as SVG: true proportions, nothing beyond the frame, labels that are only text."""

import re

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from web.planner import pictures
from web.planner.pictures import Frame

BOX = (113.20, 23.08, 113.30, 23.18)


def numbers(drawn):
    return [float(one) for one in re.findall(r"-?\d+\.\d", re.search(r' d="([^"]*)"', drawn)[1])]


@given(st.floats(-70, 70), st.floats(0.001, 5), st.floats(0.001, 5))
@settings(max_examples=30)
def test_frame__holds_its_box_at_true_proportions(south, wide, high):
    frame = Frame.around((10.0, south, 10.0 + wide, south + high))
    assert frame.west < 10.0
    assert frame.east > 10.0 + wide
    assert frame.south < south
    assert frame.north > south + high
    assert frame.height_px <= 620
    metres = frame.metres_per_px * frame.width_px
    squeezed = (frame.east - frame.west) * 111_320 * pictures._squeeze(south + high / 2)
    assert metres == pytest.approx(squeezed, rel=1e-6)


def test_areas__beyond_the_frame__cut_at_its_edge():
    frame = Frame.around(BOX)
    drawn = numbers(pictures.areas(frame, "gap", [shapely.box(100, 20, 120, 26)]))
    assert min(drawn) >= 0
    assert max(drawn) <= frame.width_px


def test_areas__pieces_side_by_side__one_shape_without_seams():
    frame = Frame.around(BOX)
    halves = [shapely.box(113.22, 23.10, 113.25, 23.16), shapely.box(113.25, 23.10, 113.28, 23.16)]
    whole = pictures.areas(frame, "seen1", [shapely.box(113.22, 23.10, 113.28, 23.16)])
    assert set(numbers(pictures.areas(frame, "seen1", halves))) == set(numbers(whole))


@pytest.mark.parametrize(
    "shapes", [[], [shapely.Polygon()], [None], [shapely.Point(113.25, 23.1)], [shapely.box(0, 0, 1, 1)]]
)
def test_areas__nothing_to_draw__nothing(shapes):
    assert pictures.areas(Frame.around(BOX), "seen1", shapes) == ""


def test_areas__that_cross_themselves__are_drawn_all_the_same():
    bow = shapely.Polygon([(113.22, 23.10), (113.28, 23.16), (113.28, 23.10), (113.22, 23.16)])
    assert pictures.areas(Frame.around(BOX), "land", [bow])


def test_marks__label_of_somebody__is_text_and_no_element():
    drawn = pictures.marks(Frame.around(BOX), "place", [(113.25, 23.13)], ["<script>"])
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn


def test_names__that_would_lie_on_each_other__one_of_them():
    told = [("Mill", 113.25, 23.13), ("Weir", 113.2501, 23.1301), ("Quay", 113.28, 23.16)]
    assert re.findall(r">(\w+)</text>", pictures.names(Frame.around(BOX), told)) == ["Mill", "Quay"]


@pytest.mark.parametrize(
    ("box", "told"), [(BOX, "2 km"), ((113.2, 23.08, 113.201, 23.081), "20 m"), ((100, 20, 110, 30), "200 km")]
)
def test_scale__a_round_number_of_metres(box, told):
    assert f">{told}</text>" in pictures.drawing(Frame.around(box), [], title="t", north="N", lang="en")
