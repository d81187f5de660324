"""An officer where SAM is configured: a box is dragged, one of the outlines inside it is picked and kept."""

import numpy as np
import pytest
from playwright.sync_api import expect

from sensing.segment.sam import Redrawn, sam_of
from tests.browser.conftest import again, wait_for_map
from tests.sam.models import random_model, write_checkpoint
from web.sam import sam_for

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytestmark = pytest.mark.sam
FINDINGS = 1
SMALL_PX = (1120, 640)


@pytest.fixture
def sam(site, tmp_path):
    path = tmp_path / "tiny.pth"
    told = {"sam_checkpoint": path, "sam_checkpoint_sha256": write_checkpoint(path, random_model())}
    before = site.services.settings
    site.services.settings = before.model_copy(update=told | {"sam_licence": "Apache-2.0", "sam_threads": 1})
    sam_of.cache_clear()
    yield sam_for(site.services)
    site.services.settings = before


def test_officer__box__one_of_the_outlines_inside_it_is_kept(sign_in, site, sam, monkeypatch):
    def see(shown, embedding, box, **_):
        middle = (box.top + box.bottom) // 2, (box.left + box.right) // 2
        for size, score in ((6, 0.9), (3, 0.8)):
            mask = np.zeros(shown.valid.shape, np.bool_)
            mask[middle[0] - size : middle[0] + size, middle[1] - size : middle[1] + size] = True
            yield Redrawn(mask, score)

    monkeypatch.setattr(sam, "everything", see)
    page = sign_in("O1", size=SMALL_PX)
    page.goto(f"/review/{site.findings[0]}")
    wait_for_map(page)
    place = page.locator("#map").bounding_box()
    # Right of the handle the image after is seen.
    x, y = place["x"] + 0.7 * place["width"], place["y"] + place["height"] / 2
    page.keyboard.press("b")
    say = page.locator("#edit-bar [data-part=say]")
    expect(say).to_contain_text("Drag a box")
    page.mouse.move(x - 90, y - 90)
    page.mouse.down()
    page.mouse.move(x + 90, y + 90, steps=4)
    page.mouse.up()
    expect(say).to_contain_text("2 outlines")
    expect(page.locator("#edit-bar [data-part=done]")).to_be_disabled()
    # Both lie under the pointer; the smaller one is meant.
    done = page.locator("#edit-bar [data-part=done]")
    again(lambda: page.mouse.click(x, y), lambda: expect(done).to_be_enabled(timeout=1_000))
    expect(page.locator("#edit-bar [data-part=reading]")).to_contain_text("3,598 m²")
    page.keyboard.press("Enter")
    expect(page.locator("#own-outline")).to_contain_text("3,598 m²")


def test_officer__without_sam__no_such_tool(sign_in, site):
    page = sign_in("O1", size=SMALL_PX)
    page.goto(f"/review/{site.findings[0]}")
    expect(page.locator("[data-tool=grow]")).to_have_count(1)
    expect(page.locator("[data-tool=everything]")).to_have_count(0)
