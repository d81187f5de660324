"""Hostile rasters (reliability.md section 5, rows 36 to 49): stated answer, no crash, no leak, no packet."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from schemas.refusals import RuleViolation
from sensing import quarantine as q
from sensing.georeference import locate
from sensing.header import judge
from sensing.intake import Told, receive
from tests.unit.sensing.pictures import UTM, noise, north_up, sparse_tif, vrt_of, write_photo, write_tif


@pytest.fixture
def room(tmp_path):
    with q.quarantine(tmp_path / "quarantine") as made:
        yield made


def silent(_: float) -> None:
    pass


def take_in(room, path: Path):
    """All the steps that every image goes through, as `scene ingest` takes them."""
    guest = room.admit(path)
    (report,) = room.inspect([guest])
    judge(report)
    place = locate(report)
    return room.transcode(guest, report, place.grid, [], silent)


def refused(room, path: Path) -> tuple[int, str]:
    with pytest.raises(RuleViolation) as caught:
        take_in(room, path)
    return caught.value.status, caught.value.refusals[0].rule


SECRET = b"SECRET-CONTENT-OF-ANOTHER-TENANT"


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "secret.bin"
    path.write_bytes(SECRET * 200)
    return path


def test_row_36__vrt_raw_band_as_tif__415_raster_magic(room, tmp_path, secret):
    path = tmp_path / "raw.tif"
    path.write_bytes(
        b'<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1" '
        b'subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="0">'
        + str(secret).encode()
        + b"</SourceFilename></VRTRasterBand></VRTDataset>"
    )
    assert refused(room, path) == (415, "raster.magic")


@pytest.mark.parametrize("name", ["steal.png", "steal.vrt", "steal.tif", "steal.jpg"])
def test_row_37__vrt_simple_source__415_raster_magic(room, tmp_path, name):
    other = write_tif(tmp_path / "other.tif", noise(1, 64, 64, high=255, dtype="uint8"))
    path = tmp_path / name
    path.write_bytes(vrt_of(other))
    assert refused(room, path) == (415, "raster.magic")


class _Listener:
    """A server on loopback that counts who calls."""

    def __enter__(self):
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()

    def __exit__(self, *_):
        self._socket.close()


def test_row_38__wms_description_at_loopback__415_and_no_packet(room, tmp_path):
    with _Listener() as listener:
        path = tmp_path / "map.tif"
        path.write_bytes(
            f'<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:{listener.port}/${{z}}</ServerUrl>'
            "</Service></GDAL_WMS>".encode()
        )
        assert refused(room, path) == (415, "raster.magic")
        time.sleep(0.1)
        assert listener.calls == 0


def test_row_38__vrt_that_names_an_address__415_and_no_packet(room, tmp_path):
    with _Listener() as listener:
        path = tmp_path / "map.tif"
        path.write_bytes(vrt_of(Path(f"/vsicurl/http://127.0.0.1:{listener.port}/a.tif")))
        assert refused(room, path) == (415, "raster.magic")
        time.sleep(0.1)
        assert listener.calls == 0


@pytest.mark.parametrize("suffix", [".ovr", ".aux.xml", ".msk", ".tfw", ".vrt"])
def test_row_39__sidecar_sent_as_an_image__415(room, tmp_path, suffix):
    path = tmp_path / f"a.tif{suffix}"
    write_tif(tmp_path / "a.tif", noise(3, 64, 64)).rename(path)
    assert refused(room, path) == (415, "raster.magic")


@pytest.mark.parametrize("suffix", [".ovr", ".aux.xml", ".msk"])
def test_row_39__sidecar_beside_an_image__is_not_read(room, tmp_path, suffix):
    data = noise(1, 600, 600, high=255, dtype="uint8")
    path = write_tif(tmp_path / "a.tif", data)
    other = write_tif(tmp_path / "other.tif", np.full((1, 64, 64), 7, np.uint8))
    (tmp_path / f"a.tif{suffix}").write_bytes(vrt_of(other))
    with rasterio.open(take_in(room, path).path) as stored:
        assert np.array_equal(stored.read(), data)
        assert stored.read(1, out_shape=(10, 10)).std() > 0


def test_row_39__mask_beside_an_image__415_with_its_fix(room, tmp_path):
    data, mask = noise(4, 60, 60, high=255, dtype="uint8"), np.full((60, 60), 255, np.uint8)
    mask[:, :30] = 0
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": 4, "height": 60, "width": 60, "dtype": "uint8"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False),
        rasterio.open(path, "w", crs=UTM, transform=north_up(10.0), **profile) as target,
    ):
        target.write(data)
        target.write_mask(mask)
    assert (tmp_path / "a.tif.msk").is_file()
    with pytest.raises(RuleViolation) as caught:
        receive(room, [path], Told())
    assert (caught.value.status, caught.value.refusals[0].rule) == (415, "raster.sidecar")
    assert "a.tif.msk" in caught.value.refusals[0].render("en")["message"]
    # Its fix, done: the same mask inside the file counts.
    inside = write_tif(tmp_path / "inside.tif", data, mask=mask)
    copy, _ = receive(room, [inside], Told()).written(room, [], silent)
    assert copy.valid == 1800


AUXILIARY = '<PAMDataset><PAMRasterBand band="1">{}</PAMRasterBand></PAMDataset>'


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("<Metadata><MDI key='STATISTICS_MEAN'>7</MDI></Metadata>", True),
        ("<NoDataValue>0</NoDataValue>", False),
        ("</PAMRasterBand><SRS>EPSG:4326</SRS><PAMRasterBand>", False),
    ],
)
def test_row_39__auxiliary_file_beside_an_image__refused_where_it_would_change_what_is_seen(
    room, tmp_path, said, taken
):
    path = write_tif(tmp_path / "a.tif", noise(3, 60, 60))
    (tmp_path / "a.tif.aux.xml").write_text(AUXILIARY.format(said))
    if taken:
        assert receive(room, [path], Told()).attached == ()
        return
    with pytest.raises(RuleViolation) as caught:
        receive(room, [path], Told())
    assert (caught.value.status, caught.value.refusals[0].rule) == (415, "raster.sidecar")


def test_transcode__nodata_in_one_band_that_is_used__void_and_in_one_that_nothing_uses__not(room, tmp_path):
    data = noise(5, 60, 60, dtype="int16")
    data[3, :, :30] = -9999
    data[4, 30:] = -9999
    path = write_tif(tmp_path / "a.tif", data, nodata=-9999)
    for bands, valid in ((("red", "green", "blue", "nir", "other"), 1800), ((), 900)):
        copy, _ = receive(room, [path], Told(bands=bands)).written(room, [], silent)
        assert copy.valid == valid


def test_row_40__sparse_tiff__413_from_the_header(room, tmp_path):
    path = tmp_path / "sparse.tif"
    path.write_bytes(sparse_tif(100_000, 100_000))
    assert refused(room, path) == (413, "raster.ratio")
    path.write_bytes(sparse_tif(200_000, 200_000))
    assert refused(room, path) == (413, "raster.pixels")


def test_pixel_limit__is_that_of_the_installation(room, tmp_path):
    (report,) = room.inspect([room.admit(write_tif(tmp_path / "a.tif", noise(1, 30, 40)))])
    judge(report, most_pixels=1200)
    with pytest.raises(RuleViolation) as caught:
        judge(report, most_pixels=1199)
    assert (caught.value.status, caught.value.refusals[0].rule) == (413, "raster.pixels")


def deflate_bomb(path: Path) -> Path:
    return write_tif(path, np.zeros((1, 9000, 9000), np.uint8), compress="deflate", zlevel=9, tiled=True)


def one_tile(path: Path) -> Path:
    """An image that can only be unpacked whole, in 300 MiB: not by much too large for its file."""
    data = np.zeros((1, 12_000, 26_300), np.uint8)
    data[:, ::40] = np.random.default_rng(3).integers(0, 255, 26_300)
    return write_tif(path, data, compress="deflate", zlevel=1, tiled=True, blockxsize=26_304, blockysize=12_000)


def many_bands(path: Path) -> Path:
    path.write_bytes(sparse_tif(1, 1, samples=65_535))
    return path


def sparse(path: Path) -> Path:
    path.write_bytes(sparse_tif(140_000, 140_000))
    return path


def huge_photo(path: Path) -> Path:
    write_photo(path, np.zeros((16, 16, 3), np.uint8))
    body = bytearray(path.read_bytes())
    start = body.index(b"\xff\xc0") + 5
    body[start : start + 4] = b"\xff\xdc\xff\xdc"
    path.write_bytes(bytes(body))
    return path


_MEASURED = """
import json, resource, sys
from pathlib import Path
from schemas.refusals import RuleViolation
from sensing.header import judge
from sensing.quarantine import quarantine
try:
    with quarantine(Path(sys.argv[1]).parent / "q") as room:
        (report,) = room.inspect([room.admit(Path(sys.argv[1]))])
        judge(report)
except RuleViolation as refused:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps([refused.status, refused.refusals[0].rule, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@pytest.mark.parametrize(
    ("name", "make", "rule"),
    [
        ("a.tif", deflate_bomb, "raster.ratio"),
        ("a.tif", sparse, "raster.ratio"),
        ("a.tif", one_tile, "raster.block"),
        ("a.tif", many_bands, "raster.bands"),
        ("a.jpg", huge_photo, "raster.pixels"),
    ],
)
def test_bomb__costs_under_two_seconds_and_300_megabytes(tmp_path, name, make, rule):
    """Processor time and memory of the child that looks at it, which is the only process that does."""
    path = make(tmp_path / name)
    done = subprocess.run([sys.executable, "-c", _MEASURED, str(path)], capture_output=True, text=True, check=True)
    status, found, cpu_s, megabytes = json.loads(done.stdout)
    assert (status, found) == (413, rule)
    assert cpu_s < 2
    assert megabytes < 300


def test_bomb__the_command_that_takes_it_in__loads_no_engine():
    """What the command itself needs before it refuses: no compiler, no learning, no data frames, no models."""
    code = (
        "import sys; import web.cli.main, web.cli.scene, web.cli.scene_ingest;"
        "heavy = {'numba', 'sklearn', 'skimage', 'pandas', 'torch', 'pystac'} & set(sys.modules);"
        # The most that the system remembers of a process begins with that of the one that started it.
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'));"
        "print(int(peak.split()[1]) // 1024, *heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    megabytes, *heavy = done.stdout.split()
    assert heavy == []
    # A child that looks into a bomb takes a hundred more.
    assert int(megabytes) < 190


def test_row_41__deflate_bomb__413_raster_ratio(room, tmp_path):
    assert refused(room, deflate_bomb(tmp_path / "bomb.tif")) == (413, "raster.ratio")


def test_row_42__empty_file__422_raster_corrupt(room, tmp_path):
    path = tmp_path / "empty.tif"
    path.touch()
    assert refused(room, path) == (422, "raster.corrupt")


def test_row_42__web_page_named_tif__422_raster_corrupt(room, tmp_path):
    path = tmp_path / "page.tif"
    path.write_text("\n<!DOCTYPE html><html><body>404</body></html>")
    assert refused(room, path) == (422, "raster.corrupt")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_row_42__truncated_tiff__422_raster_corrupt(room, tmp_path, share):
    path = write_tif(tmp_path / "a.tif", noise(3, 700, 700), compress="deflate")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert refused(room, path) == (422, "raster.corrupt")


def test_row_42__random_bytes_after_a_good_magic__422_raster_corrupt(room, tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + np.random.default_rng(1).bytes(5000))
    assert refused(room, path) == (422, "raster.corrupt")


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 500),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 500),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + b"\xff" * 500),
    ],
)
def test_row_42__broken_file_of_every_type__422_raster_corrupt(room, tmp_path, name, head):
    path = tmp_path / name
    path.write_bytes(head)
    assert refused(room, path) == (422, "raster.corrupt")


def test_row_43__no_crs__422_raster_crs(room, tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(3, 20, 20), crs=None, transform=None)
    assert refused(room, path) == (422, "raster.crs")


def test_row_43__transform_without_crs__422(room, tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(3, 20, 20), crs=None)
    assert refused(room, path) == (422, "raster.crs")


def test_row_43__local_crs__422_raster_crs(room, tmp_path):
    local = 'LOCAL_CS["anywhere",UNIT["metre",1]]'
    path = write_tif(tmp_path / "a.tif", noise(3, 20, 20), crs=local)
    assert refused(room, path) == (422, "raster.crs")


def tif_with_keys(path: Path, citation: str) -> Path:
    """A TIFF of 20 x 20 pixels whose coordinate system is of the file's own making and has this text for a name."""
    text = citation.encode("latin-1") + b"|"
    keys = struct.pack("<16H", 1, 1, 0, 3, 1024, 0, 1, 1, 1026, 34737, len(text), 0, 3072, 0, 1, 32767)
    numbers = struct.pack("<9d", 10, 10, 0, 0, 0, 0, 731_400, 2_560_000, 0)
    values = {273: b"\1" * 400, 33550: numbers[:24], 33922: numbers[24:], 34735: keys, 34737: text}
    plain = {256: 20, 257: 20, 258: 8, 259: 1, 262: 1, 277: 1, 278: 20, 279: 400}
    kinds, sizes = {33550: 12, 33922: 12, 34735: 3, 34737: 2}, {12: 8, 3: 2, 2: 1}
    tags = sorted([*plain, *values])
    entries, body, start = b"", b"", 8 + 2 + 12 * len(tags) + 4
    for tag in tags:
        kind = kinds.get(tag, 4)
        count = len(values[tag]) // sizes[kind] if tag in kinds else 1
        entries += struct.pack("<HHII", tag, kind, count, plain[tag] if tag in plain else start + len(body))
        body += values.get(tag, b"")
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + body)
    return path


def test_row_43__crs_that_is_an_address__422_and_no_packet(room, tmp_path):
    with _Listener() as listener:
        path = tif_with_keys(tmp_path / "a.tif", f"http://127.0.0.1:{listener.port}/crs.wkt")
        assert refused(room, path) == (422, "raster.crs")
        time.sleep(0.1)
        assert listener.calls == 0


@pytest.mark.parametrize("text", ['ESRI PE String = PROJCS["' + "x" * 60_000 + '"]', "\xff" * 500])
def test_row_43__crs_of_nonsense__422(room, tmp_path, text):
    status, rule = refused(room, tif_with_keys(tmp_path / "a.tif", text))
    assert status == 422
    assert rule in ("raster.crs", "raster.transform", "raster.corrupt")


@pytest.mark.parametrize(
    "transform",
    [
        Affine(0, 0, 1, 0, 0, 1),
        Affine(10, 10, 731_400, 10, 10, 2_560_000),
        Affine(float("nan"), 0, 731_400, 0, -10, 2_560_000),
        Affine(1e300, 0, 731_400, 0, -1e300, 2_560_000),
        Affine(10, 0, 1e12, 0, -10, 1e12),
        Affine(1e-9, 0, 731_400, 0, -1e-9, 2_560_000),
    ],
)
def test_row_44__absurd_transform__422_raster_transform(room, tmp_path, transform):
    path = write_tif(tmp_path / "a.tif", noise(3, 20, 20), transform=transform)
    status, rule = refused(room, path)
    assert status == 422
    assert rule in ("raster.transform", "raster.crs")


def test_row_44__rotation__is_taken(room, tmp_path):
    turned = north_up(10.0) @ Affine.rotation(30)
    data = noise(3, 40, 60)
    with rasterio.open(take_in(room, write_tif(tmp_path / "a.tif", data, transform=turned)).path) as stored:
        assert stored.transform.almost_equals(turned)
        assert np.array_equal(stored.read(), data)


def test_row_45__thousands_of_bands__413_raster_bands(room, tmp_path):
    assert refused(room, many_bands(tmp_path / "bands.tif")) == (413, "raster.bands")


def test_row_45__seventeen_bands__413_raster_bands(room, tmp_path):
    assert refused(room, write_tif(tmp_path / "a.tif", noise(17, 8, 8))) == (413, "raster.bands")


@pytest.mark.parametrize(
    "name",
    ["/vsicurl/http://127.0.0.1/a.tif", "zip+https://example/a.zip!a.tif", "MEM:::DATAPOINTER=1", "GTIFF_DIR:1:a.tif"],
)
def test_row_46__reference_instead_of_a_file__422_file_reference(room, name):
    assert refused(room, Path(name)) == (422, "file.reference")


def test_row_46__file_that_cannot_be_read__422_file_reference(room, tmp_path):
    path = tmp_path / "memory.tif"
    path.symlink_to("/proc/self/mem")
    assert refused(room, path) == (422, "file.reference")


def test_row_46__symbolic_link_to_a_text_file__415(room, tmp_path, secret):
    path = tmp_path / "link.tif"
    path.symlink_to(secret)
    assert refused(room, path) == (415, "raster.magic")


def test_row_47__metadata_bomb_in_a_photo__413(room, tmp_path):
    path = write_photo(tmp_path / "a.jpg", np.zeros((16, 16, 3), np.uint8))
    body = path.read_bytes()
    bomb = b"".join(b"\xff\xe1" + (60_002).to_bytes(2, "big") + b"Exif\0\0" + b"\0" * 59_994 for _ in range(3))
    path.write_bytes(body[:2] + bomb + body[2:])
    guest = room.admit(path)
    (report,) = room.inspect([guest])
    with pytest.raises(RuleViolation) as caught:
        judge(report)
    assert (caught.value.status, caught.value.refusals[0].rule) == (413, "raster.exif")


def copy_of_photo(room, path: Path) -> bytes:
    placed = receive(room, [path], Told(hfov_deg=70.0))
    return placed.written(room, [], silent)[0].path.read_bytes()


def test_row_47__photo_taken_at_home__nothing_of_what_it_says_is_in_the_copy(room, tmp_path):
    path = write_photo(tmp_path / "a.jpg", np.full((150, 200, 3), 90, np.uint8))
    note, body = b"1 Home Street", path.read_bytes()
    path.write_bytes(body[:2] + b"\xff\xfe" + struct.pack(">H", len(note) + 2) + note + body[2:])
    copy = copy_of_photo(room, path)
    for told in (note, b"Exif", b"drone-dji", b"2025:07:02"):
        assert told in path.read_bytes()
        assert told not in copy


def test_row_48__huge_photo__413_from_the_header(room, tmp_path):
    assert refused(room, huge_photo(tmp_path / "a.jpg")) == (413, "raster.pixels")


def test_row_49__photo_that_is_also_a_web_page__transcoded_copy_holds_no_script(room, tmp_path):
    script = b"<html><script>alert(1)</script></html>"
    path = write_photo(tmp_path / "a.jpg", np.full((150, 200, 3), 90, np.uint8))
    path.write_bytes(path.read_bytes() + script)
    assert b"<script" not in copy_of_photo(room, path)


def test_row_49__image_that_is_also_a_web_page__transcoded_copy_holds_no_script(room, tmp_path):
    script = b"<html><script>alert(1)</script></html>"
    path = write_tif(tmp_path / "a.tif", noise(3, 64, 64), tags={"TIFFTAG_IMAGEDESCRIPTION": script.decode()})
    path.write_bytes(path.read_bytes() + script)
    assert script not in take_in(room, path).path.read_bytes()


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_row_51__upload_that_was_cut_off__is_swept_after_an_hour(tmp_path):
    parent = tmp_path / "quarantine"
    for name, seconds in (("guest-cut", 3700), ("guest-at-work", 3500)):
        (parent / name / "inner").mkdir(parents=True)
        age(parent / name, seconds)
    with q.quarantine(parent):
        assert not (parent / "guest-cut").exists()
    assert [left.name for left in parent.iterdir()] == ["guest-at-work"]


def test_row_51__scene_that_takes_hours__is_not_swept_by_others(tmp_path):
    parent = tmp_path / "quarantine"
    path = write_tif(tmp_path / "a.tif", noise(1, 600, 600))
    seen: list[bool] = []

    def silence(_: float) -> None:
        seen.append(time.time() - home.stat().st_mtime < 60)
        age(home, 4000)

    with q.quarantine(parent) as room:
        (home,) = parent.iterdir()
        guest = room.admit(path)
        (report,) = room.inspect([guest])
        room.transcode(guest, report, locate(report).grid, [], silence)
    assert len(seen) > 1
    assert all(seen)


def test_child__has_no_network_where_the_kernel_allows_it(room, tmp_path):
    guest = room.admit(write_tif(tmp_path / "a.tif", noise(1, 8, 8)))
    (report,) = room.inspect([guest])
    assert report.isolation in ("network namespace", "drivers only")
    allowed = subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode == 0
    if allowed:
        assert report.isolation == "network namespace"


def test_child__environment_holds_nothing_of_ours(room, tmp_path, monkeypatch):
    monkeypatch.setenv("SKYWARDEN_DATABASE_URL", "postgresql://secret")
    assert not any("SKYWARDEN" in name for name in q._environment())
    assert "VRT" in q._environment()["GDAL_SKIP"].split(",")


def test_child__memory_is_limited(tmp_path):
    code = (
        "import json, sys; from sensing import opener;"
        "opener._limit_resources({'memory_bytes': 1 << 30, 'cpu_s': 20, 'open_files': 64, 'written_bytes': 0});"
        "import numpy\n"
        "try:\n numpy.ones(1 << 30)\nexcept MemoryError:\n print('held')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "held"


def test_child__decoder_that_never_ends__413_raster_cost(room, tmp_path, monkeypatch):
    guest = room.admit(write_tif(tmp_path / "a.tif", noise(1, 8, 8)))
    monkeypatch.setattr(q, "_INSPECT_S", -1)
    monkeypatch.setattr(q, "_environment", lambda: {"PYTHONPATH": "/nowhere"})
    with pytest.raises(RuleViolation) as caught:
        room.inspect([guest])
    assert (caught.value.status, caught.value.refusals[0].rule) == (413, "raster.cost")


@pytest.mark.parametrize("free_mib", [0, 5])
def test_disk_nearly_full__507_and_nothing_is_left(tmp_path, monkeypatch, free_mib):
    """First there is no room for the file itself, then none for its copy."""
    path = write_tif(tmp_path / "a.tif", np.full((3, 1000, 1000), 9, np.uint8), compress="deflate")
    usage = shutil.disk_usage(tmp_path)._replace(free=free_mib << 20)
    monkeypatch.setattr(q.shutil, "disk_usage", lambda _: usage)
    with q.quarantine(tmp_path / "full") as room:
        assert refused(room, path) == (507, "disk.full")
    assert list((tmp_path / "full").iterdir()) == []


def test_quarantine__ends__nothing_is_left(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(1, 8, 8))
    with q.quarantine(tmp_path / "q") as room:
        room.admit(path)
        assert list((tmp_path / "q").iterdir())
    assert list((tmp_path / "q").iterdir()) == []


def test_metadata__is_not_carried_into_the_copy(room, tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(3, 32, 32), tags={"TIFFTAG_ARTIST": "Somebody, 1 Home Street"})
    assert b"Home Street" not in take_in(room, path).path.read_bytes()


def test_report__hostile_child_answer__is_validated():
    from pydantic import ValidationError

    from sensing.header import HeaderReport

    with pytest.raises(ValidationError):
        HeaderReport.model_validate(json.loads('{"driver": "VRT", "width": 1, "height": 1, "bands": 1}'))


def test_deflate_stream_with_flipped_bit__422(room, tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(1, 300, 300), compress="deflate", crs=UTM)
    body = bytearray(path.read_bytes())
    at = body.index(zlib.compress(b"")[:1], 200)
    for offset in range(at + 5, at + 400):
        body[offset] ^= 0xFF
    path.write_bytes(bytes(body))
    assert refused(room, path) == (422, "raster.corrupt")


# -- odd images: each is taken as what it is, or refused with the reason --------------------------


def taken(room, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """What our copy holds, and where it is valid."""
    with rasterio.open(take_in(room, path).path) as stored:
        return stored.read(), stored.dataset_mask() > 0


@pytest.mark.parametrize("value", [1, 77, 65_535])
def test_constant_raster__is_taken_as_it_is(room, tmp_path, value):
    data, valid = taken(room, write_tif(tmp_path / "a.tif", np.full((1, 700, 600), value, np.uint16)))
    assert (data == value).all()
    assert valid.all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 1), (1, 3, 65_535), (1, 65_535, 3)])
def test_extreme_shapes__are_taken(room, tmp_path, shape):
    sent = noise(*shape)
    data, valid = taken(room, write_tif(tmp_path / "a.tif", sent))
    assert np.array_equal(data, sent)
    assert valid.all()


def test_wide_raster_of_strips__is_read_in_windows(room, tmp_path):
    sent = noise(2, 70, 65_535)
    data, _ = taken(room, write_tif(tmp_path / "a.tif", sent, interleave="band"))
    assert np.array_equal(data, sent)


@pytest.mark.parametrize("nodata", [0, 255])
def test_all_nodata__nothing_is_valid(room, tmp_path, nodata):
    path = write_tif(tmp_path / "a.tif", np.full((3, 20, 20), nodata, np.uint8), nodata=nodata)
    assert take_in(room, path).valid == 0


def test_zero_of_one_band_alone__is_a_dark_pixel_and_no_gap(room, tmp_path):
    sent = noise(3, 20, 20)
    sent[1, 5, 5] = 0
    sent[:, 6, 6] = 0
    _, valid = taken(room, write_tif(tmp_path / "a.tif", sent, nodata=0))
    assert valid[5, 5]
    assert not valid[6, 6]
    assert valid.sum() == 399


def test_nan__is_void_and_never_stored(room, tmp_path):
    sent = np.random.default_rng(1).random((2, 30, 30)).astype(np.float32)
    sent[1, 4, 4], sent[0, 5, 5] = np.nan, np.inf
    data, valid = taken(room, write_tif(tmp_path / "a.tif", sent))
    assert np.isfinite(data).all()
    assert not valid[4, 4]
    assert not valid[5, 5]
    assert valid.sum() == 898


def test_alpha__is_validity_and_no_band(room, tmp_path):
    sent = noise(4, 40, 40, high=255, dtype="uint8")
    sent[3] = 255
    sent[3, :10] = 0
    path = write_tif(tmp_path / "a.tif", sent, photometric="rgb", alpha="YES")
    data, valid = taken(room, path)
    assert data.shape[0] == 3
    assert not valid[:10].any()
    assert valid[10:].all()
    assert not data[:, :10].any()


def test_mask_band__is_honoured(room, tmp_path):
    mask = np.full((40, 40), 255, np.uint8)
    mask[:, :7] = 0
    _, valid = taken(room, write_tif(tmp_path / "a.tif", noise(3, 40, 40), mask=mask))
    assert not valid[:, :7].any()
    assert valid[:, 7:].all()


def test_scale_and_offset__measured_values_are_stored(room, tmp_path):
    sent = np.array([[[-2000, 0, 7273, 32_767]]], np.int16)
    path = write_tif(tmp_path / "a.tif", sent, nodata=-9999)
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (2.75e-5,), (0.2,)
    data, _ = taken(room, path)
    assert data.dtype == np.float32
    assert data[0, 0] == pytest.approx([0.145, 0.2, 0.4000075, 1.1010925])


@pytest.mark.parametrize(("scale", "offset"), [(0.0, 0.0), (float("inf"), 0.0), (1.0, float("nan"))])
def test_scale_and_offset__without_meaning__422(room, tmp_path, scale, offset):
    path = write_tif(tmp_path / "a.tif", noise(1, 10, 10))
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (scale,), (offset,)
    assert refused(room, path) == (422, "raster.scale")


def test_palette__becomes_its_colours(room, tmp_path):
    sent = np.array([[[0, 1, 2]]], np.uint8)
    path = write_tif(tmp_path / "a.tif", sent, photometric="palette")
    with rasterio.open(path, "r+") as target:
        target.write_colormap(1, {0: (10, 20, 30, 255), 1: (200, 100, 50, 255), 2: (7, 8, 9, 0)})
    data, valid = taken(room, path)
    assert data[:, 0, 0].tolist() == [10, 20, 30]
    assert data[:, 0, 1].tolist() == [200, 100, 50]
    assert valid.shape == (1, 3)


def test_one_bit__is_taken(room, tmp_path):
    sent = (noise(1, 33, 41) % 2).astype(np.uint8)
    data, _ = taken(room, write_tif(tmp_path / "a.tif", sent, nbits=1))
    assert np.array_equal(data, sent)


def test_printing_colours__become_red_green_and_blue(room, tmp_path):
    path = write_tif(tmp_path / "a.tif", np.zeros((4, 20, 20), np.uint8), photometric="cmyk")
    data, valid = taken(room, path)
    assert data.shape[0] == 3
    assert (data[:, valid] > 200).all()


@pytest.mark.parametrize("compress", ["lzw", "zstd", "deflate", "packbits", "lzma", "jpeg"])
@pytest.mark.parametrize("layout", [{"tiled": True, "interleave": "band"}, {"blockysize": 1, "interleave": "pixel"}])
def test_every_usual_coding__is_taken(room, tmp_path, compress, layout):
    if compress == "jpeg":
        layout = {"tiled": True, "interleave": "pixel", "photometric": "ycbcr"}
    sent = np.kron(noise(3, 5, 6, high=255, dtype="uint8"), np.ones((1, 16, 16), np.uint8))
    data, _ = taken(room, write_tif(tmp_path / "a.tif", sent, compress=compress, BIGTIFF="YES", **layout))
    away = np.abs(data.astype(int) - sent.astype(int))
    assert away.mean() < (40 if compress == "jpeg" else 1e-9)
