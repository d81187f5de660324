"""An address or more for every public route, for the anonymous crawl and whoever else asks all of them.

A public route that the crawl cannot reach by links fails `test_anonymous_crawl` until an address of it stands here.
"""

from __future__ import annotations

from web.public.layers import LAYERS
from web.public.tile_sql import STATEMENTS

TILES = [
    f"/tiles/{layer}/{cell}.mvt"
    for layer in STATEMENTS
    for cell in ("0/0/0", "6/52/27", "12/3336/1773", "14/13344/7094")
]
# Rule of `app.url_map` -> addresses on the world of the fixtures (tests/world.py), whose records are DV-DV1 and others.
ADDRESSES: dict[str, list[str]] = {
    "/": ["/", "/?lon=113.2779&lat=23.1279", "/?q=113.2610,23.1300", "/?q=SECRET"],
    "/list": [
        "/list?q=SECRET",
        *(f"/list?layer={layer}&page={number}" for layer in LAYERS for number in (1, 2)),
    ],
    "/<any(device, area, point, route, zone):branch>/<public_id>": ["/device/DV-SECRET"],
    "/tiles/<layer>/<z>/<x>/<y>.mvt": TILES,
    "/<any(device, area, point, route):branch>/<public_id>/proof.json": [
        "/device/DV-DV1/proof.json",
        "/device/DV-SECRET/proof.json",
    ],
    "/ledger": ["/ledger"],
    "/ledger/checkpoint": ["/ledger/checkpoint"],
    "/ledger/seals.jsonl": ["/ledger/seals.jsonl"],
    "/ledger/verify_proof.py": ["/ledger/verify_proof.py"],
    "/changes/days.json": ["/changes/days.json"],
    "/embed/map": ["/embed/map"],
    "/embed/<any(device, area, point, route, zone):branch>/<public_id>": [
        "/embed/device/DV-DV1",
        "/embed/device/DV-SECRET",
        "/embed/zone/PZ-HIDDEN",
    ],
    "/ogc/": ["/ogc/?f=json"],
    "/ogc/collections": ["/ogc/collections?f=json"],
    "/ogc/collections/<name>": [f"/ogc/collections/{layer}?f=json" for layer in LAYERS],
    "/ogc/collections/<name>/<any(queryables, schema):kind>": [
        "/ogc/collections/devices/queryables?f=json",
        "/ogc/collections/devices/schema?f=json",
    ],
    "/ogc/collections/<name>/items": [f"/ogc/collections/{layer}/items?f=json" for layer in LAYERS],
    "/ogc/collections/<name>/items/<public_id>": ["/ogc/collections/devices/items/DV-DV1?f=json"],
    "/ogc/conformance": ["/ogc/conformance?f=json"],
    "/figures": ["/figures"],
    "/zone-requests": ["/zone-requests"],
    "/zone-requests/new": ["/zone-requests/new", "/zone-requests/new?done=ZR-SECRET"],
    "/ask": ["/ask", "/ask?about=device/DV-DV1", "/ask?about=device/DV-SECRET"],
    "/ask/status": ["/ask/status"],
    "/ask/register": ["/ask/register"],
    "/subscribe": ["/subscribe", "/subscribe?place=113.2779,23.1279&radius=5000"],
    "/feeds/changes.atom": ["/feeds/changes.atom", "/feeds/changes.atom?circle=113.2779,23.1279,5000"],
}
# Public routes whose answers hold nothing of the database, with the reason why nobody has to look at them.
NOT_CRAWLED = {
    "/basemap/tiles.pmtiles": "a file of the operator's own, where one is configured",
    "/static/<path:name>": "files of the checkout, the same in every installation",
    "/subscribe/confirm/<name>/<token>": "opens by a mail to the subscriber alone (test_subscriptions)",
    "/subscribe/end/<name>/<token>": "opens by a mail to the subscriber alone (test_subscriptions)",
}
