"""Layers imported into a real database: what is taken, what is refused, and what is recorded."""

import json
from datetime import UTC, date, datetime

import geopandas
import pytest
from geoalchemy2.shape import to_shape
from shapely.geometry import MultiPolygon, Point, Polygon, box
from sqlalchemy import func, select, text

from geo import commands
from geo.intake import LAYERS, Options, import_layer, judging
from schemas.actors import HOST
from schemas.refusals import RuleViolation
from schemas.tables import Authority, ContextFeature, Device, ImportBatch, PrivacyZone, SupervisedEntity

PIT = box(113.30, 23.15, 113.302, 23.152)
BOW_TIE = Polygon([(113.30, 23.15), (113.31, 23.16), (113.31, 23.15), (113.30, 23.16)])


@pytest.fixture
def bring(work, tmp_path):
    """Imports a file as D1 and commits where something was written."""

    def run(path, layer, code="D1", **options):
        with work(code) as doing:
            report = import_layer(doing, path, Options(layer=layer, **options))
            if report.batch is not None:
                doing.commit()
        json.dumps(report.render("zh"), allow_nan=False)
        return report

    return run


@pytest.fixture
def gpkg(tmp_path):
    def make(geoms, crs="EPSG:4490", **columns):
        path = tmp_path / "layer.gpkg"
        geopandas.GeoDataFrame(columns, geometry=list(geoms), crs=crs).to_file(path, driver="GPKG", engine="pyogrio")
        return path

    return make


@pytest.fixture
def csv(tmp_path):
    def make(content, encoding="utf-8"):
        path = tmp_path / "layer.csv"
        path.write_text(content, encoding=encoding)
        return path

    return make


def events(session, action="layer.import"):
    query = text("SELECT body, origin FROM ledger.event WHERE action = :action ORDER BY id")
    return [(json.loads(bytes(body)), origin) for body, origin in session.execute(query, {"action": action})]


def test_permits__a_gbk_shapefile_in_a_cgcs2000_zone__imported_in_chinese(bring, tmp_path, session):
    made = geopandas.GeoDataFrame(
        {
            "名称": ["甲采石场"],
            "许可证号": ["粤2025-1"],
            "类型": ["采石"],
            "有效期起": ["2025/1/1"],
            "有效期至": ["2026.12.31"],
        },
        geometry=[PIT],
        crs="EPSG:4326",
    ).to_crs("EPSG:4547")
    path = tmp_path / "permits.shp"
    made.to_file(path, engine="pyogrio", encoding="GBK")
    report = bring(path, "permits")
    assert (report.imported, report.refused, report.encoding) == (1, 0, "gb18030")
    assert report.crs.startswith("EPSG:4547")
    row = session.scalars(select(ContextFeature).where(ContextFeature.layer == "permits")).one()
    assert (row.name, row.number, row.kind) == ("甲采石场", "粤2025-1", "quarry")
    assert (row.valid_from, row.valid_to, row.origin) == (date(2025, 1, 1), date(2026, 12, 31), "legacy")
    assert to_shape(row.geom).equals_exact(PIT, 1e-8, normalize=True)
    ((body, origin),) = events(session)
    assert (body["imported"], body["refused"], origin) == (1, 0, "legacy")
    assert body["sha256"] == report.sha256


def test_bad_rows__taken_partly__refused_with_their_reasons_and_good_ones_taken(bring, gpkg, session):
    geoms = [PIT, BOW_TIE, None, Point(113.3, 23.1), PIT, PIT, PIT]
    numbers = ["1", "2", "3", "4", None, "6", "7"]
    kinds = ["quarry", "quarry", "quarry", "mining", "quarry", "quarry", None]
    starts = ["2025-01-01"] * 5 + ["2025-02-30", "2025-01-01"]
    path = gpkg(geoms, permit_no=numbers, kind=kinds, valid_from=starts)
    report = bring(path, "permits", partly=True)
    assert [row.outcome for row in report.rows] == [
        "imported",
        "refused",
        "refused",
        "imported",
        "refused",
        "refused",
        "refused",
    ]
    rules = {row.number: {r.rule for r in row.refusals} for row in report.rows if row.refusals}
    assert rules[2] == {"geometry.invalid"}
    assert rules[3] == {"geometry.empty"}
    assert rules[5] == rules[6] == rules[7] == {"layer.field"}
    batch = session.scalars(select(ImportBatch)).one()
    assert (batch.rows_imported, batch.rows_refused) == (2, 5)
    assert session.scalar(select(func.count()).select_from(ContextFeature)) == 2


@pytest.mark.parametrize("layer", ["permits", "protected", "water", "farmland", "residential", "entities"])
def test_one_bad_row__nothing_of_the_file_is_imported(bring, gpkg, session, layer):
    told = {"name": ["a", "b"], "kind": ["quarry"] * 2, "registration_code": ["1", "2"]}
    report = bring(gpkg([PIT, BOW_TIE], **told), layer)
    assert (report.batch, report.imported, report.refused) == (None, 0, 1)
    assert [row["outcome"] for row in report.render()["rows"]] == ["good", "refused"]
    assert report.render()["rows"][0]["ids"] == []
    assert session.scalars(select(ImportBatch)).all() == []
    assert events(session) == []


def test_the_same_file_again__refused_whole__every_row_is_told_again(bring, gpkg, session):
    path = gpkg([PIT, BOW_TIE], name=["a", "b"])
    assert bring(path, "water").rows == bring(path, "water").rows
    assert bring(path, "water", partly=True).imported == 1


def test_the_same_file_again__taken_partly__tells_which_rows_were_left_out(bring, gpkg, session):
    path = gpkg([PIT, BOW_TIE, PIT, PIT], permit_no=["1", "2", "3", "4"], kind=["quarry", "quarry", "=A1", None])
    first = bring(path, "permits", partly=True)
    again = bring(path, "permits", partly=True)
    assert (again.batch, again.before, again.imported) == (None, first.batch, 0)
    for lang in ("en", "zh"):
        kept = [row.render(lang) for row in first.rows if row.refusals]
        assert [row["row"] for row in kept] == [2, 3, 4]
        for row, was in zip(again.render(lang)["rows"], kept, strict=True):
            assert [r["message"] for r in row["refusals"]] == [r["message"] for r in was["refusals"]]
    assert again.notes[0].text == "layer.twice_partly"
    assert (again.notes[0].measured, again.notes[0].required) == (3, 4)
    assert session.scalar(select(func.count()).select_from(ImportBatch)) == 1


def test_columns_that_are_not_known__named_where_nobody_keeps_them(bring, csv, gpkg):
    entities = csv("registration_code,name,lon,lat,备注,\n9144,a,113.26,23.13,x,\n")
    assert bring(entities, "entities", crs="EPSG:4490").left_aside == ("备注",)
    assert bring(gpkg([PIT], name=["a"], remark=["x"]), "water").left_aside == ()


def test_all_rows_bad__nothing_is_written(bring, gpkg, session):
    assert bring(gpkg([BOW_TIE], name=["a"]), "water").batch is None
    assert events(session) == []


def test_the_same_file_twice__refused_the_second_time(bring, gpkg):
    path = gpkg([PIT], name=["a"])
    first = bring(path, "farmland")
    with pytest.raises(RuleViolation) as caught:
        bring(path, "farmland")
    assert caught.value.status == 409
    assert caught.value.refusals[0].params["batch"] == first.batch
    assert bring(path, "water").imported == 1


@pytest.mark.parametrize("code", ["F1", "O1", "H1", "X1", "SYSTEM"])
def test_context_layers__imported_by_the_data_administrator_only(bring, gpkg, code):
    with pytest.raises(RuleViolation) as caught:
        bring(gpkg([PIT], name=["a"]), "permits", code=code)
    assert caught.value.status == 403


def test_context__a_shape_of_another_kind__refused(bring, gpkg):
    report = bring(gpkg([Point(113.3, 23.1)], name=["a"]), "water")
    assert report.rows[0].refusals[0].rule == "geometry.type"


def test_context__what_no_field_carries__is_kept(bring, gpkg, session):
    bring(gpkg([PIT], name=["a"], height=[3.5], remark=["x"]), "protected")
    assert session.scalars(select(ContextFeature.attributes)).one() == {"height": 3.5, "remark": "x"}


def test_placed_far_outside_the_earth__its_row_is_refused(bring, gpkg):
    path = gpkg([box(1e12, 1e12, 2e12, 2e12), PIT], crs="EPSG:4547", name=["a", "b"])
    report = bring(path, "protected")
    assert report.rows[0].refusals[0].text == "layer.outside_area"


@pytest.mark.parametrize(
    ("geom", "really", "said"),
    [
        (PIT, "EPSG:4526", "EPSG:4547"),  # eastings with the number of their zone, said to be without it
        (PIT, "EPSG:4547", "EPSG:4526"),  # and the other way round
        (PIT, "EPSG:4490", "EPSG:4547"),  # degrees taken for metres
        (box(23.13, 80.0, 23.132, 80.002), "EPSG:4490", "EPSG:4490"),  # latitude first, in the west of the country
        (box(0.0, 0.0, 0.01, 0.01), "EPSG:4490", "EPSG:4490"),
    ],
)
def test_numbers_of_another_system_than_the_file_says__refused(bring, gpkg, geom, really, said):
    written = geopandas.GeoSeries([geom], crs="EPSG:4490").to_crs(really)
    (row,) = bring(gpkg(written, crs=said, name=["a"]), "protected").rows
    assert [(one.rule, one.text) for one in row.refusals] == [("geometry.crs", "layer.outside_area")]


@pytest.mark.parametrize("crs", ["EPSG:4547", "EPSG:32650", "EPSG:3857", "EPSG:4490"])
def test_a_place_beside_the_zone_of_its_grid__taken(bring, gpkg, crs):
    written = geopandas.GeoSeries([PIT], crs="EPSG:4326").to_crs(crs)
    assert bring(gpkg(written, crs=crs, name=["a"]), "protected").imported == 1


def test_a_shape_across_the_180th_meridian__refused_whole_and_taken_split(bring, gpkg):
    whole = Polygon([(179.9, 10), (-179.9, 10), (-179.9, 10.1), (179.9, 10.1)])
    split = MultiPolygon([box(179.9, 10, 180, 10.1), box(-180, 10, -179.9, 10.1)])
    report = bring(gpkg([whole, split], crs="EPSG:4326", name=["a", "b"]), "protected")
    assert [[one.rule for one in row.refusals] for row in report.rows] == [["geometry.antimeridian"], []]


def test_places_where_no_rules_are_in_force__taken_and_told(bring, gpkg):
    path = gpkg([PIT, box(23.13, 80.0, 23.14, 80.01), BOW_TIE], crs="EPSG:4326", name=["a"] * 3)
    report = bring(path, "protected", partly=True)
    assert report.imported == 2
    assert [(note.rule, note.measured, note.params["rows"]) for note in report.notes] == [("layer.stray", 1, "2")]


@pytest.mark.parametrize(
    ("crs", "rule"), [("EPSG:4490", None), ("EPSG:2435", "layer.accuracy"), ("EPSG:4214", "layer.accuracy")]
)
def test_a_datum_with_a_coarse_way_to_wgs_84__told(bring, gpkg, crs, rule):
    written = geopandas.GeoSeries([PIT], crs="EPSG:4326").to_crs(crs)
    notes = bring(gpkg(written, crs=crs, name=["a"]), "protected").notes
    assert [note.rule for note in notes] == ([rule] if rule else [])


def test_latitude_first__told_as_such(bring, gpkg):
    report = bring(gpkg([box(23.13, 113.26, 23.14, 113.27)], crs="EPSG:4326", name=["a"]), "protected")
    assert [one.text for one in report.rows[0].refusals] == ["geometry.swapped"]
    assert report.rows[0].refusals[0].measured == "23.14, 113.26"


def test_a_file_without_rows__refused(bring, csv):
    with pytest.raises(RuleViolation) as caught:
        bring(csv("registration_code,name,lon,lat\n"), "entities", crs="EPSG:4326")
    assert caught.value.refusals[0].rule == "layer.empty"


def test_a_number_without_end_in_a_column__left_out(bring, gpkg, session):
    bring(gpkg([PIT], name=["a"], depth=[float("inf")], width=[2.5]), "water")
    assert session.scalars(select(ContextFeature.attributes)).one() == {"width": 2.5}


def test_zones__without_end_as_registers_write_it__hold_for_ever(bring, gpkg, session):
    assert bring(gpkg([PIT], name=["a"], kind=["toilet"], valid_to=["9999-12-31"]), "zones").imported == 1
    assert session.scalars(select(PrivacyZone.valid_to).where(PrivacyZone.name_en == "a")).all() == [None]


def test_a_sliver_and_too_many_parts_and_vertices__refused(bring, gpkg):
    sliver = Polygon([(113.3, 23.15), (113.300001, 23.15), (113.300001, 23.150001)])
    parts = MultiPolygon([box(113 + i * 1e-3, 23, 113 + i * 1e-3 + 5e-4, 23.0005) for i in range(1001)])
    round_one = Point(113.3, 23.15).buffer(0.01, quad_segs=2600)
    report = bring(gpkg([sliver, parts, round_one], name=["a", "b", "c"]), "protected")
    assert [row.refusals[0].rule for row in report.rows] == [
        "geometry.degenerate",
        "geometry.too_many_parts",
        "geometry.too_many_vertices",
    ]


def test_gcj_02__confessed_by_a_column__the_whole_file_is_refused(bring, csv):
    path = csv("registration_code,name,lon,lat,gcj02_lon\n1,a,113.2,23.1,113.3\n")
    with pytest.raises(RuleViolation) as caught:
        bring(path, "entities", crs="EPSG:4326")
    assert caught.value.refusals[0].text == "layer.offset"


def test_entities__from_a_table__each_code_once(bring, csv, session):
    path = csv(
        "统一社会信用代码,名称,地址,经度,纬度\n91A,甲厂,河边1号,113.26,23.13\n91A,乙厂,,113.27,23.13\n,丙厂,,113.27,23.13\n"
    )
    report = bring(path, "entities", crs="EPSG:4490", partly=True)
    assert [row.outcome for row in report.rows] == ["imported", "refused", "refused"]
    assert report.rows[1].refusals[0].rule == "layer.duplicate"
    row = session.scalars(select(SupervisedEntity)).one()
    assert (row.registration_code, row.name, row.address) == ("91A", "甲厂", "河边1号")
    again = csv("registration_code,name,lon,lat\n91A,x,113.1,23.1\n91B,y,113.1,23.1\n")
    taken = bring(again, "entities", crs="EPSG:4326", partly=True)
    assert [row.outcome for row in taken.rows] == ["refused", "imported"]


def test_zones__in_chinese_with_a_last_day__checked_from_then_on(bring, gpkg, session):
    path = gpkg(
        [PIT, MultiPolygon([box(113.31, 23.1, 113.312, 23.102), box(113.32, 23.1, 113.322, 23.102)])],
        名称=["甲宿舍", "乙"],
        类型=["集体宿舍", "castle"],
        有效期起=["2025-06-01", "2025-06-01"],
        有效期止=["2026-05-31", None],
    )
    report = bring(path, "zones", partly=True)
    assert [row.outcome for row in report.rows] == ["imported", "refused"]
    zone = session.scalars(select(PrivacyZone).where(PrivacyZone.name_zh == "甲宿舍")).one()
    assert (zone.kind, zone.source, zone.origin) == ("dormitory", "survey", "legacy")
    assert zone.valid_from == datetime(2025, 5, 31, 16, 0, tzinfo=UTC)
    assert zone.valid_to == datetime(2026, 5, 31, 16, 0, tzinfo=UTC)


def test_zones__a_feature_of_two_parts__two_zones(bring, gpkg, session):
    both = MultiPolygon([box(113.31, 23.1, 113.312, 23.102), box(113.32, 23.1, 113.322, 23.102)])
    report = bring(gpkg([both], name=["a"], kind=["toilet"], buffer=[5.0]), "zones", code="H1")
    assert len(report.rows[0].public_ids) == 2
    assert session.scalar(select(func.count()).select_from(PrivacyZone).where(PrivacyZone.buffer_m == 5.0)) == 2


def test_zones__where_no_rules_apply_or_that_contradict_themselves__refused(bring, gpkg):
    path = gpkg(
        [box(0, 50, 0.1, 50.1), PIT, PIT],
        crs="EPSG:4326",
        name=["a", "b", "c"],
        kind=["toilet"] * 3,
        buffer=[0.0, 5_000.0, 0.0],
        valid_from=["2025-01-01", "2025-01-01", "2025-06-02"],
        valid_to=[None, None, "2025-05-01"],
    )
    report = bring(path, "zones")
    assert [row.refusals[0].rule for row in report.rows] == ["GD-02.1", "GD-15", "GD-15"]


DEVICES = "名称,设备类型,用途,设置地点,事项编码,经度,纬度\n"


def test_devices__registered_under_their_authority(bring, csv, session):
    path = csv(DEVICES + "甲,视频,监控排口,河边,ECO-01,113.262,23.131\n")
    report = bring(path, "devices", crs="EPSG:4490", authority="A1")
    assert report.imported == 1
    device = session.scalars(select(Device).where(Device.name == "甲")).one()
    assert (device.state, device.version, device.device_type) == ("registered", 1, "video")
    assert (device.origin, device.purpose_zh) == ("legacy", "监控排口")
    assert report.rows[0].public_ids[1] == device.public_id
    assert len(events(session)) == 1


def test_devices__judged_by_the_guards_of_registration(bring, csv, session):
    rows = (
        "甲,视频,用途,河边,NOPE,113.262,23.131\n乙,视频,用途,河边,,113.262,23.131\n丙,视频,用途,河边,ECO-01,0.0,50.0\n"
    )
    report = bring(csv(DEVICES + rows), "devices", crs="EPSG:4326", authority="A1")
    assert [{r.rule for r in row.refusals} for row in report.rows] == [{"IR-1"}, {"IR-1"}, {"GD-02.1"}]
    assert session.scalars(select(Device).where(Device.origin == "legacy")).all() == []


def test_devices__an_item_for_the_whole_file(bring, csv):
    path = csv(DEVICES + "乙,视频,用途,河边,,113.262,23.131\n")
    assert bring(path, "devices", crs="EPSG:4490", authority="A1", item="ECO-01").imported == 1


@pytest.mark.parametrize(
    ("options", "status"),
    [({}, 422), ({"authority": "NOBODY"}, 404), ({"authority": "A1", "item": "NONE"}, 404)],
)
def test_devices__nobody_s_or_of_an_unknown_item__refused(bring, csv, options, status):
    path = csv(DEVICES + "乙,视频,用途,河边,,113.262,23.131\n")
    with pytest.raises(RuleViolation) as caught:
        bring(path, "devices", crs="EPSG:4490", **options)
    assert caught.value.status == status


SEEING = "name,device_type,purpose,place_text,item,lon,lat,azimuth,hfov,range\n"


@pytest.mark.parametrize(
    ("seen", "refused"), [("720,70,-5", 2), ("90,400,1e12", 2), ("90,0,50", 1), ("1e999,70,50", 1), ("0,360,50", 0)]
)
def test_devices__that_could_not_see_so__refused(bring, csv, seen, refused):
    path = csv(f"{SEEING}a,video,p,t,ECO-01,113.262,23.131,{seen}\n")
    (row,) = bring(path, "devices", crs="EPSG:4490", authority="A1").rows
    assert [one.rule for one in row.refusals] == ["layer.field"] * refused


def test_a_row_that_the_database_refuses__is_a_refusal_and_nothing_stays(bring, gpkg, session, monkeypatch):
    monkeypatch.setattr(judging, "refuse_shape", lambda *_: None)
    with pytest.raises(RuleViolation) as caught:
        bring(gpkg([PIT, BOW_TIE], name=["a", "b"]), "protected")
    assert caught.value.refusals[0].rule == "DC-4"
    assert session.scalars(select(ContextFeature)).all() == []


def test_devices__every_fault_of_a_row_is_told(bring, csv):
    path = csv(DEVICES + ",telescope,,,,113.262,23.131\n")
    report = bring(path, "devices", crs="EPSG:4490", authority="A1")
    assert len(report.rows[0].refusals) == 4


def test_a_file_of_no_known_format__refused(bring, tmp_path):
    for name, content in (("a.kml", b"<kml/>"), ("a.tif", b"II*\x00"), ("a.shp", b"<vrt/>"), ("a.geojson", b"\xff")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(RuleViolation):
            bring(path, "permits")


def test_a_layer_that_does_not_exist__refused(bring, csv):
    with pytest.raises(RuleViolation) as caught:
        bring(csv("lon,lat\n"), "rumours")
    assert caught.value.refusals[0].rule == "layer.unknown"


def test_every_layer_has_columns_with_synonyms():
    of_law = {"permits", "protected", "water", "farmland", "entities", "devices", "zones", "authorities"}
    assert set(LAYERS) == of_law | {"residential", "poles"}


def test_poles__points_with_a_number__where_a_camera_could_hang(bring, csv, session):
    assert bring(csv("lon,lat,number\n113.26,23.13,P-1\n113.27,23.13,P-2\n"), "poles", crs="EPSG:4326").imported == 2
    rows = session.scalars(select(ContextFeature).where(ContextFeature.layer == "poles")).all()
    assert {row.name for row in rows} == {"P-1", "P-2"}


def test_poles__an_area__refused(bring, gpkg):
    assert bring(gpkg([PIT], name=["a"]), "poles").imported == 0


# -- authorities ------------------------------------------------------------------------------------------


@pytest.fixture
def host_brings(services):
    """Imports a file as those who run the installation."""

    def run(path, layer, **options):
        with services.work(HOST) as doing:
            report = import_layer(doing, path, Options(layer=layer, **options))
            if report.batch is not None:
                doing.commit()
        return report

    return run


COUNTY = {"code": ["B7"], "name": ["北江区生态环境局"], "level": ["区"], "address": ["1 Road"], "contact": ["12369"]}


def test_GD_02_2__authorities__come_with_where_they_may_act(host_brings, gpkg, session):
    assert host_brings(gpkg([PIT], **COUNTY), "authorities").imported == 1
    made = session.scalars(select(Authority).where(Authority.code == "B7")).one()
    assert (made.name_zh, made.level, made.authority_type) == ("北江区生态环境局", "county", "department")
    assert to_shape(made.jurisdiction).equals_exact(MultiPolygon([PIT]), 1e-6)
    assert made.contact_person is None
    devices = host_brings(
        gpkg(
            [Point(113.301, 23.151)],
            name=["C1"],
            type=["camera"],
            item=["ECO-01"],
            purpose=["监控排口"],
            place_text=["排口"],
        ),
        "devices",
        authority="B7",
    )
    assert [refusal.rule for row in devices.rows for refusal in row.refusals] == []


def test_GD_41_1__authority__says_whom_to_ask(host_brings, gpkg, session):
    assert host_brings(gpkg([PIT], **COUNTY, 联系人=["值班室"]), "authorities").imported == 1
    assert session.scalars(select(Authority.contact_person).where(Authority.code == "B7")).one() == "值班室"


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"code": ["A1"]}, "layer.duplicate"),
        ({"level": ["galaxy"]}, "layer.field"),
        ({"contact": [None]}, "layer.field"),
    ],
)
def test_authorities__taken_code_or_missing_word__row_refused(host_brings, gpkg, changed, rule):
    report = host_brings(gpkg([PIT], **COUNTY | changed), "authorities")
    assert report.batch is None
    assert [refusal.rule for refusal in report.rows[0].refusals] == [rule]


def test_authorities__entered_by_somebody_signed_in__403(bring, gpkg):
    with pytest.raises(RuleViolation) as caught:
        bring(gpkg([PIT], **COUNTY), "authorities")
    assert caught.value.status == 403


# -- the command line -------------------------------------------------------------------------------------


@pytest.fixture
def run(services):
    from click.testing import CliRunner

    from web.cli.common import State
    from web.cli.layer import layer

    def call(*arguments, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(layer, ["import", *map(str, arguments)], obj=state)

    return call


def test_command__a_zone_over_a_device_in_use__blocks_it_and_says_so(run, work, gpkg):
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    path = gpkg([box(113.2595, 23.1295, 113.2605, 23.1305), PIT], name=["a", "b"], kind=["toilet", "toilet"])
    report = json.loads(run(path, "--layer", "zones", "--json").output)
    assert (report["imported"], report["blocked"]) == (2, ["device DV-DV1"])


def test_command__json__the_whole_report(run, gpkg):
    result = run(gpkg([PIT, BOW_TIE], name=["a", "b"]), "--layer", "protected", "--partly", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert (report["imported"], report["refused"], report["rows"][1]["outcome"]) == (1, 1, "refused")
    assert report["rows"][1]["refusals"][0]["rule"] == "geometry.invalid"


def test_command__text__refused_rows_with_their_fix(run, gpkg):
    result = run(gpkg([PIT, BOW_TIE], name=["a", "b"]), "--layer", "protected", "--partly", lang="zh")
    assert result.exit_code == 0, result.output
    assert "已识别的列：name = name" in result.output
    assert "第 2 行" in result.output
    assert "已导入 1 行" in result.output


def test_command__nothing_imported__ends_with_1_and_names_the_way_out(run, gpkg):
    result = run(gpkg([PIT, BOW_TIE], name=["a", "b"]), "--layer", "protected")
    assert result.exit_code == 1
    assert "nothing was imported, because one bad row keeps all out; refused 1 of 2" in result.output
    assert "--partly takes the good rows alone: 1" in result.output


def test_command__partly__says_so__and_the_same_file_again_tells_the_rows(run, gpkg):
    path = gpkg([PIT, BOW_TIE], name=["a", "b"])
    first = run(path, "--layer", "protected", "--partly")
    assert (first.exit_code, "left out, as --partly asks: 1;" in first.output) == (0, True)
    again = run(path, "--layer", "protected")
    assert again.exit_code == 1
    assert "without 1 of its 2 rows" in again.output
    assert "row 2:" in again.output


def test_command__a_whole_file_refused__tells_the_rule(run, csv):
    result = run(csv("name,lon,lat\n"), "--layer", "entities")
    assert isinstance(result.exception, RuleViolation)
