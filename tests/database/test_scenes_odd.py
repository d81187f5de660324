"""Odd images all the way from the file to what is said of their ground: nothing breaks, and nothing is called clean."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from sensing.intake import Told
from tests.unit.sensing.pictures import noise, north_up, write_tif
from web import scenes

ODD = {
    "constant": np.full((3, 90, 80), 77, np.uint8),
    "one pixel": noise(3, 1, 1, high=255, dtype="uint8"),
    "wide": noise(3, 2, 65_535, high=255, dtype="uint8"),
}
ADDED = ("outside", "analysed", "nodata", "privacy", "cloud", "shadow", "haze", "failed")


@pytest.mark.parametrize("kind", ODD)
def test_segment__odd_image__every_pixel_is_accounted_for(services, tmp_path, kind):
    data = ODD[kind]
    path = write_tif(tmp_path / "a.tif", data, transform=north_up(1.0), nodata=None)
    told = Told(captured_at=datetime(2025, 6, 1, 3, tzinfo=UTC))
    scene = scenes.ingest(services, [path], told=told).scene
    outcome = scenes.segment(services, scene.public_id)
    assert outcome.detections == ()
    assert outcome.run.bands_failed == 0
    area_km2 = sum(outcome.run.coverage[one] for one in ADDED)
    assert area_km2 == pytest.approx(data[0].size * 1e-6, rel=0.02, abs=1e-6)


def test_segment__pair_of_constant_images__is_not_compared(services, tmp_path):
    ids = []
    for day in (1, 20):
        path = write_tif(tmp_path / f"{day}.tif", np.full((4, 90, 80), 900 + day, np.uint16))
        told = Told(captured_at=datetime(2025, 6, day, 3, tzinfo=UTC))
        ids.append(scenes.ingest(services, [path], told=told).scene.public_id)
    run = scenes.segment(services, ids[1], before=ids[0]).run
    assert run.coverage["analysed"] == 0.0
    assert run.refused_kinds
