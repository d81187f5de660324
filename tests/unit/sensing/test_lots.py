"""What was named on a command line, sorted into scenes and what is no image."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from sensing.lots import sort_out
from tests.unit.sensing.pictures import SAFE, noise, rpb_of, sensor_model, write_photo, write_safe, write_tif


def tree(root: Path) -> Path:
    (root / "flight").mkdir(parents=True)
    write_tif(root / "b.tif", noise(1, 8, 8))
    write_tif(root / "a.tif", noise(1, 8, 8))
    for name in ("1.jpg", "2.jpg"):
        write_photo(root / "flight" / name, np.full((8, 8, 3), 9, np.uint8))
    write_safe(root / "deep" / "er", pixels=12)
    (root / "flight" / "notes.txt").write_text("windy")
    (root / "b.tif.aux.xml").write_text("<PAMDataset/>")
    (root / "broken.tif").write_bytes(b"<html>")
    (root / "loop").symlink_to(root)
    return root


def names(lots) -> list[list[str]]:
    return [[file.name for file in lot.files] for lot in lots]


def test_sort_out__folder__images_products_and_photos_of_one_folder(tmp_path):
    lots, skipped = sort_out([tree(tmp_path / "in")])
    assert names(lots) == [["a.tif"], ["b.tif"], [SAFE], ["1.jpg", "2.jpg"]]
    assert {one.path.name: one.refusal.rule for one in skipped} == {
        "b.tif.aux.xml": "raster.magic",
        "broken.tif": "raster.corrupt",
        "notes.txt": "raster.magic",
    }


def test_sort_out__zip_that_is_no_product__is_skipped_with_the_reason(tmp_path):
    shutil.make_archive(str(tmp_path / "in" / "other"), "zip", write_safe(tmp_path / "x", pixels=12) / "GRANULE")
    lots, skipped = sort_out([tmp_path / "in"])
    assert lots == []
    assert [one.refusal.text for one in skipped] == ["product.kind"]


def test_sort_out__sensor_model__belongs_to_the_image_beside_it(tmp_path):
    write_tif(tmp_path / "GF2.tif", noise(1, 8, 8), crs=None, transform=None)
    (tmp_path / "GF2.rpb").write_text(rpb_of(sensor_model(8, 8)))
    (tmp_path / "other.rpb").write_text("")
    lots, skipped = sort_out([tmp_path])
    assert names(lots) == [["GF2.tif"]]
    assert [one.path.name for one in skipped] == ["other.rpb"]
    assert names(sort_out([tmp_path / "GF2.tif", tmp_path / "GF2.rpb"])[0]) == [["GF2.tif"]]


def test_sort_out__named_by_itself__is_never_skipped(tmp_path):
    (tmp_path / "notes.txt").write_text("windy")
    lots, skipped = sort_out([tmp_path / "notes.txt", tmp_path / "absent.tif"])
    assert names(lots) == [["notes.txt"], ["absent.tif"]]
    assert skipped == []


def test_sort_out__empty_folder__nothing(tmp_path):
    assert sort_out([tmp_path]) == ([], [])
