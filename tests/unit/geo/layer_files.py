"""Layer files as bureaus bring them, made for tests."""

import json
import struct
import zipfile

import geopandas
from shapely.geometry import box

FIELD = box(113.26, 23.13, 113.27, 23.14)
ANY = {"Point", "Polygon", "MultiPolygon"}


def refusal(caught):
    (only,) = caught.value.refusals
    json.dumps(caught.value.render("zh"), allow_nan=False)
    return only


def frame(crs="EPSG:4490", geoms=(FIELD,), **columns):
    names = columns or {"名称": ["甲采石场"], "许可证号": ["粤2025-1"]}
    return geopandas.GeoDataFrame(names, geometry=list(geoms), crs=crs)


def shapefile(folder, made, encoding="GBK", name="permits"):
    path = folder / f"{name}.shp"
    made.to_file(path, engine="pyogrio", driver="ESRI Shapefile", encoding=encoding)
    return path


def zipped(path, target, parts=(".shp", ".shx", ".dbf", ".prj", ".cpg"), folder=""):
    with zipfile.ZipFile(target, "w") as archive:
        for part in parts:
            archive.write(path.with_suffix(part), f"{folder}{path.stem}{part}")
    return target


def dbf(path, encoding, **columns):
    """Gives the shapefile at `path` a table of one row, written byte by byte as other programs write it."""
    names, cells = list(columns), [text.encode(encoding).ljust(60) for text in columns.values()]
    head = struct.pack("<B3xIHH20x", 3, 1, 33 + 32 * len(names), 1 + 60 * len(names))
    fields = [struct.pack("<11sc4xB15x", name.encode(encoding)[:10], b"C", 60) for name in names]
    path.with_suffix(".dbf").write_bytes(head + b"".join(fields) + b"\r " + b"".join(cells) + b"\x1a")
    path.with_suffix(".cpg").write_text(encoding)
