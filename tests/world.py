"""The fixtures of requirements.md 3.0 as rows: a small, exact world for tests of the database."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from geoalchemy2.shape import from_shape
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from sqlalchemy.orm import Session

from geo.content import content_sha256
from schemas import tables as t

SHANGHAI = ZoneInfo("Asia/Shanghai")
PUBLISHED_AT = datetime(2025, 6, 1, 10, 0, tzinfo=SHANGHAI)
PUBLISHED_ON = date(2025, 6, 1)
EARLIEST = date(2025, 7, 1)
LEAD_DAYS = 30

PA1 = Polygon([(113.25, 23.12), (113.29, 23.12), (113.29, 23.14), (113.25, 23.14)])
Z1 = Polygon([(113.2695, 23.1295), (113.2705, 23.1295), (113.2705, 23.1305), (113.2695, 23.1305)])
R1 = LineString([(113.2550, 23.1250), (113.2850, 23.1250)])
R2 = LineString([(113.2550, 23.1300), (113.2850, 23.1300)])
R3 = LineString([(113.2550, 23.1290), (113.2850, 23.1290)])
R4 = LineString([(113.2550, 23.1250), (113.2950, 23.1250)])
HOME = Point(113.2545, 23.1250)
HOME_AMSL_M = 12.0
DP1 = Point(113.2800, 23.1350)
JURISDICTION = MultiPolygon([box(113.20, 23.08, 113.36, 23.22)])

PEOPLE = {
    "O1": "officer",
    "O2": "officer",
    "O3": "officer",
    "H1": "unit_head",
    "L1": "legal_reviewer",
    "T1": "technical_reviewer",
    "F1": "pilot",
    "N1": "planner",
    "X1": "party",
    "S1": "supervisor",
    "C1": "command_centre",
    "D1": "data_admin",
}


def wkb(shape: object) -> object:
    return from_shape(shape, srid=4326)


class World:
    """Makes the rows in order, remembering what others refer to."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, table: type, /, **values: object) -> object:
        values.setdefault("id", uuid.uuid4())
        values.setdefault("origin", t.Origin.SAMPLE.value)
        row = table(**values)
        self.session.add(row)
        self.session.flush()
        return row

    def authority(self, code: str, level: str, parent: object | None = None) -> object:
        return self.add(
            t.Authority,
            public_id=f"AU-{code}",
            code=code,
            name_en=f"Authority {code} (fictional)",
            name_zh=f"机关{code}（虚构）",
            level=level,
            authority_type="department",
            field="ecology",
            parent_id=getattr(parent, "id", None),
            jurisdiction=wkb(JURISDICTION),
            contact_address="1 Qinghe Road (fictional)",
            contact_channel="+86 00 0000 0000",
        )

    def switch_on(self, authority: object) -> None:
        """All overlays, as in the demo (G-42)."""
        for overlay in OVERLAYS:
            self.add(
                t.OverlaySwitch,
                public_id=f"OS-{authority.code}-{overlay}",
                authority_id=authority.id,
                overlay=overlay,
                is_on=True,
                reason="fixtures",
            )

    def person(self, code: str, role: str, authority: object) -> object:
        somebody = self.add(
            t.Person,
            public_id=f"PE-{code}",
            code=code,
            name_en=f"{role} {code}",
            name_zh=f"{role}{code}",
            authority_id=authority.id,
        )
        self.add(
            t.RoleAssignment,
            public_id=f"RA-{code}",
            person_id=somebody.id,
            role=role,
            authority_id=authority.id,
            valid_from=date(2025, 1, 1),
        )
        return somebody

    def qualify(self, person: object, kind: str, valid_to: date) -> None:
        self.add(
            t.Qualification,
            public_id=f"QU-{person.code}-{kind}",
            person_id=person.id,
            kind=kind,
            certificate_no=f"SAMPLE-{person.code}",
            field="ecology",
            authority_id=person.authority_id,
            valid_from=date(2024, 1, 1),
            valid_to=valid_to,
        )

    def publish(self, kind: str, subject: object, channels: tuple[str, ...]) -> None:
        for channel in channels:
            self.add(
                t.Publication,
                public_id=f"PB-{uuid.uuid4().hex[:8]}",
                subject_kind=kind,
                subject_id=subject.id,
                channel=channel,
                published_at=PUBLISHED_AT,
                published_on=PUBLISHED_ON,
                lead_days=LEAD_DAYS,
                receipt_id=f"RCPT-{subject.public_id}-{channel}",
                content_sha256=content_sha256(self.session, subject),
            )


OVERLAYS = ("lf-2024", "lx-2024", "ir-2023", "jn-2024")
BOTH = ("official_disclosure", "platform_map")


def build_world(session: Session) -> None:
    """Every fixture of requirements.md 3.0; codes are the names used there."""
    world = World(session)
    session.add(t.Installation(key="sample_data", value="test"))
    province = world.authority("P0", "province")
    a1 = world.authority("A1", "county", province)
    other = world.authority("A2", "county", province)
    for authority in (province, a1, other):
        world.switch_on(authority)
    people = {code: world.person(code, role, a1) for code, role in PEOPLE.items()}
    people["O4"] = world.person("O4", "officer", other)
    people["P1"] = world.person("P1", "provincial_approver", province)
    for code in ("O1", "O2", "O4"):
        world.qualify(people[code], "enforcement", date(2026, 12, 31))
    world.qualify(people["O3"], "enforcement", date(2025, 4, 30))
    world.qualify(people["F1"], "uas_licence", date(2026, 12, 31))
    basis = world.add(
        t.LegalBasis,
        public_id="LB-1",
        code="LB1",
        title_en="Placeholder statute",
        title_zh="占位法律",
        article="1",
        level="law",
    )
    item = world.add(
        t.SupervisionItem,
        public_id="SI-1",
        code="ECO-01",
        name_en="Inspection of pollution sources",
        name_zh="污染源检查",
        legal_basis_id=basis.id,
    )
    plan = world.add(
        t.SitingPlan,
        public_id="SP-1",
        authority_id=a1.id,
        approval_no="SAMPLE-2025-1",
        approved_on=date(2025, 5, 20),
        approver_authority_id=province.id,
        state="approved",
    )
    zone(world)
    fixed_camera(world, a1, item, plan, people)
    drone(world, a1, item, plan, people)
    patrols(world, a1, item, plan, people)


def zone(world: World) -> None:
    world.add(
        t.PrivacyZone,
        public_id="PZ-Z1",
        kind="public_bathhouse",
        name_en="Bath-house Z1 (fictional)",
        name_zh="浴场Z1（虚构）",
        geom=wkb(Z1),
        source="legal",
        valid_from=datetime(2025, 5, 1, tzinfo=UTC),
    )


def device(world: World, authority: object, item: object, site: object, **values: object) -> object:
    return world.add(
        t.Device,
        authority_id=authority.id,
        item_id=item.id,
        site_id=site.id,
        purpose_en="Pollution patrol",
        purpose_zh="污染巡查",
        model="Model S",
        quality_certificate_no="QC-1",
        **values,
    )


def site_at(world: World, place: Point, plan: object, number: str) -> object:
    return world.add(
        t.DeviceSite,
        public_id=f"ST-{number}",
        geom=wkb(place),
        place_text=f"Site {number} (fictional)",
        siting_plan_id=plan.id,
    )


def reviews(world: World, subject: object, people: dict[str, object]) -> None:
    for kind, code in (("legal", "L1"), ("technical", "T1")):
        world.add(
            t.DeviceReview,
            public_id=f"RV-{subject.public_id}-{kind}",
            device_id=subject.id,
            kind=kind,
            reviewer_id=people[code].id,
            passed=True,
            items={"all": "pass"},
            reviewed_on=date(2025, 5, 25),
        )


def fixed_camera(world: World, authority: object, item: object, plan: object, people: dict[str, object]) -> None:
    """DV1, published on 2025-06-01 and not yet active."""
    site = site_at(world, Point(113.26, 23.13), plan, "DV1")
    dv1 = device(
        world,
        authority,
        item,
        site,
        public_id="DV-DV1",
        name="DV1",
        platform="fixed",
        category="fixed",
        device_type="video",
        state="published",
    )
    reviews(world, dv1, people)
    world.add(
        t.Signage,
        public_id="SG-DV1",
        device_id=dv1.id,
        text="DV1",
        verified_on=date(2025, 6, 20),
        verified_by=people["O1"].id,
    )
    world.publish("device", dv1, BOTH)


def drone(world: World, authority: object, item: object, plan: object, people: dict[str, object]) -> None:
    """DR1, active since 2025-07-01, camera of 70 degrees."""
    site = site_at(world, HOME, plan, "DR1")
    dr1 = device(
        world,
        authority,
        item,
        site,
        public_id="DV-DR1",
        name="DR1",
        platform="uav",
        category="mobile",
        device_type="video",
        state="published",
    )
    reviews(world, dr1, people)
    world.add(
        t.Signage,
        public_id="SG-DR1",
        device_id=dr1.id,
        text="QH-DR1",
        verified_on=date(2025, 6, 20),
        verified_by=people["T1"].id,
    )
    world.publish("device", dr1, BOTH)
    dr1.state, dr1.activated_on, dr1.version = "active", EARLIEST, 2
    world.session.add(
        t.Drone(
            device_id=dr1.id,
            registration_no="UAS-SAMPLE-1",
            camera_hfov_deg=70.0,
            camera_image_width_px=1400,
            camera_image_height_px=1050,
            max_takeoff_mass_kg=4.0,
        )
    )
    world.session.flush()


def patrols(world: World, authority: object, item: object, plan: object, people: dict[str, object]) -> None:
    """PA1 and R1 effective since 2025-07-01; R2, R3 and R4 are drafts that no check lets pass."""
    pa1 = world.add(
        t.PatrolArea,
        public_id="PA-PA1",
        code="PA1",
        name_en="Patrol area PA1 (fictional)",
        name_zh="巡查区域PA1（虚构）",
        purpose_en="Pollution patrol",
        purpose_zh="污染巡查",
        authority_id=authority.id,
        item_id=item.id,
        siting_plan_id=plan.id,
        geom=wkb(PA1),
        alt_min_agl_m=60.0,
        alt_max_agl_m=120.0,
        state="effective",
        effective_from=EARLIEST,
    )
    world.publish("patrol_area", pa1, BOTH)
    deployment_point(world, authority, item, plan)
    routes(world, authority, pa1)
    world.add(
        t.InspectionPlan,
        public_id="IP-1",
        number="IP-2025-1",
        title_en="Patrol plan 2025 (fictional)",
        title_zh="2025年巡查计划（虚构）",
        authority_id=authority.id,
        item_id=item.id,
        area_ids=[str(pa1.id)],
        author_id=people["N1"].id,
        approver_id=people["H1"].id,
        approved_at=datetime(2025, 6, 5, 2, 0, tzinfo=UTC),
        valid_from=date(2025, 6, 10),
        valid_to=date(2026, 6, 9),
        state="approved",
    )


def deployment_point(world: World, authority: object, item: object, plan: object) -> None:
    """DP1, from which a mobile unit works, effective since 2025-07-01."""
    dp1 = world.add(
        t.DeploymentPoint,
        public_id="DP-DP1",
        code="DP1",
        name_en="Deployment point DP1 (fictional)",
        name_zh="移动设备布点DP1（虚构）",
        purpose_en="Pollution patrol",
        purpose_zh="污染巡查",
        authority_id=authority.id,
        item_id=item.id,
        siting_plan_id=plan.id,
        geom=wkb(DP1),
        place_text="Weir (fictional)",
        state="effective",
        effective_from=EARLIEST,
    )
    world.publish("deployment_point", dp1, BOTH)


def routes(world: World, authority: object, area: object) -> None:
    """R1 to R4 of the area, each with the mission that would fly it."""
    from tests.missions import compile_fixture_mission

    for code, line in (("R1", R1), ("R2", R2), ("R3", R3), ("R4", R4)):
        mission, digest = compile_fixture_mission(line, HOME, alt_agl_m=100.0)
        good = code == "R1"
        route = world.add(
            t.PatrolRoute,
            public_id=f"RT-{code}",
            code=code,
            name_en=f"Route {code} (fictional)",
            name_zh=f"路线{code}（虚构）",
            area_id=area.id,
            authority_id=authority.id,
            geom=wkb(line),
            alt_agl_m=100.0,
            camera_hfov_deg=70.0,
            home=wkb(HOME),
            home_amsl_m=HOME_AMSL_M,
            mission=mission,
            mission_digest=digest,
            state="effective" if good else "draft",
            effective_from=EARLIEST if good else None,
        )
        if good:
            world.publish("patrol_route", route, BOTH)
