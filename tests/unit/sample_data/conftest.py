"""The district of one seed, made once for all tests here: as a landscape, as registers, and as files."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from sample_data.district import build
from sample_data.found_from_air import drone_sites
from sample_data.found_from_space import satellite_sites
from sample_data.landscape import Landscape, make_landscape
from sample_data.make import AERIAL_SUN, VECTORS, make
from tests.scratch import made_once

SEED, OTHER = 1, 2
TODAY = date(2026, 11, 21)


@pytest.fixture(scope="session")
def land() -> Landscape:
    return make_landscape(SEED)


@pytest.fixture(scope="session")
def other() -> Landscape:
    """The landscape of another seed."""
    return make_landscape(OTHER)


@pytest.fixture(scope="session")
def registers(land) -> dict:
    return build(land, TODAY)


@pytest.fixture(scope="session")
def sites(land) -> dict:
    """What each kind of picture shows, and the permits behind the lawful part of it."""
    named = {"satellite": satellite_sites(land), "drone": drone_sites(land, AERIAL_SUN)}
    return {name: SimpleNamespace(sites=found, permits=permits) for name, (found, permits) in named.items()}


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """The vector files of the district."""
    return made_once(tmp_path_factory, "district", lambda folder: make(SEED, folder, today=TODAY, parts={VECTORS}))
