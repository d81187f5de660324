"""`skywarden plan survey`: a survey flight over an area or along a corridor, written as a plan file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from flights.formats import write_plan
from flights.ground import open_ground
from flights.survey import queries
from flights.survey.camera import CameraModel, camera_named
from flights.survey.drawn import Drawn, read_place, read_shape
from flights.survey.generate import generate
from flights.survey.spec import Survey, SurveySpec
from geo import shapes
from web.cli.common import as_json, echo_json, lang, pass_services
from web.wiring import Services

WORDS = {
    "en": {
        "lines": "{lines} lines, {turns} ways between them, direction {angle}",
        "corridor": "{lines} passes, {turns} ways between them",
        "length": "{flown:,.1f} km in all, {photos_km:,.1f} km of it with {photos:,} photos",
        "time": "{minutes:,.0f} min at {speed:g} m/s",
        "area": "{ha:,.1f} ha that may be seen, {covered:.1%} of it photographed",
        "gsd": "{gsd:.2f} cm a pixel from {alt:.0f} m, at worst {worst:.2f} cm",
        "written": "{out}: {items} items",
    },
    "zh": {
        "lines": "{lines} 条航线，{turns} 次连接，方向 {angle}",
        "corridor": "{lines} 条航带，{turns} 次连接",
        "length": "全程 {flown:,.1f} 千米，其中拍照 {photos_km:,.1f} 千米，{photos:,} 张",
        "time": "{minutes:,.0f} 分钟（{speed:g} 米/秒）",
        "area": "可拍摄 {ha:,.1f} 公顷，已覆盖 {covered:.1%}",
        "gsd": "每像素 {gsd:.2f} 厘米（航高 {alt:.0f} 米），最差 {worst:.2f} 厘米",
        "written": "{out}：{items} 项",
    },
}
F = TypeVar("F", bound=Callable[..., Any])
_IMAGE = re.compile(r"(\d{1,6})[xX*](\d{1,6})")


def _image(_context: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    found = _IMAGE.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no image size such as 5472x3648.")
    return int(found[1]), int(found[2])


def _finite(_context: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    """Refuses nan, which click takes for a number."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number.")
    return value


def _number(*names: str, **settings: Any) -> Callable[[F], F]:  # noqa: ANN401
    return click.option(*names, type=float, callback=_finite, **settings)


@click.command("survey")
@click.option("--area", "area_name", required=True, metavar="FILE|CODE", help="A GeoJSON file, or a patrol area.")
@click.option("--camera", help="A known camera, such as dji-phantom-4-pro.")
@_number("--hfov-deg", help="Full angle of the camera across the track, with --image.")
@click.option("--image", metavar="WxH", callback=_image, help="Size of a photo in pixels, such as 5472x3648.")
@click.option("--portrait", is_flag=True, help="The camera's short side lies across the track.")
@_number("--gsd-cm", help="Ground sampling distance, from which the height follows.")
@_number("--alt-agl-m", help="Height above the ground.")
@_number("--front", default=75.0, show_default=True, help="Overlap along the track, per cent.")
@_number("--side", default=65.0, show_default=True, help="Overlap across the track, per cent.")
@_number("--angle", "angle_deg", help="Direction of the lines from true north; that of the fewest turns without it.")
@click.option("--cross", is_flag=True, help="A second set of lines across the first.")
@click.option("--corridor", is_flag=True, help="The file holds a line; fly along it, --width-m wide.")
@_number("--width-m", help="Width of the corridor.")
@_number("--turnaround-m", default=0.0, help="Flown straight on beyond both ends of a line.")
@click.option("--open-holes", is_flag=True, help="Holes of the area may be seen, only not flown over.")
@click.option("--home", metavar="LON,LAT", default="", help="Take-off; where the first line begins without it.")
@_number("--speed-m-s", "speed_mps", default=8.0, show_default=True, help="Speed over the ground.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The plan file to write.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@as_json
@pass_services
def survey(services: Services, as_json: bool, area_name: str, out: Path, force: bool, **asked: Any) -> None:  # noqa: ANN401
    """Lays out a survey flight and writes it to OUT, such as survey.plan, .waypoints or .kmz.

    Neither lines nor the ways between them see a privacy zone; heights follow the terrain.
    """
    if out.exists() and not force:
        raise click.UsageError(f"{out} exists; give --force to replace it.")
    spec = SurveySpec(
        area=_area(services, area_name, corridor=asked["corridor"]),
        camera=(model := _camera(asked)),
        alt_agl_m=_height_m(asked, model),
        front=asked["front"] / 100,
        side=asked["side"] / 100,
        width_m=asked["width_m"] if asked["corridor"] else None,
        holes_private=not asked["open_holes"],
        home=read_place(asked["home"]),
        **{name: asked[name] for name in ("angle_deg", "cross", "turnaround_m", "speed_mps")},
    )
    with services.session() as session, open_ground(services.data_dir) as ground:
        around = queries.surroundings(session, services.rulebook, ground, spec, services.clock.now())
        made = generate(spec, around)
    out.write_bytes(write_plan(made.plan, out.suffix))
    if as_json:
        echo_json({"ok": True, "file": str(out), **made.stats.render()})
    else:
        _tell(made, spec, out)


def _area(services: Services, name: str, *, corridor: bool) -> Drawn:
    path = Path(name)
    if path.is_file():
        return read_shape(path.read_text(encoding="utf-8", errors="replace"), corridor=corridor)
    if corridor or path.suffix:
        raise click.UsageError(f"{name}: there is no such file.")
    with services.session() as session:
        return shapes.polygon(queries.area_named(session, name).geom)


def _camera(asked: dict[str, Any]) -> CameraModel:
    known, angle_deg, image = asked["camera"], asked["hfov_deg"], asked["image"]
    if (known is None) == (angle_deg is None or image is None):
        raise click.UsageError("Give either --camera, or --hfov-deg with --image.")
    camera = camera_named(known) if known is not None else CameraModel.of_angle(angle_deg, image)
    return camera.portrait if asked["portrait"] else camera


def _height_m(asked: dict[str, Any], camera: CameraModel) -> float:
    gsd_cm, alt_agl_m = asked["gsd_cm"], asked["alt_agl_m"]
    if (gsd_cm is None) == (alt_agl_m is None):
        raise click.UsageError("Give either --gsd-cm or --alt-agl-m.")
    return float(alt_agl_m) if gsd_cm is None else camera.alt_agl_m(gsd_cm)


def _tell(made: Survey, spec: SurveySpec, out: Path) -> None:
    words, stats = WORDS[lang()], made.stats
    angle = "" if stats.angle_deg is None else f"{stats.angle_deg:.1f}°"
    values = vars(stats) | {
        "angle": angle,
        "flown": stats.length_m / 1000,
        "photos_km": stats.photo_length_m / 1000,
        "minutes": stats.time_s / 60,
        "speed": spec.speed_mps,
        "ha": stats.area_m2 / 10_000,
        "gsd": stats.gsd_cm,
        "worst": stats.gsd_worst_cm,
        "alt": stats.alt_agl_m,
        "out": out,
    }
    for name in ("lines" if angle else "corridor", "length", "time", "area", "gsd", "written"):
        click.echo(f"  {words[name].format(**values)}")
