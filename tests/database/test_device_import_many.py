"""Many devices from one file: every check, an event for each, nothing half imported (S01, P4)."""

import time

import pytest
from sqlalchemy import func, select, text

from geo.intake import Options, import_layer
from schemas.ids import public_id
from schemas.store import ledger
from schemas.tables import Device, DeviceSite, ImportBatch
from tests.database.plain import seal_all

HEAD = "name,device_type,purpose,place_text,item,device_code,authority,lon,lat\n"


def row(number, authority="A1", item="ECO-01", lat=23.131):
    return f"camera {number},video,outfalls,bank,{item},{number:020},{authority},{113.26 + number * 1e-6:.6f},{lat}\n"


@pytest.fixture
def bring(work, tmp_path):
    def run(rows, told=None, code="D1", **options):
        path = tmp_path / "cameras.csv"
        path.write_text(HEAD + "".join(rows), encoding="utf-8")
        with work(code) as doing:
            report = import_layer(doing, path, Options(layer="devices", crs="EPSG:4490", **options), told=told)
            if report.batch is not None:
                doing.commit()
        return report

    return run


def counted(session):
    ours = select(func.count()).where(Device.code.is_not(None))
    return session.scalar(ours), session.scalar(select(func.count()).select_from(ImportBatch))


def test_import__every_device_has_its_event__and_the_ledger_verifies(bring, session, services, admin):
    report = bring([row(number) for number in range(300)])
    assert (report.imported, counted(session)) == (300, (300, 1))
    told = admin.execute(
        "SELECT e.action, count(*), count(d.id) FROM ledger.event e"
        " LEFT JOIN core.device d ON d.id::text = e.subject_id AND e.subject_kind = 'device'"
        " AND convert_from(e.body, 'UTF8')::json ->> 'subject' = 'device ' || d.public_id GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert told == [("device.register", 300, 300), ("layer.import", 1, 0)]
    assert admin.execute("SELECT DISTINCT origin FROM ledger.event").fetchall() == [("legacy",)]
    assert seal_all(services.engine) == 301
    assert ledger.verify(services.engine).sealed.events == 301


def test_import__bad_rows_among_good_ones__told_each_and_left_out(bring, session, monkeypatch):
    monkeypatch.setattr("geo.intake.judging.SOME", 40)
    rows = [row(number, item="" if number % 10 == 3 else "ECO-01") for number in range(100)]
    rows[50] = row(50, lat=99)
    report = bring([*rows, row(4)], partly=True)
    bad = [entry.number for entry in report.rows if entry.refusals]
    assert bad == sorted([*range(4, 101, 10), 51, 101])
    assert report.rows[3].refusals[0].rule == "IR-1"
    assert report.rows[100].refusals[0].text == "layer.device_twice"
    assert (report.imported, report.refused, counted(session)[0]) == (89, 12, 89)


def test_import__one_bad_row_late_in_the_file__nothing(bring, session, admin, monkeypatch):
    monkeypatch.setattr("geo.intake.judging.SOME", 10)
    report = bring([*(row(number) for number in range(60)), row(60, item="")])
    assert (report.batch, report.refused, len(report.rows)) == (None, 1, 61)
    assert counted(session) == (0, 0)
    assert admin.execute("SELECT count(*) FROM ledger.event").fetchone() == (0,)


def test_import__interrupted__nothing_stays_and_it_starts_again(bring, session, admin, monkeypatch):
    monkeypatch.setattr("geo.intake.judging.SOME", 10)
    heard = []

    def stop(done, total):
        heard.append((done, total))
        if done == 40:
            raise KeyboardInterrupt

    rows = [row(number) for number in range(60)]
    with pytest.raises(KeyboardInterrupt):
        bring(rows, told=stop)
    assert heard == [(10, 60), (20, 60), (30, 60), (40, 60)]
    assert counted(session) == (0, 0)
    assert admin.execute("SELECT count(*) FROM ledger.event").fetchone() == (0,)
    assert bring(rows).imported == 60


def test_import__public_id_that_somebody_has__another_is_drawn(bring, session, admin, monkeypatch):
    drawn = iter(["DV-DV1", "DV-NEW22222", "DV-NEW22222", "DV-NEW33333"])
    monkeypatch.setattr(
        "geo.commands.devices.public_id", lambda prefix: next(drawn) if prefix == "DV" else public_id(prefix)
    )
    monkeypatch.setattr("geo.intake.batch.public_id", lambda prefix: next(drawn, None) or public_id(prefix))
    report = bring([row(1), row(2), row(3)])
    ids = [entry.public_ids[1] for entry in report.rows]
    assert len(set(ids)) == 3
    assert "DV-DV1" not in ids
    assert set(ids) == set(session.scalars(select(Device.public_id).where(Device.code.is_not(None))))


def test_import__into_few_rows__references_are_checked_by_their_index(bring, session, services):
    """A check planned while the table was small would read all of it for every row that comes."""
    assert bring([row(1)]).imported == 1
    started = time.perf_counter()
    assert bring([row(number) for number in range(2, 3002)]).imported == 3000
    assert time.perf_counter() - started < 30
    with services.session() as reading:
        assert reading.scalar(select(func.count()).select_from(DeviceSite)) > 3000
        assert reading.execute(text("SHOW enable_seqscan")).scalar() == "on"
