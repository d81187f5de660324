"""Cameras of several departments in one file: each is registered once, and those that share it are kept (S01)."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from geo.intake import Options, import_layer
from schemas.refusals import RuleViolation
from schemas.tables import Authority, Device, DeviceShare
from tests.world import World
from web.cli.common import State
from web.cli.layer import layer

HEAD = "name,device_type,purpose,place_text,item,device_code,authority,lon,lat\n"
DEPARTMENTS = ("A1", "A2", "B1", "B2", "B3")


@pytest.fixture
def departments(admin, services):
    """Three more departments beside A1 and A2."""
    with services.housekeeping() as session:
        world = World(session)
        for code in ("B1", "B2", "B3"):
            world.authority(code, "county")


@pytest.fixture
def bring(work, tmp_path):
    def run(rows, code="D1", head=HEAD, **options):
        path = tmp_path / f"cameras{len(list(tmp_path.glob('*.csv')))}.csv"
        path.write_text(head + "".join(rows), encoding="utf-8")
        with work(code) as doing:
            report = import_layer(doing, path, Options(layer="devices", crs="EPSG:4490", **options))
            if report.batch is not None:
                doing.commit()
        return report

    return run


def row(number, authority, code=None, *, lon=None, lat=23.131):
    place = lon if lon is not None else 113.26 + number * 1e-4
    return f"camera {number},video,outfalls,bank,ECO-01,{code or f'3701{number:016d}'},{authority},{place:.6f},{lat}\n"


def told(report):
    return [[refusal.text for refusal in entry.refusals] for entry in report.rows]


def test_S01__two_hundred_cameras_of_five_departments__duplicates_merged(bring, departments, session):
    rows = [row(number, DEPARTMENTS[number % 5]) for number in range(200)]
    again = [row(number, DEPARTMENTS[(number + 1) % 5]) for number in range(0, 200, 10)]
    report = bring(rows + again)
    assert (report.imported, report.refused) == (220, 0)
    assert session.scalar(select(func.count()).where(Device.code.is_not(None))) == 200
    shared = session.execute(
        select(Device.code, Authority.code)
        .join(DeviceShare, DeviceShare.device_id == Device.id)
        .join(Authority, Authority.id == DeviceShare.authority_id)
        .order_by(Device.code)
    ).all()
    assert len(shared) == 20
    assert shared[1] == (f"3701{10:016d}", "A2")


def test_S01__another_file_with_the_same_camera__one_more_sharer(bring, departments, session):
    bring([row(1, "A1")])
    assert bring([row(1, "B1"), row(1, "B2")]).imported == 2
    assert session.scalar(select(func.count()).where(Device.code.is_not(None))) == 1
    report = bring([row(1, "B1"), row(1, "A1")])
    assert told(report) == [["layer.device_twice"]] * 2
    assert report.batch is None


def test_S01__merged_rows__told_with_the_device_they_went_into(bring, departments, session):
    first = bring([row(1, "A1"), row(2, "A1"), row(1, "B1")])
    assert (first.imported, first.merged) == (3, 1)
    merged = first.rows[2]
    assert merged.merged_into == first.rows[0].public_ids[1]
    assert [note.text for note in merged.notes] == ["layer.device_merged"]
    assert "row 1 " in merged.notes[0].message()
    assert "行 1" in merged.notes[0].message("zh")
    again = bring([row(2, "B2")]).rows[0]
    assert first.rows[1].public_ids[1] in again.notes[0].message()


def test_S01__merged_rows_of_a_file_that_is_refused__no_id_of_what_is_not_there(bring, departments, session):
    report = bring([row(1, "A1"), row(1, "B1"), row(2, "ZZ")])
    assert report.batch is None
    assert [entry.public_ids for entry in report.rows] == [()] * 3
    assert (report.rows[1].merged, report.rows[1].merged_into, report.merged) == (True, None, 0)
    assert "DV-" not in json.dumps(report.render())


@pytest.mark.parametrize(("change", "text"), [(("video", "air"), "device_type"), (("fixed", "uav"), "platform")])
def test_S01__same_code_of_another_kind__refused(bring, departments, session, change, text):
    head = HEAD.replace("device_type", "device_type,platform")
    rows = [row(1, "A1").replace("video", "video,fixed"), row(1, "B1").replace("video", "video,fixed")]
    report = bring([rows[0], rows[1].replace(*change)], head=head)
    assert told(report) == [[], ["layer.device_other"]]
    refusal = report.rows[1].refusals[0]
    assert (refusal.required, refusal.measured) == change
    assert session.scalar(select(func.count()).where(Device.code.is_not(None))) == 0


def test_S01__same_code_by_another_name__one_device__both_names_told_and_kept(bring, departments, session):
    report = bring([row(1, "A1"), row(1, "B1").replace("camera 1", "bridge west"), row(1, "B2").replace("ca", "CA")])
    assert [note.text for note in report.rows[1].notes] == ["layer.device_merged", "layer.device_renamed"]
    assert [note.text for note in report.rows[2].notes] == ["layer.device_merged"]
    assert "bridge west" in report.rows[1].notes[1].message()
    assert sorted(session.scalars(select(DeviceShare.name))) == ["CAmera 1", "bridge west"]


def test_GD_14_6__code_of_another_department_s_secret_device__nothing_of_it_told(bring, departments, session, admin):
    ours = bring([row(1, "A1")]).rows[0].public_ids[1]
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        "UPDATE core.device SET secret = true, secret_document = 'd', secret_authority = 'a', secret_level = 'l',"
        " secret_until = '2030-01-01' WHERE public_id = %s",
        [ours],
    )
    admin.execute("SET session_replication_role = origin")
    report = bring([row(1, "B1").replace("video", "air"), row(1, "B2", lon=113.3), row(1, "A1")])
    assert told(report) == [["layer.code_in_use"], ["layer.code_in_use"], ["layer.device_twice"]]
    assert not any(word in json.dumps(report.render()["rows"][:2]) for word in (ours, "video", " m"))
    assert session.scalar(select(func.count()).select_from(DeviceShare)) == 0


def test_S01__command__merges_and_columns_left_aside_in_words(services, departments, tmp_path):
    path = tmp_path / "cameras.csv"
    more = "".join(f",extra{number}" for number in range(190))
    lines = [HEAD.strip() + more, *(line.strip() + ",x" * 190 for line in (row(1, "A1"), row(1, "B1")))]
    path.write_text("\n".join(lines), encoding="utf-8")
    state = State("en")
    state._services = services
    told = CliRunner().invoke(layer, ["import", str(path), "--layer", "devices", "--crs", "EPSG:4490"], obj=state)
    assert told.exit_code == 0, told.output
    assert "1 new, 1 merged into devices that were there before" in told.output
    assert "row 2: One device with row 1" in told.output
    assert "left aside: extra0, extra1" in told.output
    assert "and 170 more" in told.output


def test_S01__same_code_elsewhere__told_with_the_distance(bring, session):
    report = bring([row(1, "A1"), row(1, "A2", lon=113.2606), row(1, "A2", lon=113.2603)])
    assert told(report) == [[], ["layer.device_elsewhere"], []]
    assert report.rows[1].refusals[0].measured == "51 m"


def test_devices__of_another_department__left_to_the_data_administration(bring):
    report = bring([row(1, "A1"), row(2, "A2"), row(3, "A9")], code="N1")
    assert told(report) == [[], ["layer.authority_other"], ["layer.authority_unknown"]]


def test_devices__neither_in_the_row_nor_for_the_file__told(bring):
    assert told(bring([row(1, "")])) == [["layer.field_missing"]]
    assert bring([row(1, "")], authority="A1").imported == 1
    head = HEAD.replace("authority,", "")
    with pytest.raises(RuleViolation) as caught:
        bring(["camera,video,p,t,ECO-01,1,113.26,23.13\n"], head=head)
    assert caught.value.refusals[0].text == "layer.authority_missing"


def test_devices__swapped_coordinates__told_row_by_row_and_nothing_is_imported(bring, session):
    rows = [row(1, "A1"), row(2, "A1", lon=23.131, lat=113.26)]
    report = bring(rows)
    assert [bool(texts) for texts in told(report)] == [False, True]
    assert session.scalar(select(func.count()).where(Device.code.is_not(None))) == 0


def test_devices__gcj_02__file_refused(bring):
    head = HEAD.replace("lon,lat", "gcj_lon,gcj_lat")
    with pytest.raises(RuleViolation, match=r"geometry\.crs: "):
        bring([row(1, "A1")], head=head)
