"""Shapefiles, loose and zipped, in any code page, read without a database."""

import shutil
import zipfile

import pytest

from geo.intake.columns import match
from geo.intake.vector import SHP_MAGIC, known_encoding, read_shapefile
from schemas.limits import LIMITS
from schemas.refusals import RuleViolation
from tests.unit.geo.layer_files import FIELD, dbf, frame, refusal, shapefile, zipped


def test_shapefile__gbk_by_its_cpg__read_in_chinese(tmp_path):
    table = read_shapefile(shapefile(tmp_path, frame()), None, None)
    assert table.columns == ("名称", "许可证号")
    assert table.rows[0].values == {"名称": "甲采石场", "许可证号": "粤2025-1"}
    assert table.rows[0].geom.equals(FIELD)
    assert (table.encoding, table.crs) == ("gb18030", "EPSG:4490")


def test_shapefile__zipped_in_a_folder__read(tmp_path):
    path = zipped(shapefile(tmp_path, frame()), tmp_path / "a.zip", folder="资料/")
    assert read_shapefile(path, None, None).rows[0].values["名称"] == "甲采石场"


def test_shapefile__no_code_page_but_chinese__refused_until_it_is_named(tmp_path):
    path = shapefile(tmp_path, frame())
    path.with_suffix(".cpg").unlink()
    with pytest.raises(RuleViolation) as caught:
        read_shapefile(path, None, None)
    assert refusal(caught).text == "layer.encoding_missing"
    assert read_shapefile(path, None, "GBK").rows[0].values["名称"] == "甲采石场"


def test_shapefile__no_code_page_and_plain_ascii__read(tmp_path):
    path = shapefile(tmp_path, frame(name=["Quarry"]))
    path.with_suffix(".cpg").unlink()
    assert read_shapefile(path, None, None).rows[0].values == {"name": "Quarry"}


def test_shapefile__language_byte_of_the_dbf__is_enough(tmp_path):
    path = shapefile(tmp_path, frame())
    path.with_suffix(".cpg").unlink()
    with path.with_suffix(".dbf").open("r+b") as table:
        table.seek(29)
        table.write(b"\x4d")
    assert read_shapefile(path, None, None).rows[0].values["名称"] == "甲采石场"


def test_shapefile__text_that_is_not_in_the_code_page_it_claims__refused(tmp_path):
    path = shapefile(tmp_path, frame())
    path.with_suffix(".cpg").write_text("UTF-8")
    with pytest.raises(RuleViolation) as caught:
        read_shapefile(path, None, None)
    assert refusal(caught).text == "layer.encoding_wrong"


def test_shapefile__one_cell_in_another_code_page__its_row_alone_is_refused(tmp_path):
    path = shapefile(tmp_path, frame(geoms=(FIELD, FIELD), name=["Quarry", "甲采石场"]), encoding="GBK")
    path.with_suffix(".cpg").write_text("UTF-8")
    rows = read_shapefile(path, None, None).rows
    assert (rows[0].values, rows[0].refusals) == ({"name": "Quarry"}, ())
    assert [one.text for one in rows[1].refusals] == ["layer.encoding_cell"]
    for lang in ("en", "zh"):
        assert "utf-8" in rows[1].refusals[0].render(lang)["message"]


def test_shapefile__a_text_cut_off_within_a_character__its_row_is_refused(tmp_path):
    path = shapefile(tmp_path, frame(geoms=(FIELD, FIELD), name=["甲" * 84, "乙"]), encoding="UTF-8")
    table = path.with_suffix(".dbf")
    table.write_bytes(table.read_bytes().replace("甲".encode() * 84, "甲".encode() * 83 + b"\xe7\x94 "))
    first, second = read_shapefile(path, None, None).rows
    assert [one.text for one in first.refusals] == ["layer.encoding_cell"]
    assert second.values == {"name": "乙"}


@pytest.mark.parametrize("encoding", ["gbk", "utf-8", "big5", "gb18030"])
def test_shapefile__every_byte_of_a_code_page__is_read_as_it_was_written(tmp_path, encoding):
    codes = "".join(map(chr, range(0x4E00, 0x9FA5)))
    rare = [c for c in codes if c.encode(encoding, "ignore")[-1:] in (b"\x85", b"\xa0", b"\x80", b"|", b"\\")]
    path = shapefile(tmp_path, frame())
    for text in ("".join(rare[:10]), "".join(rare[-10:]), "鬼"):
        dbf(path, encoding, name=text)
        assert read_shapefile(path, None, None).rows[0].values == {"name": text}


PERMIT = {"统一社会信用代码": "91A", "许可证编号": "粤1", "有效期开始": "2025-01-01", "有效期止": "2026-01-01"}


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_shapefile__names_cut_after_ten_bytes__known_by_what_is_left(tmp_path, encoding):
    path = shapefile(tmp_path, frame())
    dbf(path, encoding, **PERMIT)
    table = read_shapefile(path, None, None)
    found = match(table.columns, ("registration_code", "number", "valid_from", "valid_to"), table.kept)
    assert [table.rows[0].values[column] for column in found.values()] == list(PERMIT.values())
    dbf(path, encoding, registration_code="91A", entity_type="mill")
    table = read_shapefile(path, None, None)
    found = match(table.columns, ("registration_code", "entity_type"), table.kept)
    assert found == {"registration_code": "registrati", "entity_type": "entity_typ"}


def test_shapefile__a_name_cut_so_that_it_could_be_two__refused(tmp_path):
    path = shapefile(tmp_path, frame())
    dbf(path, "utf-8", 有效期至="2026-01-01")  # of 起, the first day, the same byte is left
    table = read_shapefile(path, None, None)
    with pytest.raises(RuleViolation) as caught:
        match(table.columns, ("valid_from", "valid_to"), table.kept)
    assert refusal(caught).required == "valid_from / valid_to"


def test_names_that_no_format_cuts__must_be_whole():
    assert match(("registrati",), ("registration_code",)) == {}


def test_shapefile__parts_of_different_exports__refused(tmp_path):
    path = shapefile(tmp_path, frame(geoms=(FIELD, FIELD), name=["a", "b"]))
    other = shapefile(tmp_path, frame(name=["c"]), name="other")
    shutil.copy(other.with_suffix(".shx"), path.with_suffix(".shx"))
    with pytest.raises(RuleViolation) as caught:
        read_shapefile(path, None, None)
    assert refusal(caught).text == "layer.torn"


@pytest.mark.parametrize("part", [".shx", ".dbf"])
def test_shapefile__a_part_is_missing__refused_by_name(tmp_path, part):
    path = shapefile(tmp_path, frame())
    path.with_suffix(part).unlink()
    with pytest.raises(RuleViolation) as caught:
        read_shapefile(path, None, None)
    assert refusal(caught).measured == part


def test_shapefile__without_prj__declares_nothing(tmp_path):
    path = shapefile(tmp_path, frame())
    path.with_suffix(".prj").unlink()
    assert read_shapefile(path, None, None).crs is None


def test_shapefile__a_vrt_or_garbage_behind_the_name__refused(tmp_path):
    path = shapefile(tmp_path, frame())
    for content in (b"<OGRVRTDataSource/>", b""):
        path.write_bytes(content)
        with pytest.raises(RuleViolation) as caught:
            read_shapefile(path, None, None)
        assert refusal(caught).text == "layer.corrupt"


def test_shapefile__garbage_after_the_first_bytes_or_cut_off__refused(tmp_path):
    path = shapefile(tmp_path, frame())
    whole = path.read_bytes()
    for content in (SHP_MAGIC + b"\xff" * 200, whole[:120], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(RuleViolation) as caught:
            read_shapefile(path, None, None)
        assert refusal(caught).text == "layer.torn"


def test_shapefile__garbage_in_place_of_the_shapes__no_shape_is_taken(tmp_path):
    path = shapefile(tmp_path, frame())
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    (row,) = read_shapefile(path, None, None).rows
    assert row.refusals[0].rule == "geometry.empty"


def test_zip__two_shapefiles__one_must_be_named(tmp_path):
    for name in ("north", "south"):
        shapefile(tmp_path, frame(name=[name]), name=name)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for path in [p for p in tmp_path.iterdir() if p.suffix != ".zip"]:
            archive.write(path, path.name)
    with pytest.raises(RuleViolation) as caught:
        read_shapefile(tmp_path / "two.zip", None, None)
    assert refusal(caught).required == "north, south"
    assert read_shapefile(tmp_path / "two.zip", "south", None).rows[0].values["name"] == "south"


def test_zip__that_is_none_or_holds_none__refused(tmp_path):
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04" + b"\x00" * 100)
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    for path, text in ((broken, "layer.archive_corrupt"), (empty, "layer.archive_empty")):
        with pytest.raises(RuleViolation) as caught:
            read_shapefile(path, None, None)
        assert refusal(caught).text == text


def test_zip__a_cut_off_member__refused(tmp_path):
    path = zipped(shapefile(tmp_path, frame()), tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)
    with pytest.raises(RuleViolation) as caught:
        read_shapefile(path, None, None)
    assert refusal(caught).text in {"layer.archive_corrupt", "layer.corrupt"}


def test_zip__damaged_anywhere__what_is_packed_refused_and_nothing_else_read_wrongly(tmp_path):
    path, packed = shapefile(tmp_path, frame()), set()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for part in (".shp", ".shx", ".dbf"):
            archive.write(path.with_suffix(part), f"a{part}")
        for member in archive.infolist():
            begins = member.header_offset + zipfile.sizeFileHeader + len(member.filename)
            packed |= set(range(begins, begins + member.compress_size))
    data = (tmp_path / "a.zip").read_bytes()
    whole, read, refused = read_shapefile(tmp_path / "a.zip", None, "GBK").rows, set(), set()
    for at in range(35, len(data), 7):
        (tmp_path / "b.zip").write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            rows = read_shapefile(tmp_path / "b.zip", None, "GBK").rows
        except RuleViolation as violation:
            refused.add(violation.refusals[0].text)
        else:
            assert [(row.values, row.geom) for row in rows] == [(row.values, row.geom) for row in whole]
            read.add(at)
    assert refused == {"layer.archive_corrupt", "layer.parts_missing"}
    assert read, "dates and rights in the directory harm nobody"
    assert not read & packed


def test_zip__names_that_climb_out__written_nowhere(tmp_path):
    path = shapefile(tmp_path, frame())
    target = zipped(path, tmp_path / "evil.zip", folder="../../")
    assert read_shapefile(target, None, None).rows[0].values["名称"] == "甲采石场"
    assert not list(tmp_path.parent.parent.glob("permits.*"))


def test_zip__unpacks_to_more_than_the_limit__refused(tmp_path, monkeypatch):
    path = zipped(shapefile(tmp_path, frame()), tmp_path / "a.zip")
    monkeypatch.setitem(LIMITS, "layer.bytes", LIMITS["layer.bytes"].__class__(200, "bytes", "test", "test"))
    with pytest.raises(RuleViolation) as caught:
        read_shapefile(path, None, None)
    assert caught.value.status == 413


def test_zip__with_a_password__refused(tmp_path):
    path = zipped(shapefile(tmp_path, frame()), tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1  # the flag of encryption
    path.write_bytes(data)
    with pytest.raises(RuleViolation) as caught:
        read_shapefile(path, None, None)
    assert refusal(caught).text == "layer.archive_encrypted"


def test_zip__sidecars_that_gdal_would_follow__are_left_behind(tmp_path):
    path = shapefile(tmp_path, frame())
    (tmp_path / "permits.shp.aux.xml").write_text("<x/>")
    (tmp_path / "permits.qix").write_bytes(b"garbage")
    assert len(read_shapefile(path, None, None).rows) == 1


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("GBK", "gb18030"),
        ("gb2312", "gb18030"),
        ("936", "gb18030"),
        ("ANSI 936", "gb18030"),
        ("CP936", "gb18030"),
        ("UTF-8", "utf-8"),
        ("65001", "utf-8"),
        ("GB18030", "gb18030"),
        ("1252", "cp1252"),
        ("Big5", "big5"),
    ],
)
def test_encoding__by_any_usual_name(name, codec):
    assert known_encoding(name) == codec


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", "99999", "\x00", "idna\x00"])
def test_encoding__that_is_none__refused(name):
    with pytest.raises(RuleViolation) as caught:
        known_encoding(name)
    assert refusal(caught).text == "layer.encoding_unknown"
