"""The file of a privacy zone: one polygon, however the desks of surveyors wrap it."""

import json

import pytest
from shapely.geometry import MultiPolygon, box, mapping

from schemas.refusals import RuleViolation
from web.cli.zone_desk import polygon_of

PLACE = box(113.25, 23.12, 113.26, 23.13)
OTHER = box(113.27, 23.12, 113.28, 23.13)
CRS84 = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}

GAUSS_KRUEGER = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4526"}}


def feature(shape):
    return {"type": "Feature", "properties": {"fid": 1}, "geometry": mapping(shape)}


def layer(*features):
    return {"type": "FeatureCollection", "name": "zone", "crs": CRS84, "features": list(features)}


def written(folder, document):
    path = folder / "zone.geojson"
    path.write_text(json.dumps(document))
    return path


TAKEN = {
    "bare": mapping(PLACE),
    "feature": feature(PLACE),
    "layer of one": layer(feature(PLACE)),
    "one part": layer(feature(MultiPolygon([PLACE]))),
}


@pytest.mark.parametrize("document", TAKEN.values(), ids=TAKEN.keys())
def test_zone_file__one_polygon_in_any_wrapping__taken(tmp_path, document):
    assert polygon_of(written(tmp_path, document)).equals(PLACE)


REFUSED = {
    "no feature": (layer(), "zone.one_shape"),
    "two features": (layer(feature(PLACE), feature(OTHER)), "zone.one_shape"),
    "two parts": (feature(MultiPolygon([PLACE, OTHER])), "zone.one_shape"),
    "another grid": (layer(feature(PLACE)) | {"crs": GAUSS_KRUEGER}, "geometry.crs"),
    "a line": (layer(feature(PLACE.exterior)), "geometry.type"),
    "no object": (layer(7), "geometry.format"),
}


@pytest.mark.parametrize(("document", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_zone_file__anything_else__refused(tmp_path, document, rule):
    with pytest.raises(RuleViolation) as caught:
        polygon_of(written(tmp_path, document))
    assert [one.rule for one in caught.value.refusals] == [rule]
