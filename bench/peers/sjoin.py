"""geopandas as its user would write it: which zones does a footprint meet. Runs in the peer's own environment.

Arguments: the database's URL and a file with the footprint as WKB. Each line of standard input names a way:
"all" reads every zone and joins, "bounds" reads those in the footprint's bounding box, "memory" joins with zones
that were read, and indexed, before.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import geopandas
import shapely
from sqlalchemy import Engine, create_engine

ALL = (
    "SELECT public_id, geom FROM core.privacy_zone WHERE valid_from <= now() AND (valid_to IS NULL OR valid_to > now())"
)
BOUNDS = f"{ALL} AND geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326)"


def read(engine: Engine, bounds: tuple[float, ...] | None = None) -> geopandas.GeoDataFrame:
    """The zones in force, all or those whose bounding box meets that of the footprint."""
    if bounds is None:
        return geopandas.read_postgis(ALL, engine, geom_col="geom")
    box = dict(zip(("west", "south", "east", "north"), bounds, strict=True))
    return geopandas.read_postgis(BOUNDS, engine, geom_col="geom", params=box)


def joined(footprint: geopandas.GeoDataFrame, zones: geopandas.GeoDataFrame) -> list[str]:
    """The public ids of the zones that the footprint meets."""
    return sorted(geopandas.sjoin(footprint, zones, predicate="intersects")["public_id"])


def main() -> None:
    """Answers line by line until there are no more."""
    engine = create_engine(sys.argv[1])
    footprint = geopandas.GeoDataFrame(geometry=[shapely.from_wkb(Path(sys.argv[2]).read_bytes())], crs=4326)
    bounds = tuple(map(float, footprint.total_bounds))
    held = read(engine)
    _ = held.sindex
    for line in sys.stdin:
        way = json.loads(line)
        zones = held if way == "memory" else read(engine, bounds if way == "bounds" else None)
        print(json.dumps(joined(footprint, zones)), flush=True)


main()
