"""Places of a picture and directions on the ground are each other's inverse."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo.photo_ground import Look, onto_picture, rays_of
from geo.types import LonLat

AT = LonLat(113.27, 23.125)
SIDE = np.linspace(-0.8, 0.8, 7)
X, Y = (part.ravel() for part in np.meshgrid(SIDE, SIDE))


@given(st.floats(-180, 360), st.floats(-90, 0), st.floats(-30, 30), st.floats(0.1, 5000))
def test_onto_picture__any_attitude__undoes_rays_of(yaw_deg, pitch_deg, roll_deg, distance):
    look = Look(AT, 100.0, yaw_deg, pitch_deg, roll_deg)
    east, north, up = rays_of(look, X, Y).T * distance
    back = onto_picture(look, east, north, up)
    assert np.allclose(back, [X, Y], atol=1e-9)


def test_onto_picture__straight_down_to_the_north__to_the_right_is_east():
    x, y = onto_picture(Look(AT, 100.0, 0.0), np.array([50.0, 0.0]), np.array([0.0, 25.0]), np.array([-100.0, -100.0]))
    assert np.allclose(x, [0.5, 0.0])
    assert np.allclose(y, [0.0, 0.25])


def test_onto_picture__behind_the_camera__nowhere():
    x, y = onto_picture(Look(AT, 100.0, 0.0), np.array([0.0]), np.array([0.0]), np.array([10.0]))
    assert np.isnan(x).all()
    assert np.isnan(y).all()
