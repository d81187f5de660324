"""Studies of coverage as the worker leaves them, for tests of the pages that tell of them."""

from __future__ import annotations

import uuid

import shapely
from shapely.geometry import box
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geo import shapes
from geo.coverage.answers import coverage_of
from geo.coverage.asked import Asked
from geo.coverage.footprints import Device
from geo.siting.asked import SitingAsked
from geo.types import LonLat
from schemas.ids import public_id
from schemas.tables import CoverageStudy, Person, SitingRun, StudyDevice, StudyShape
from tests.world import Z1

GROUND = shapely.MultiPolygon([box(113.255, 23.120, 113.280, 23.140)])
CAMERAS = (
    Device(LonLat(113.265, 23.128), 600.0, 90.0, 60.0),
    Device(LonLat(113.268, 23.131), 400.0),
)
MORE = (*CAMERAS, Device(LonLat(113.275, 23.135), 500.0))


def answered(
    services, *, title="Bridges (fictional)", person="N1", devices=CAMERAS, stage="done", ground=GROUND, **asked
):
    """A study with the answer that geo.coverage gives for these devices; its public id."""
    found = coverage_of(devices, ground, Z1)
    with Session(services.engine) as db, db.begin():
        somebody = db.scalars(select(Person).where(Person.code == person)).one()
        study = CoverageStudy(
            id=uuid.uuid4(),
            public_id=public_id("CS"),
            authority_id=somebody.authority_id,
            person_id=somebody.id,
            title=title,
            ground=shapes.element(ground),
            question=Asked(own_only=True, **asked).as_json(),
            stage="waiting",
        )
        study.devices = [_device(number, one) for number, one in enumerate(devices, 1)]
        db.add(study)
        db.flush()
        if stage == "done":
            pieces = [("gap", 0, found.gaps), *(("seen", n, [one]) for n, one in ((1, found.seen), (2, found.twice)))]
            for kind, times, parts in pieces:
                for number, part in enumerate((one for each in parts for one in shapely.get_parts(each)), 1):
                    db.add(
                        StudyShape(
                            study_id=study.id,
                            kind=kind,
                            times=times,
                            ordinal=number,
                            area_m2=part.area * 1.14e10,
                            weight=1.0,
                            geom=shapes.element(part),
                        )
                    )
            now = db.scalar(select(func.clock_timestamp()))
            study.stage, study.result, study.share, study.ended_at = "done", result(found, len(devices)), 1.0, now
        elif stage == "failed":
            now = db.scalar(select(func.clock_timestamp()))
            study.stage, study.ended_at = "failed", now
            study.result = {
                lang: [{"rule": "coverage.no_ground", "message": lang, "fix": lang}] for lang in ("en", "zh")
            }
        return study.public_id


def _device(number, one):
    return StudyDevice(
        ordinal=number,
        label=f"C{number}",
        geom=shapes.element(shapely.Point(one.at)),
        sector_azimuth_deg=one.azimuth_deg,
        hfov_deg=one.hfov_deg,
        range_m=one.range_m,
        mast_m=one.mast_m,
        target_m=one.target_m,
    )


def result(found, devices):
    """The figures of an answer as geo.coverage.study writes them."""
    seen = found.seen_m2[0]
    row = {"devices": devices, "seen_m2": seen}
    places = [shape.representative_point() for shape in found.gaps]
    return {
        "ground_m2": found.ground_m2,
        "private_m2": found.private_m2,
        "devices": devices,
        "hidden": ["C9"],
        "left_out": [{"label": "C9", "device": None, "reason": "hidden"}],
        "before": {"seen_m2": 0.0, "gap_m2": found.ground_m2},
        "assumed": 0,
        "seen_m2": list(found.seen_m2),
        "gap_m2": found.gap_m2,
        "share": found.share,
        "gap_count": len(found.gaps),
        "slivers": 0,
        "slivers_m2": 0.0,
        "masts_assumed": 0,
        "gaps": [
            {"ordinal": number, "area_m2": area, "weight": area, "at": [at.x, at.y]}
            for number, (area, at) in enumerate(zip(found.gaps_m2, places, strict=True), 1)
        ],
        "demand": [
            {"kind": "area", "unit": "m2", "total": found.ground_m2, "seen": seen},
            {"kind": "entities", "unit": "views", "total": 4, "seen": 3},
        ],
        "by_item": [{"item": "ECO-01", **row}],
        "by_status": [{"status": "planned", "adds_m2": seen, **row}],
        "by_hour": [{"hour": hour, **row} for hour in range(24)],
        "by_kind": [{"kind": "video", **row}],
        "burden": [{"place": "East village <fictional>", "homes_m2": 40_000.0, "seen_homes_m2": 9_000.0, "devices": 1}],
        "entities": [{"public_id": "EN-1", "name": "Works (fictional)", "required": 2, "seen": 1}],
        "sentences": {"en": ["Two cameras see part of it."], "zh": ["两台摄像机覆盖一部分。"]},
        "engine": "sweep-1",
        "seconds": 0.1,
    }


def site(number=1, **changes):
    """A site of an answer of siting, as geo.siting.run writes it."""
    told = {
        "ordinal": number,
        "at": [113.258, 23.123],
        "sector_azimuth_deg": 45.0,
        "hfov_deg": 60.0,
        "range_m": 500.0,
        "mast_m": 8.0,
        "kind": "new",
        "device": None,
        "label": "DV1",
        "authority": "A1",
        "source": "grid",
        "flights": None,
        "hours": None,
        "adds": 120_000.0,
        "duplicates_share": 0.1,
        "duplicates_of": [],
        "burden": {"homes_m2": 300.0, "places": ["East village <fictional>"]},
        "rules": [{"rule": "GD-15", "met": True, "en": "outside every protected place", "zh": "位于保护场所之外"}],
        "sentences": {"en": [f"Site {number} sees a bend."], "zh": [f"点位{number}可见河湾。"]},
    }
    return told | changes


def sited(services, study, *sites, stage="done", front=(), model="most_seen", **changes):
    """A run of siting on a study with its answer, and what is changed of that; its public id."""
    with Session(services.engine) as db, db.begin():
        on = db.scalars(select(CoverageStudy).where(CoverageStudy.public_id == study)).one()
        run = SitingRun(
            id=uuid.uuid4(),
            public_id=public_id("SR"),
            study_id=on.id,
            person_id=on.person_id,
            question=SitingAsked(model=model, count=max(len(sites), 1)).as_json(),
            stage="waiting",
        )
        db.add(run)
        db.flush()
        if stage == "done":
            now = db.scalar(select(func.clock_timestamp()))
            run.stage, run.share, run.ended_at = "done", 1.0, now
            run.result = {
                "model": model,
                "demand": "area",
                "left_out": {},
                "mean_m": None,
                "proven": True,
                "gap": 0.0,
                "seconds": 0.4,
                "unit": "m2",
                "total": 5e6,
                "seen_before": 1e6,
                "seen_after": 1.2e6,
                "candidates": 40,
                "sites": list(sites),
                "front": list(front),
                "sentences": {"en": ["The best two sites."], "zh": ["最佳的两个点位。"]},
            } | changes
        return run.public_id
