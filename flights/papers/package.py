"""What a pilot takes along before driving out: one archive with all that the flight needs. Pure, but for reading.

Mission, fence and rally points as files that every ground station reads, the parameters that the fence needs, the
approval with its clearances, digests of all of it, and one sheet to print. Without a link the platform cannot start
the flight; what was flown is then judged from the log of the ground station (.tlog) or of the aircraft (.BIN).
The same flight gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from shapely.geometry import Polygon, mapping
from sqlalchemy.orm import Session

from flights import queries
from flights.canonical import CANON, fence_digest
from flights.formats import convert
from flights.link.fence import BuiltFence
from flights.model import Fence, Plan
from flights.papers import approval
from flights.vehicle_orders import orders_of
from schemas.refusals import conflict
from schemas.tables import Flight

FORMAT = "skywarden-flight-package-1"
READY = ("cleared", "uploaded", "airborne")
PLANS = ("mission.plan", "mission.waypoints", "mission.kml")
# Zip cannot say a time before this one; the same flight gives the same bytes whenever it is asked.
_NO_TIME = (1980, 1, 1, 0, 0, 0)

README = """\
Skywarden flight package: {flight}

mission.plan        QGroundControl: mission and fence. Load it, upload it, and compare what the vehicle holds.
mission.waypoints   Mission Planner, MAVProxy: the mission alone.
mission.kml         The mission, to look at.
fence.geojson       The fence, to look at.
parameters.param    What the fence needs, as Mission Planner loads it. Write it before the fence is enabled.
approval.json       What was approved, with every distance in metres; its hash is in the public ledger.
sheet.html          One page to print and carry.
manifest.json       SHA-256 of each file, and the digests that the publication names.

Without a line to the gateway the platform cannot start this flight. Keep the .tlog of the ground station and the
.BIN of the aircraft, and hand them in:  skywarden flight judge LOG --flight {flight}

飞行资料包：{flight}

mission.plan        QGroundControl 用：任务与围栏。装载、上传，并核对飞行器中的内容。
mission.waypoints   Mission Planner、MAVProxy 用：仅任务。
mission.kml         任务，供查看。
fence.geojson       围栏，供查看。
parameters.param    围栏所需参数（Mission Planner 格式）。启用围栏前写入。
approval.json       批准内容与各项间距（米）；其哈希在公开账本中。
sheet.html          一页纸，打印随身携带。
manifest.json       各文件的 SHA-256，以及公示所载的摘要。

没有与网关的连接时，平台不能启动此次飞行。请保留地面站的 .tlog 与飞行器的 .BIN 并提交：
skywarden flight judge LOG --flight {flight}
"""


@dataclass(frozen=True)
class Package:
    """A flight package before it is put together: its files by name, and what its sheet shows."""

    flight: str
    files: Mapping[str, bytes]
    digests: Mapping[str, str]
    document: Mapping[str, Any]
    plan: Plan
    fence: Fence


def prepare(session: Session, flight: Flight, zone: ZoneInfo, *, sample: bool) -> Package:
    """The package of a cleared flight, without its sheet; `zone` is the time zone of the rule pack.

    Raises RuleViolation 409 DC-2 for a flight that is not cleared, or over.
    """
    if flight.state not in READY:
        raise conflict("DC-2", "flight.no_package", measured=flight.state, subject=flight.public_id)
    start, end = queries.window(flight)
    mission = queries.mission_of(flight.route)
    built = queries.built_fence(session, flight.route, start, end, zone)
    plan = replace(mission.plan, fence=built.fence)
    document = approval.document(session, flight, sample=sample)
    files = {name: convert(plan, name).data for name in PLANS}
    files["fence.geojson"] = _json(_fence(built))
    files["parameters.param"] = _parameters(orders_of(mission, built).parameters)
    files["approval.json"] = _json(document)
    files["README.txt"] = README.format(flight=flight.public_id).encode()
    digests = {"canon": CANON, "mission": mission.digest, "fence": fence_digest(built.fence.items)}
    return Package(flight.public_id, files, digests, document, plan, built.fence)


def archive(package: Package, sheet: bytes) -> bytes:
    """The package as a zip archive, with its printable sheet (HTML) and a manifest of everything in it."""
    files = {**package.files, "sheet.html": sheet}
    manifest = {
        "format": FORMAT,
        "flight": package.flight,
        "digests": dict(package.digests),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    files["manifest.json"] = _json(manifest)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archived:
        for name in sorted(files):
            archived.writestr(zipfile.ZipInfo(f"{package.flight}/{name}", _NO_TIME), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _fence(built: BuiltFence) -> dict[str, Any]:
    features = [
        {
            "type": "Feature",
            "properties": {"inclusion": polygon.inclusion},
            "geometry": mapping(Polygon(polygon.ring)),
        }
        for polygon in built.fence.polygons
    ]
    return {"type": "FeatureCollection", "features": features}


def _parameters(parameters: Mapping[str, float]) -> bytes:
    return "".join(f"{name},{value:g}\n" for name, value in parameters.items()).encode("ascii")


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()
