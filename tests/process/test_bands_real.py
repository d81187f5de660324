"""The same bytes from any cut of a real scene: a photograph that scikit-learn brings along, and what a person names.

`SKYWARDEN_TEST_SCENES` names more images (separated as in PATH) of three bands (red, green, blue) or four (and near
infrared); nothing real is kept among the files of this project.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from sklearn.datasets import load_sample_image

from sensing.bands import Role
from sensing.context import Context
from sensing.picture import open_picture
from sensing.segment.executors import DASK, PROCESSES, THREADS, hands
from sensing.segment.model import Job
from sensing.segment.spectral import Spectral
from tests.banded import exactly
from tests.unit.sensing.pictures import north_up, write_tif

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

ROLES = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
PHOTOGRAPH = "a photograph"
SCENES = [PHOTOGRAPH, *filter(None, os.environ.get("SKYWARDEN_TEST_SCENES", "").split(os.pathsep))]
CUTS = ((512, 512), (1024, 768), (512, 1024))


@pytest.fixture(scope="module", params=SCENES, ids=[Path(name).stem for name in SCENES])
def scene(request, tmp_path_factory):
    """A file of a masked copy; the photograph is laid out with its mirror images, so that it has several bands."""
    if request.param != PHOTOGRAPH:
        return Path(request.param)
    light = np.moveaxis(load_sample_image("china.jpg"), -1, 0)
    beside = np.concatenate([light, light[:, :, ::-1]], axis=2)
    below = np.concatenate([beside, beside[:, ::-1], beside], axis=1)
    folder = tmp_path_factory.mktemp("photograph")
    return write_tif(
        folder / "photograph.tif", below, transform=north_up(0.3), tiled=True, blockxsize=512, blockysize=512
    )


def look(scene: Path, folder: Path, **options: object) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    with rasterio.open(scene) as source:
        roles = ROLES[: source.count]
    with open_picture(scene, roles) as picture:
        job = Job(picture, None, Context(()), date(2025, 6, 21), folder, **options)
        return exactly(Spectral().segment(job, lambda _: None))


@pytest.fixture(scope="module")
def whole(scene, tmp_path_factory):
    return look(scene, tmp_path_factory.mktemp("whole"), band_px=2048, tile_px=2048)


def test_same_bytes__photograph__there_is_something_to_compare(scene, whole):
    assert whole["outlines"] or scene.stem != "photograph"


@pytest.mark.parametrize(("band_px", "tile_px"), CUTS)
def test_same_bytes__real_scene__any_cut(scene, whole, tmp_path, band_px, tile_px):
    assert look(scene, tmp_path, band_px=band_px, tile_px=tile_px) == whole


@pytest.mark.parametrize(("name", "workers"), [(THREADS, 2), (PROCESSES, 1), (PROCESSES, 2), (DASK, 2)])
def test_same_bytes__real_scene__any_hands(scene, whole, tmp_path, name, workers):
    with hands(name, workers=workers) as crew:
        assert look(scene, tmp_path, band_px=512, tile_px=768, hands=crew) == whole
