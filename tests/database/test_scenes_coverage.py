"""What was looked at, told and handed on as a map; of a scene that nobody looked at, nothing is said."""

from __future__ import annotations

import geopandas
import pytest
from click.testing import CliRunner

from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture
def beginning(dug):
    """Both scenes of a pit; nobody looked at them yet."""
    return dug


@pytest.fixture
def pair(dug):
    return dug.before, dug.after


def run(services, *arguments):
    state = State("en")
    state._services = services
    return CliRunner().invoke(scene_group, ["coverage", *arguments], obj=state)


def test_coverage__before_anybody_looked__refused(services, pair):
    refused = run(services, pair[1])
    assert refused.exit_code != 0
    assert run(services, "SC-NONE").exit_code != 0


@pytest.mark.parametrize("smooth", [(), ("--smooth",)])
def test_coverage__map__areas_by_cover_that_add_up_to_what_is_told(services, pair, tmp_path, smooth):
    made = scenes.segment(services, pair[1], before=pair[0])
    target = tmp_path / "cover.gpkg"
    told = run(services, pair[1], "--out", str(target), *smooth)
    assert told.exit_code == 0, told.output
    assert "km² were looked at" in told.output
    assert "hidden by privacy zones" in told.output
    found = geopandas.read_file(target)
    km2 = found.groupby("cover")["area_m2"].sum() / 1e6
    assert set(km2.index) == {"analysed", "privacy"}
    assert found.is_valid.all()
    for name, value in km2.items():
        assert value == pytest.approx(made.run.coverage[name], rel=0.02)
