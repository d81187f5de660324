"""Our own pages on loopback for the bench: `python -m bench.tile_server DATABASE PORT DATA_DIR [cold]`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.load import HOST
from bench.scratch import database_of
from web.app import create_app
from web.public.tiles import TILES
from web.server import run_server
from web.settings import Settings
from web.wiring import Services

WORKERS = 2


def main() -> None:
    """Serves until ended; a cold server keeps no tile longer than it takes to send it."""
    name, port, data_dir, *manner = sys.argv[1:]
    if manner == ["cold"]:
        TILES.room = 0
    settings = Settings(data_dir=Path(data_dir), behind_tls_proxy=False, trusted_hosts=HOST, rate_limits=False)
    services = Services(settings, database_of(name))
    run_server(create_app(services), host=HOST, port=int(port), workers=WORKERS)


if __name__ == "__main__":
    main()
