"""Every page that is kept can be made anew behind its readers: nothing in it needs the request of one of them."""

from types import SimpleNamespace

import pytest

from tests.web.test_tiles import tile_address
from web.public import kept, tiles

NEAR, FAR = tile_address(113.27, 23.13, 13), tile_address(113.27, 23.13, 6)
LAG_S = 10.0
PAGES = (
    "/",
    "/?on=2025-01-02",
    "/list",
    "/list?layer=patrol_routes&lang=zh",
    "/list?q=camera",
    "/list?on=2025-01-02",
    "/figures",
    "/embed/map",
    "/print",
    "/tiles/devices/{}/{}/{}.mvt".format(*NEAR),
    "/tiles/clusters/{}/{}/{}.mvt".format(*FAR),
    "/tiles/coverage/{}/{}/{}.mvt".format(*NEAR),
)


class Behind:
    """The thread behind the readers, when its work is done by hand, and the clock by which that is due."""

    def __init__(self):
        self.now_s = 0.0
        self.waiting = []

    def submit(self, call, app, work):
        self.waiting.append((call, app, work))

    def work(self):
        waiting, self.waiting = self.waiting, []
        for call, app, work in waiting:
            call(app, work)


@pytest.fixture
def behind(monkeypatch):
    made = Behind()
    monkeypatch.setattr(kept, "_behind", lambda: made)
    monkeypatch.setattr(kept, "time", SimpleNamespace(monotonic=lambda: made.now_s))
    for module in (kept, tiles):
        monkeypatch.setattr(module, "map_lag_s", lambda: LAG_S)
    for keeper, module, name in (
        (kept._pages, kept, "_pages"),
        (kept._revisions, kept, "_revisions"),
        (tiles.TILES, tiles, "TILES"),
    ):
        monkeypatch.setattr(module, name, kept.Keeper(keeper.room, keeper._weigh))
    return made


def test_kept_pages__about_to_be_too_old__are_made_anew_without_a_reader(client, admin, behind):
    for page in PAGES:
        assert client.get(page).status_code == 200, page
    admin.execute("UPDATE core.device SET name = name || ' anew'")
    behind.now_s = 0.9 * LAG_S
    for page in PAGES:
        assert client.get(page).status_code == 200, page
    assert len(behind.waiting) >= len(PAGES) - 1
    # Whatever would need a request, and fail without one, fails here.
    behind.work()
    made_s = {key: entry.made_s for keeper in (kept._pages, tiles.TILES) for key, entry in keeper._entries.items()}
    assert set(made_s.values()) == {behind.now_s}
    assert len(made_s) >= len(PAGES)
