"""Findings for the review desk, on two scenes that were really taken in and masked."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
from geoalchemy2.shape import from_shape
from pyproj import Transformer
from shapely.geometry import box
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.actors import SYSTEM
from sensing.intake import Shelf, Told
from sensing.taking_in import ingest_scene
from tests.unit.sensing.pictures import north_up, write_tif
from tests.world import SHANGHAI

FORMED = datetime(2025, 7, 1, 9, 0, tzinfo=SHANGHAI)
PIT = box(113.2600, 23.1240, 113.2620, 23.1256)


def make_findings(services, folder, *, officer="O1", count=3) -> list[str]:
    """`count` findings assigned to `officer`, the oldest first; gives their public ids."""
    before, after = take_in(services, folder)
    engine = services.database.admin_engine()
    with Session(engine) as db:
        run = t.SegmentationRun(
            public_id="SR-TEST",
            derivative_id=after,
            before_derivative_id=before,
            engine="spectral",
            engine_version="1",
            parameters_sha256="0" * 64,
            rules_sha256="1" * 64,
            labels_sha256="0" * 64,
            runtime_s=1.0,
        )
        db.add(run)
        db.flush()
        made = [_detection(db, run, officer, number) for number in range(count)]
        names = [row.public_id for row in made]
        db.add_all(made)
        db.flush()
        for row in made:
            row.state = "assigned"
        db.commit()
    engine.dispose()
    return names


def take_in(services, folder) -> list[uuid.UUID]:
    """The masked copies of the scene before and the scene after, which may have been taken in already."""
    with services.session() as db:
        there = db.execute(select(t.Scene.captured_at, t.Derivative.id).join_from(t.Derivative, t.Scene)).all()
    kept = dict(there) if {taken for taken, _ in there} == {*_TIMES.values()} else {}
    return [kept.get(taken) or _scene(services, folder, name, taken) for name, taken in _TIMES.items()]


_TIMES = {"before": datetime(2025, 6, 1, 3, 0, tzinfo=UTC), "after": datetime(2025, 7, 1, 1, 0, tzinfo=UTC)}


def _scene(services, folder, name, taken):
    """A scene of 10 m around PA1: fields and a river; after it, a pit too."""
    rng = np.random.default_rng(7)
    corner = Transformer.from_crs(4326, 32649, always_xy=True).transform(113.255, 23.135)
    height, width = 200, 260
    field = np.kron(rng.integers(0, 3, (height // 20, width // 20)), np.ones((20, 20), dtype=int))
    bands = np.array([[700, 900, 1100], [900, 1100, 1200], [500, 600, 800], [3200, 2600, 2200]])[:, field]
    bands = bands + rng.normal(0, 60, bands.shape)
    bands[:, 150:165, :] = np.array([300, 420, 520, 150])[:, None, None]
    if name == "after":
        bands[:, 108:126, 50:70] = np.array([2600, 2300, 1900, 2700])[:, None, None] + rng.normal(0, 90, (4, 18, 20))
    path = write_tif(
        folder / f"{name}.tif",
        np.clip(bands, 1, 10_000).astype("uint16"),
        transform=north_up(10.0, corner),
        nodata=0,
        tags={"TIFFTAG_DATETIME": f"{taken:%Y:%m:%d %H:%M:%S}"},
    )
    with services.work(SYSTEM) as work:
        derivative = ingest_scene(work, Shelf(services.data_dir), [path], told=Told()).derivative
        work.commit()
        return derivative.id


def _detection(db, run, officer, number):
    scene_id = db.scalar(select(t.Derivative.scene_id).where(t.Derivative.id == run.derivative_id))
    person = db.scalars(select(t.Person).where(t.Person.code == officer)).one()
    west, south, east, north = PIT.bounds
    shape = box(west + 0.004 * number, south, east + 0.004 * number, north)
    return t.Detection(
        public_id=f"DT-T{number}",
        run_id=run.id,
        ordinal=number,
        scene_id=scene_id,
        authority_id=person.authority_id,
        item_id=db.scalar(select(t.SupervisionItem.id)),
        kind=("excavation", "building", "burn_scar")[number % 3],
        score=0.83,
        area_m2=36_000.0 / (1 + number),
        geom=from_shape(shape, srid=4326),
        rule_trace=["Bare soil where there was green before", "No permit covers this place"],
        formed_at=FORMED + timedelta(hours=number) - timedelta(days=6 if number == 0 else 0),
        assigned_to=person.id,
        state="new",
    )
