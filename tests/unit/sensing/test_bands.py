"""A scene in bands: the same bytes however it is cut, nothing done twice, and what failed is never called clean."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sensing.coverage import Cover
from sensing.segment import spectral
from sensing.segment.bands_run import run_band
from sensing.segment.closer import COVERAGE, place_of, planes_for
from sensing.segment.executors import SERIAL, THREADS, hands
from sensing.segment.manifest import MOST_ATTEMPTS, Manifest, Outcome, file_sha256
from tests import banded
from tests.banded import BAND, BANDS, exactly, look, write_pair

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
KEY = "c" * 64


class Notes:
    """A memory for one test."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, int], Outcome] = {}
        self.order: list[int] = []

    def recall(self, key):
        return [outcome for (known, _), outcome in self.held.items() if known == key and outcome.sha256]

    def keep(self, key, outcome):
        self.held[key, outcome.number] = outcome
        self.order.append(outcome.number)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("bands"))


@pytest.fixture(scope="module")
def whole(pair, tmp_path_factory):
    """The pass with which all others are compared: one band, one window."""
    return exactly(look(pair, tmp_path_factory.mktemp("whole"), band_px=2048, tile_px=2048))


def test_whole__finds_what_lies_across_the_borders(whole):
    assert len(whole["outlines"]) >= 4


@pytest.mark.parametrize("tile_px", [512, 768, 1024, 2048])
def test_same_bytes__any_tile(pair, whole, tile_px, tmp_path):
    assert exactly(look(pair, tmp_path, band_px=1024, tile_px=tile_px)) == whole


@pytest.mark.parametrize(("name", "workers"), [(SERIAL, 1), (THREADS, 1), (THREADS, 2)])
def test_same_bytes__any_hands_in_this_process(pair, whole, name, workers, tmp_path):
    with hands(name, workers=workers) as crew:
        assert exactly(look(pair, tmp_path, band_px=BAND, tile_px=512, hands=crew)) == whole


def test_same_bytes__one_date_alone(pair, tmp_path):
    seen = [
        exactly(look(pair, tmp_path / str(n), single=True, band_px=band, tile_px=tile))
        for n, (band, tile) in enumerate([(2048, 2048), (512, 300), (1024, 768)])
    ]
    assert seen[0] == seen[1] == seen[2]


def test_run_band__twice__same_file_and_plain_json(pair, tmp_path, monkeypatch):
    jobs = []

    def watched(job):
        jobs.append(json.loads(json.dumps(job)))
        return run_band(job)

    monkeypatch.setattr(spectral, "run_band", watched)
    look(pair, tmp_path, band_px=BAND)
    first = run_band(jobs[0])
    assert json.loads(json.dumps(first)) == run_band(jobs[0]) == first


def test_coverage__every_pixel_has_its_reason(pair, tmp_path):
    import shapely

    zone = pair.ground.to_map(shapely.box(0, 1250, 100, 1300))
    found = look(pair, tmp_path, band_px=BAND, zones=[zone])
    codes = banded.codes_of(found)
    assert (codes[1205:1245, 5:195] == Cover.NODATA).all()
    assert (codes[1255:, :95] == Cover.PRIVACY).all()
    assert (codes[:1195] == Cover.ANALYSED).all()
    assert found.tally.pixels == {code: n for code in Cover if (n := int((codes == code).sum()))}
    assert found.analysed_px == int((codes == Cover.ANALYSED).sum())


def test_failed_band__is_failed_in_the_map_and_the_others_are_done(pair, tmp_path, monkeypatch):
    notes = Notes()
    monkeypatch.setattr(spectral, "run_band", banded.failing_second_band)
    found = look(pair, tmp_path, band_px=BAND, key=KEY, memory=notes)
    codes = banded.codes_of(found)
    assert (codes[banded.rows_of(1)] == Cover.FAILED).all()
    assert not (codes[banded.rows_of(0)] == Cover.FAILED).any()
    assert list(found.failed) == [1]
    assert "no space left" in found.failed[1]
    assert notes.held[KEY, 1].attempts == MOST_ATTEMPTS
    assert found.tally.pixels[Cover.FAILED] == BAND * banded.WIDTH


def test_failed_band__repeated__that_band_alone_is_done_and_all_is_as_if_it_had_never_failed(
    pair, whole, tmp_path, monkeypatch
):
    notes = Notes()
    monkeypatch.setattr(spectral, "run_band", banded.failing_second_band)
    look(pair, tmp_path, band_px=BAND, key=KEY, memory=notes)
    monkeypatch.undo()
    notes.order.clear()
    found = look(pair, tmp_path, band_px=BAND, key=KEY, memory=notes)
    assert notes.order == [1]
    assert found.failed == {}
    assert exactly(found) == whole


def test_resume__a_file_that_is_not_what_was_remembered__is_done_again(pair, whole, tmp_path):
    notes = Notes()
    look(pair, tmp_path, band_px=BAND, key=KEY, memory=notes)
    with (tmp_path / "band_0001.tif").open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"\x00" * 50)
    (tmp_path / "band_0002.tif").unlink()
    notes.order.clear()
    assert exactly(look(pair, tmp_path, band_px=BAND, key=KEY, memory=notes)) == whole
    assert notes.order == [1, 2]


def test_resume__another_key__believes_nothing_of_what_lies_there(pair, tmp_path):
    notes = Notes()
    look(pair, tmp_path, band_px=BAND, key=KEY, memory=notes)
    notes.order.clear()
    look(pair, tmp_path, band_px=BAND, key="d" * 64, memory=notes)
    assert notes.order == list(range(BANDS))


def test_resume__what_was_prepared_has_changed__is_prepared_again(pair, whole, tmp_path):
    notes = Notes()
    look(pair, tmp_path, band_px=BAND, key=KEY, memory=notes)
    with (tmp_path / "layers.tif").open("ab") as file:
        file.write(b"more")
    assert exactly(look(pair, tmp_path, band_px=BAND, key=KEY, memory=notes)) == whole


def test_progress__goes_from_nothing_to_all(pair, tmp_path):
    from sensing.picture import open_picture
    from sensing.segment.model import Job

    said = []
    with open_picture(pair.after, banded.RGBN) as after:
        job = Job(after, None, pair.ground.context, None, tmp_path, band_px=BAND)
        spectral.Spectral().segment(job, said.append)
    assert said == sorted(said)
    assert len(said) >= BANDS + 1
    assert said[-1] == 1.0


@pytest.mark.parametrize("band_px", [0, 100, 513])
def test_manifest__bands_are_whole_blocks(band_px, tmp_path):
    with pytest.raises(ValueError, match="whole blocks"):
        Manifest(KEY, tmp_path, 1000, band_px, {}, file_sha256)


def test_manifest__every_row_is_in_one_band(tmp_path):
    for rows in (1, 511, 512, 513, 5000):
        manifest = Manifest(KEY, tmp_path, rows, 1024, {}, file_sha256)
        spans = [manifest.span(number) for number in range(len(manifest))]
        covered = np.concatenate([np.arange(top, top + height) for top, height in spans])
        assert np.array_equal(covered, np.arange(rows))


def test_place__of_any_number_of_detectors__no_two_share_a_bit():
    places = [place_of(number) for number in range(20)]
    assert len({(one.labels, one.bit) for one in places}) == 20
    assert COVERAGE not in {plane for one in places for plane in (one.labels, one.confidence)}
    assert [planes_for(count) for count in (0, 1, 8, 9, 17)] == [3, 3, 3, 5, 7]
