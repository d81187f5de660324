"""The review desk with SAM configured: clicks and boxes are answered by it, from the masked copy alone."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import box, shape

from sensing.segment.sam import Redrawn, sam_of
from tests.sam.models import random_model, write_checkpoint
from tests.web.conftest import SAME_ORIGIN
from tests.web.findings import PIT, make_findings
from tests.web.test_desk_zones import add_zone
from web.sam import sam_for

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytestmark = pytest.mark.sam
CLICK = {"lon": 113.2611, "lat": 23.1240, "inside": True}
AROUND = list(PIT.buffer(0.0005).bounds)


@pytest.fixture
def beginning(pictured):
    return pictured


@pytest.fixture
def findings(services, tmp_path):
    """Findings of an installation with a checkpoint."""
    path = tmp_path / "tiny.pth"
    told = {"sam_checkpoint": path, "sam_checkpoint_sha256": write_checkpoint(path, random_model())}
    found = make_findings(services, tmp_path)
    services.settings = services.settings.model_copy(update=told | {"sam_licence": "Apache-2.0", "sam_threads": 1})
    sam_of.cache_clear()
    return found


def ask(client, finding, what, **body):
    return client.post(f"/review/{finding}/{what}", json=body, headers=SAME_ORIGIN)


def all_of_it(shown, embedding, around, **_):
    mask = np.zeros(shown.valid.shape, np.bool_)
    mask[around.top : around.bottom, around.left : around.right] = True
    yield Redrawn(mask, 0.9)


def test_desk__sam_configured__it_answers_clicks_and_boxes(signed_in, findings, services, admin, monkeypatch):
    client, sam = signed_in("O1"), sam_for(services)

    def square(embedding, points, labels, drawn):
        column, row = points[0].astype(int)
        mask = np.zeros(embedding.size, np.bool_)
        mask[max(row - 6, 0) : row + 6, max(column - 6, 0) : column + 6] = True
        return [Redrawn(mask, 0.8)]

    monkeypatch.setattr(sam, "masks", square)
    answer = ask(client, findings[0], "grow", clicks=[CLICK])
    assert answer.status_code == 200, answer.text
    assert (answer.get_json()["method"], answer.get_json()["quality"]) == ("sam", 0.8)
    assert answer.get_json()["area_m2"] == pytest.approx(12 * 12 * 100, rel=0.05)
    kept = list((services.data_dir / "embeddings").glob("*/*"))
    assert len(kept) == 1
    # Random weights are sure of nothing: the generator asks at every point of its grid and lets all go.
    answer = ask(client, findings[0], "everything", box=AROUND)
    assert (answer.status_code, answer.get_json()["outlines"]) == (200, []), answer.text
    monkeypatch.setattr(sam, "everything", all_of_it)
    answer = ask(client, findings[0], "everything", box=AROUND)
    assert answer.status_code == 200, answer.text
    (outline,) = answer.get_json()["outlines"]
    assert shape(outline["shape"]).within(box(*AROUND).buffer(2e-4))
    assert shape(outline["shape"]).area == pytest.approx(box(*AROUND).area, rel=0.1)
    assert list((services.data_dir / "embeddings").glob("*/*")) == kept
    # What a zone of a later day hides is not looked at until it is burnt in.
    add_zone(admin)
    assert ask(client, findings[0], "everything", box=AROUND).status_code == 409


def test_everything__wrong_box_or_finding_of_others_or_no_checkpoint__refused(signed_in, findings, services):
    client = signed_in("O1")
    for wrong in (None, [], [1, 2], ["a", 1, 2, 3], "box", [113.2, 23.1, 113.1, 23.2], [1, 1, 2, 2]):
        assert ask(client, findings[0], "everything", box=wrong).status_code == 422, wrong
    assert ask(signed_in("O4"), findings[0], "everything", box=AROUND).status_code == 404
    services.settings = services.settings.model_copy(update={"sam_checkpoint": None})
    answer = ask(client, findings[0], "everything", box=AROUND)
    assert answer.status_code == 422
    assert "No SAM model is configured" in answer.text
