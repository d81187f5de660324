"""Sentinel-2 products: bands of three resolutions become one scene in ten-thousandths of reflectance."""

from __future__ import annotations

import re
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio

from schemas import limits
from schemas.refusals import RuleViolation
from sensing.bands import Role
from sensing.intake import SATELLITE, Told, receive
from sensing.quarantine import quarantine
from tests.unit.sensing.pictures import SAFE, noise, write_safe


def zipped(root: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, Path(root.name) / file.relative_to(root))
    return path


def taken(path: Path, at: Path):
    with quarantine(at / "q") as room:
        placed = receive(room, [path], Told())
        copy, _ = placed.written(room, [], lambda _: None)
        with rasterio.open(copy.path) as stored:
            return placed, stored.read(), stored.dataset_mask() > 0


def refused(path: Path, at: Path) -> tuple[int, str]:
    with quarantine(at / "q") as room, pytest.raises(RuleViolation) as caught:
        receive(room, [path], Told())
    return caught.value.status, caught.value.refusals[0].text


def spoilt(safe: Path, at: Path, how) -> Path:
    copy = at / SAFE
    shutil.copytree(safe, copy)
    how(copy)
    return copy


@pytest.fixture(scope="module")
def safe(tmp_path_factory) -> Path:
    red = noise(1, 60, 60) + 1000
    red[0, 10, 20] = 0
    red[0, 5, 5] = 300
    return write_safe(tmp_path_factory.mktemp("s2"), bands={"B04": red})


def test_product__folder__one_scene_on_the_finest_grid(safe, tmp_path):
    placed, data, valid = taken(safe, tmp_path)
    assert (placed.sensor, placed.name, placed.gsd_m) == (SATELLITE, SAFE, pytest.approx(10, abs=0.1))
    assert placed.captured_at == datetime(2025, 6, 20, 3, 11, 54, 204_000, tzinfo=UTC)
    assert placed.about["bands"] == "B01,B02,B03,B04,B05,B06,B07,B08,B8A,B09,B11,B12,SCL"
    assert (placed.about["platform"], placed.about["cloud_percent"]) == ("Sentinel-2B", "12.5152")
    assert data.shape == (13, 60, 60)
    assert [role.value for role in placed.roles][1:5] == ["blue", "green", "red", "red_edge"]
    assert [role.value for role in placed.roles][-3:] == ["swir1", "swir2", "scl"]
    assert (data[12][valid] == 4).all()
    blue, swir = safe.rglob("*_B02_10m.jp2"), safe.rglob("*_B11_20m.jp2")
    with rasterio.open(next(blue)) as fine, rasterio.open(next(swir)) as coarse:
        expected = fine.read(1).astype(int) - 1000
        assert np.array_equal(data[1][valid], expected[valid])
        twice = np.kron(coarse.read(1).astype(int) - 1000, np.ones((2, 2), int))
        assert np.array_equal(data[10][valid], twice[valid])


def test_product__zero_in_any_band__is_void_and_below_zero_reflectance_is_zero(safe, tmp_path):
    _, data, valid = taken(safe, tmp_path)
    assert not valid[10, 20]
    assert not data[:, 10, 20].any()
    assert valid.sum() == 3599
    assert data[3, 5, 5] == 0
    assert valid[5, 5]


def test_product__zip__the_same_scene_as_the_folder(safe, tmp_path):
    folder, data, _ = taken(safe, tmp_path)
    packed, same, _ = taken(zipped(safe, tmp_path / "product.zip"), tmp_path)
    assert packed.sha256 == folder.sha256
    assert np.array_equal(data, same)


def test_product__before_baseline_4__no_offset(tmp_path):
    root = write_safe(tmp_path, offset=0, pixels=12)
    _, data, _ = taken(root, tmp_path)
    with rasterio.open(next(root.rglob("*_B03_10m.jp2"))) as green:
        assert np.array_equal(data[2], green.read(1))


def test_product__level_1c__is_read_from_its_own_layout(safe, tmp_path):
    def to_1c(root: Path) -> None:
        for classes in root.rglob("*_SCL_*"):
            classes.unlink()
        text = (root / "MTD_MSIL2A.xml").read_text()
        (root / "MTD_MSIL2A.xml").unlink()
        text = text.replace("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET").replace("BOA_QUANTIFICATION", "QUANTIFICATION")
        (root / "MTD_MSIL1C.xml").write_text(text.replace("10000</QUANT", "5000</QUANT"))
        images = next(root.rglob("IMG_DATA"))
        for folder in sorted(images.iterdir(), reverse=True):
            for band in folder.iterdir():
                band.rename(images / re.sub(r"_\d\dm\.jp2$", ".jp2", band.name))

    placed, data, valid = taken(spoilt(safe, tmp_path, to_1c), tmp_path)
    assert placed.about["level"] == "L1C"
    assert Role.CLASSES not in placed.roles
    with rasterio.open(next((tmp_path / SAFE).rglob("*_B03.jp2"))) as green:
        # Five thousand mean a reflectance of one, ten thousand do with us.
        assert np.array_equal(data[2][valid], 2 * (green.read(1).astype(int) - 1000)[valid])


def test_product__folder_of_too_many_files__413(safe, tmp_path, monkeypatch):
    monkeypatch.setitem(limits.LIMITS, "product.entries", limits.Limit(10, "files", "", ""))
    assert refused(safe, tmp_path) == (413, "product.entries")


def test_product__changed_description__is_another_scene(safe, tmp_path):
    copy = tmp_path / SAFE
    shutil.copytree(safe, copy)
    xml = copy / "MTD_MSIL2A.xml"
    xml.write_text(xml.read_text().replace("05.11", "05.12"))
    assert taken(copy, tmp_path)[0].sha256 != taken(safe, tmp_path)[0].sha256


def test_product__band_missing__422_named(safe, tmp_path):
    path = spoilt(safe, tmp_path, lambda root: next(root.rglob("*_B08_10m.jp2")).unlink())
    assert refused(path, tmp_path) == (422, "product.bands")


def test_product__description_missing__422(safe, tmp_path):
    assert refused(spoilt(safe, tmp_path, lambda root: (root / "MTD_MSIL2A.xml").unlink()), tmp_path) == (
        422,
        "product.kind",
    )


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "<a><b></a>",
        "<a>" * 10_000,
        "<a/>",
        "",
        "<a><BOA_QUANTIFICATION_VALUE>0</BOA_QUANTIFICATION_VALUE></a>",
        "<a><BOA_QUANTIFICATION_VALUE>NaN</BOA_QUANTIFICATION_VALUE></a>",
    ],
)
def test_product__hostile_or_empty_description__422(safe, tmp_path, text):
    path = spoilt(safe, tmp_path, lambda root: (root / "MTD_MSIL2A.xml").write_text(text))
    assert refused(path, tmp_path) == (422, "product.xml")


def test_product__description_of_a_million_elements__413_before_it_is_parsed(safe, tmp_path):
    path = spoilt(safe, tmp_path, lambda root: (root / "MTD_MSIL2A.xml").write_text("<a>" * 1_000_000))
    assert refused(path, tmp_path) == (413, "product.xml")


def test_product__band_of_another_place__422(safe, tmp_path):
    def swap(root: Path) -> None:
        other = write_safe(tmp_path / "other", pixels=30)
        shutil.copy(next(other.rglob("*_B11_20m.jp2")), next(root.rglob("*_B11_20m.jp2")))

    assert refused(spoilt(safe, tmp_path, swap), tmp_path) == (422, "product.grid")


def test_product__band_that_is_another_type__415(safe, tmp_path):
    path = spoilt(safe, tmp_path, lambda root: next(root.rglob("*_B03_10m.jp2")).write_bytes(b"<VRTDataset/>"))
    assert refused(path, tmp_path)[0] == 415


def test_product__link_out_of_the_folder__is_no_part_of_it(safe, tmp_path):
    def link(root: Path) -> None:
        band = next(root.rglob("*_B08_10m.jp2"))
        band.unlink()
        band.symlink_to("/etc/passwd")

    assert refused(spoilt(safe, tmp_path, link), tmp_path) == (422, "product.bands")


@pytest.mark.parametrize("name", ["../../evil.xml", "/evil.xml", "a\\..\\evil.xml"])
def test_zip__name_that_leads_out__422(safe, tmp_path, name):
    path = zipped(safe, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
    assert refused(path, tmp_path) == (422, "product.member")


def test_zip__bomb__413(safe, tmp_path):
    path = zipped(safe, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("GRANULE/x/IMG_DATA/T_B02_10m.jp2", b"\0" * (20 << 20))
    assert refused(path, tmp_path) == (413, "product.ratio")


def test_zip__no_product__422(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refused(path, tmp_path) == (422, "product.kind")


def test_zip__broken__422(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04" + b"x" * 500)
    assert refused(path, tmp_path) == (422, "product.zip")
