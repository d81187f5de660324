"""Our own pages on loopback for the bench of tiles: `python -m bench.tile_server DATABASE PORT DATA_DIR`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.load import HOST
from bench.scratch import database_of
from web.app import create_app
from web.server import run_server
from web.settings import Settings
from web.wiring import Services

WORKERS = 2


def main() -> None:
    """Serves until ended."""
    name, port, data_dir = sys.argv[1:]
    settings = Settings(data_dir=Path(data_dir), behind_tls_proxy=False, trusted_hosts=HOST)
    services = Services(settings, database_of(name))
    run_server(create_app(services), host=HOST, port=int(port), workers=WORKERS)


if __name__ == "__main__":
    main()
