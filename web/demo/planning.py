"""People of the fictional district at work: plans, a device, an area and a point on their way to approval.

Every step is a command of the person whose step it is, so that all rules hold and the ledger has witnessed it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shapely.geometry import Point, box
from sqlalchemy import select

from flights.ground import TERRAIN_FILE
from geo import commands
from geo.attachments import File
from geo.commands import studies
from geo.coverage.asked import Asked
from geo.coverage.footprints import Device as View
from geo.types import LonLat
from schemas.store.work import Work
from schemas.tables import (
    Authority,
    CoverageStudy,
    DeploymentPoint,
    PatrolArea,
    Person,
    PlannedSite,
    SitingPlan,
    SupervisionItem,
)
from web.attachments import take_in
from web.wiring import Services

_REASONS = {
    "legal_basis": "Water pollution statute, article 0 (placeholder) · 水污染防治法律第0条（占位）",
    "publication_plan": "Official platform and this map, 30 days before use · 启用前30日在官方平台和本图公示",
    "technical_rationale": "The outfall is seen from the road alone · 仅从道路一侧可见排口",
    "alternatives": "Visits twice a week missed the discharges at night · 每周两次现场检查未能发现夜间排放",
    "necessity": "Without it nothing is known between visits · 否则两次检查之间情况不明",
}
_NEED = {
    "risk_evidence": "Three findings this year (fictional) · 今年3条线索（虚构）",
    "incidents": "Two since spring (fictional) · 春季以来2起（虚构）",
    "coverage_gap": "The bank from the bridge to the weir · 桥至堰坝之间的河岸",
}
_CASE = commands.Case(justification=_REASONS, need=_NEED)
# All of them lie along routes that keep away from every private place, whatever the seed of the district.
_RIVER = ((113.2600, 23.1250), (113.2690, 23.1250), (113.2790, 23.1250))
_ESTATE, _PLAIN = ((113.2960, 23.1155),), ((113.2540, 23.1100), (113.2680, 23.1080))
_ROAD, _BROOK = ((113.2640, 23.1219),), ((113.2995, 23.1335),)
_RANGE_M = 90.0
_SEEN_GROUND = box(113.235, 23.105, 113.320, 23.150)
_AS_IT_STANDS = "Qinghe Town and the river (fictional) · 清河镇与沿河（虚构）"
_WITH_ONE_MORE = "The same with a camera at the weir (fictional) · 堰坝增设一台（虚构）"
_ONE_MORE = View(LonLat(113.2740, 23.1195), 400.0, 90.0, 100.0, mast_m=12.0)
# The place that is published while the demo runs.
WITNESSED = "DP2"


def work_on_drafts(services: Services) -> None:
    """Brings things of every kind to the desks of planner, reviewers, unit head and approver."""
    district = _District(services)
    district.under_review()
    district.reviewed()
    district.submitted()
    district.returned()
    district.draft("Air at the school road", "学校路空气监测", _ROAD, "air")
    district.device()
    district.area()
    district.point()
    district.published()
    district.studies()


class _District:
    """The fictional district, with a hand for each of its people."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.paper = _paper(services)

    def do(self, code: str, step: Callable[[Work], Any]) -> str:
        """A step of one person; gives the public id of what it made."""
        with self.services.work(self.services.actor(code)) as work:
            made = step(work)
            work.commit()
            return str(getattr(made, "public_id", ""))

    def on(self, code: str, name: str, step: Callable[[Work, SitingPlan], Any]) -> None:
        """A step of one person on a plan."""
        self.do(code, lambda work: step(work, work.get(SitingPlan, name)))

    def draft(self, title_en: str, title_zh: str, places: Sequence[tuple[float, float]], kind: str) -> str:
        """A plan of the planner."""

        def step(work: Work) -> SitingPlan:
            sites = [_site(number, place, kind) for number, place in enumerate(places, start=1)]
            return commands.draft_plan(
                work,
                commands.NewPlan(
                    title_en=f"{title_en} (fictional)",
                    title_zh=f"{title_zh}（虚构）",
                    authority=_by_code(work, Authority, "A1"),
                    item=_by_code(work, SupervisionItem, "ECO-02"),
                    sites=sites,
                ),
            )

        return self.do("N1", step)

    def handed_over(self, *given: Any) -> str:  # noqa: ANN401
        """A plan with its case, under review."""
        name = self.draft(*given)
        self.on("N1", name, lambda work, plan: commands.justify_plan(work, plan, _CASE))

        def hand(work: Work, plan: SitingPlan) -> None:
            legal, technical = (_by_code(work, Person, code) for code in ("L1", "T1"))
            commands.start_review(work, plan, legal=legal, technical=technical)

        self.on("N1", name, hand)
        return name

    def review(self, name: str, code: str, kind: str, *, most: int = 99, fails: str = "") -> None:
        """A review of the first sites of a plan, with an item that fails at the last of them."""
        with self.services.work() as work:
            sites = [site.public_id for site in work.get(SitingPlan, name).sites][:most]
        for site in sites:
            failed = fails if site == sites[-1] else ""
            self.do(code, lambda work, site=site, failed=failed: self._review(work, site, kind, failed))  # type: ignore[misc]

    def _review(self, work: Work, site: str, kind: str, failed: str) -> Any:  # noqa: ANN401
        planned = work.session.scalars(select(PlannedSite).where(PlannedSite.public_id == site)).one()
        pack = work.pack_for(planned.plan)
        items = {item: not failed or item != "reliable_and_complete" for item in pack[f"review.{kind}.items"]}
        given = commands.Answers(
            items=items,
            texts={item: failed for item, passed in items.items() if not passed},
            files={item: [self.paper] for item in pack["review.attachments"] if items.get(item)},
            standards=[standard.id for standard in pack.standards][:1] if kind == "technical" else (),
        )
        return commands.record_review(work, planned, kind=kind, answers=given)

    def under_review(self) -> None:
        """Three sites along the river; the legal reviewer has begun."""
        name = self.handed_over("Cameras at the outfalls along the river road", "沿河路排口视频监测", _RIVER, "video")
        self.review(name, "L1", "legal", most=1)

    def reviewed(self) -> None:
        """A plan that the unit head may submit."""
        name = self.handed_over("Water quality at the brook", "溪流水质监测", _BROOK, "water_quality")
        self.review(name, "L1", "legal")
        self.review(name, "T1", "technical")

    def submitted(self) -> None:
        """A plan that the provincial approver decides."""
        name = self.handed_over("Noise at the eastern estate", "东区噪声监测", _ESTATE, "noise")
        self.review(name, "L1", "legal")
        self.review(name, "T1", "technical")
        self.on("H1", name, commands.submit_plan)

    def returned(self) -> None:
        """A plan that came back with the words of the technical reviewer."""
        name = self.handed_over("Dust radar in the plain", "平原扬尘雷达监测", _PLAIN, "radar")
        failed = "The record of the test at night is missing. · 缺少夜间测试记录。"
        self.review(name, "T1", "technical", fails=failed)
        reason = "Site 2 was not tested at night; test it, or take it out. · 点位2未做夜间测试，请补测或取消该点位。"
        self.on("T1", name, lambda work, plan: commands.return_plan(work, plan, reason=reason))

    def device(self) -> None:
        """A device that both reviewers look at."""

        def step(work: Work) -> Any:  # noqa: ANN401
            plan = work.session.scalars(select(SitingPlan).where(SitingPlan.state == "approved")).first()
            return commands.register_device(
                work,
                commands.NewDevice(
                    name="DV-BRIDGE",
                    place=Point(113.2850, 23.1250),
                    place_text="At the eastern bridge (fictional) · 东桥（虚构）",
                    device_type="video",
                    purpose_en="Watching the outfall at the bridge",
                    purpose_zh="监控桥下排口",
                    authority=_by_code(work, Authority, "A1"),
                    item=_by_code(work, SupervisionItem, "ECO-02"),
                    siting_plan=plan,
                    quality_certificate_no="QC-SAMPLE-BRIDGE",
                    model="Model S (fictional)",
                    sector_azimuth_deg=200.0,
                    hfov_deg=60.0,
                    range_m=_RANGE_M,
                ),
            )

        self.do("N1", step)

    def studies(self) -> None:
        """What is seen of the town and the river as it stands, and with one more camera; the worker answers both."""
        asked = Asked(
            statuses=("active", "published", "planned"),
            demand=("area", "population", "entities", "risk"),
            device_types=("video", "patrol_route"),
            over_terrain=(self.services.data_dir / TERRAIN_FILE).is_file(),
        )

        def draft(work: Work) -> Any:  # noqa: ANN401
            authority = _by_code(work, Authority, "A1")
            new = studies.NewStudy(title=_AS_IT_STANDS, authority=authority, ground=_SEEN_GROUND, asked=asked)
            return studies.draft_study(work, new)

        name = self.do("N1", draft)

        def of(work: Work, name: str) -> CoverageStudy:
            return work.session.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one()

        copied = self.do("N1", lambda work: studies.copy_study(work, of(work, name), _WITH_ONE_MORE))
        device = studies.NewDevice(view=_ONE_MORE, label="At the weir · 堰坝", device_type="video")
        self.do("N1", lambda work: studies.put_devices(work, of(work, copied), [device]))

    def area(self) -> None:
        """An area that the unit head approves."""

        def draft(work: Work) -> Any:  # noqa: ANN401
            new = commands.NewArea(
                **_named(work, "PA4", "Northern fields", "北部田野"),
                geom=box(113.215, 23.145, 113.240, 23.160),
                alt_min_agl_m=60.0,
                alt_max_agl_m=110.0,
            )
            return commands.draft_area(work, new)

        self.do("N1", draft)
        self.do("N1", lambda work: commands.check(work, work.get(PatrolArea, "PA4")))

    def point(self) -> None:
        """A point that the unit head gave back."""

        def draft(work: Work) -> Any:  # noqa: ANN401
            place, text = Point(113.2545, 23.1248), "At the launch place (fictional) · 起飞点（虚构）"
            named = _named(work, "DP1", "Launch place at the weir", "堰坝起飞点")
            return commands.draft_point(work, commands.NewPoint(**named, place=place, place_text=text))

        self.do("N1", draft)
        self.do("N1", lambda work: commands.check(work, work.get(DeploymentPoint, "DP1")))
        reason = "Move it off the towpath, where children walk to school. · 请移离学生上学经过的纤道。"
        self.do("H1", lambda work: commands.return_draft(work, work.get(DeploymentPoint, "DP1"), reason=reason))

    def published(self) -> None:
        """A point that stands on both channels from this moment on: witnessed, and not asserted by an import."""

        def draft(work: Work) -> Any:  # noqa: ANN401
            place, text = Point(113.2790, 23.1246), "At the lower lock (fictional) · 下闸（虚构）"
            named = _named(work, WITNESSED, "Launch place at the lower lock", "下闸起飞点")
            return commands.draft_point(work, commands.NewPoint(**named, place=place, place_text=text))

        def disclose(work: Work) -> Any:  # noqa: ANN401
            return commands.record_publication(
                work,
                _point(work),
                channel="official_disclosure",
                receipt_id="SAMPLE-DISCLOSURE-1",
                published_at=work.now,
            )

        self.do("N1", draft)
        self.do("N1", lambda work: commands.check(work, _point(work)))
        self.do("H1", lambda work: commands.approve(work, _point(work)))
        self.do("N1", disclose)
        self.do("N1", lambda work: commands.record_publication(work, _point(work), channel="platform_map"))
        self.do("N1", lambda work: commands.publish(work, _point(work)))


def _point(work: Work) -> DeploymentPoint:
    return work.get(DeploymentPoint, WITNESSED)


def _site(number: int, place: tuple[float, float], kind: str) -> commands.NewSite:
    return commands.NewSite(
        place=Point(place),
        place_text=f"Post {number} at the public road (fictional) · 公路旁{number}号点（虚构）",
        device_type=kind,
        purpose_en="To learn of discharges between visits",
        purpose_zh="掌握两次检查之间的排放情况",
        sector_azimuth_deg=30.0 * number,
        hfov_deg=70.0,
        range_m=_RANGE_M,
    )


def _named(work: Work, code: str, name_en: str, name_zh: str) -> dict[str, Any]:
    plan = work.session.scalars(select(SitingPlan).where(SitingPlan.state == "approved")).first()
    return {
        "code": code,
        "name_en": f"{name_en} (fictional)",
        "name_zh": f"{name_zh}（虚构）",
        "purpose_en": "Pollution patrol by drone",
        "purpose_zh": "无人机污染巡查",
        "authority": _by_code(work, Authority, "A1"),
        "item": _by_code(work, SupervisionItem, "ECO-01"),
        "siting_plan": plan,
    }


def _by_code(work: Work, table: Any, code: str) -> Any:  # noqa: ANN401
    return work.session.scalars(select(table).where(table.code == code)).one()


# A page that says what it is; whoever opens an attachment of the district reads it.
_PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 420 120]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 62>>stream
BT /F1 16 Tf 24 60 Td (Fictional record of a fictional test.) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R/Size 6>>
startxref
0
%%EOF
"""


def _paper(services: Services) -> File:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "record (fictional).pdf")
        path.write_bytes(_PDF)
        return take_in(services, path)
