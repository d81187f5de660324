"""The encoder as an ONNX file: exported from a verified checkpoint, compared, labelled, pinned; refused otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.refusals import LANGUAGES, RuleViolation
from sensing.segment import encoder
from sensing.segment.checkpoint import load
from sensing.segment.encoder import TOLERANCE, OnnxEncoder, export
from sensing.segment.sam import Choice, Sam, load_sam
from tests.sam.models import ALONE, random_model, write_checkpoint

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.sam


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkpoint with its hash, and its exported encoder."""
    folder = tmp_path_factory.mktemp("encoder")
    path = folder / "tiny.pth"
    sha256 = write_checkpoint(path, random_model())
    loaded = load(path, sha256, licence="Apache-2.0")
    return path, sha256, export(loaded, folder / "encoder.onnx")


def text_of(refused: pytest.ExceptionInfo[RuleViolation]) -> str:
    (refusal,) = refused.value.refusals
    assert all(refusal.message(lang) and refusal.fix(lang) for lang in LANGUAGES)
    return refusal.text


def test_export__a_checkpoint__the_same_features_within_the_tolerance(made):
    path, sha256, exported = made
    assert exported.difference <= TOLERANCE
    assert [one.name for one in exported.path.parent.iterdir() if one.name.startswith(".")] == []
    crop = np.random.default_rng(3).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    plain = Sam(load(path, sha256, licence="Apache-2.0"), **ALONE)
    choice = Choice(path, sha256, None, "Apache-2.0", exported.path, exported.sha256, **ALONE)
    quick = load_sam(choice)
    ours, theirs = quick.encode(crop), plain.encode(crop)
    assert (ours.size, ours.input_size) == (theirs.size, theirs.input_size)
    # Halves have eleven bits.
    assert ours.features.astype(np.float32) == pytest.approx(theirs.features.astype(np.float32), abs=5e-3)
    assert quick.sha256 != plain.sha256
    about = quick.about()
    assert (about["encoder"], about["encoder_sha256"]) == ("onnxruntime", exported.sha256)
    assert about["encoder_version"]
    assert quick.encode(crop).features.tobytes() == ours.features.tobytes()


def test_load__hash_differs_or_is_not_pinned__refused(made):
    _, sha256, exported = made
    for pin, text in (("0" * 64, "segment.checkpoint_hash"), (None, "segment.encoder_pin")):
        with pytest.raises(RuleViolation) as refused:
            OnnxEncoder.load(exported.path, pin, sha256)
        assert text_of(refused) == text


def test_load__encoder_of_another_checkpoint__refused(made):
    with pytest.raises(RuleViolation) as refused:
        OnnxEncoder.load(made[2].path, made[2].sha256, "f" * 64)
    assert text_of(refused) == "segment.encoder_other"


def test_load__no_file__refused(tmp_path):
    with pytest.raises(RuleViolation) as refused:
        OnnxEncoder.load(tmp_path / "none.onnx", "0" * 64, "0" * 64)
    assert text_of(refused) == "file.reference"


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07" + bytes(50)])
def test_load__no_model__refused(tmp_path, content):
    import hashlib

    path = tmp_path / "odd.onnx"
    path.write_bytes(content)
    with pytest.raises(RuleViolation) as refused:
        OnnxEncoder.load(path, hashlib.sha256(content).hexdigest(), "0" * 64)
    assert text_of(refused) == "segment.encoder_file"


def test_export__differs_from_its_checkpoint__refused_and_no_file_is_left(made, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder, "_difference", lambda *_: 0.01)
    path, sha256, _ = made
    with pytest.raises(RuleViolation) as refused:
        export(load(path, sha256, licence="Apache-2.0"), tmp_path / "encoder.onnx")
    assert text_of(refused) == "segment.encoder_differs"
    assert list(tmp_path.iterdir()) == []


def test_export__too_large_for_one_file__refused(made, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder, "_LARGEST_BYTES", 1000)
    path, sha256, _ = made
    with pytest.raises(RuleViolation) as refused:
        export(load(path, sha256, licence="Apache-2.0"), tmp_path / "encoder.onnx")
    assert text_of(refused) == "segment.encoder_large"


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_export__exporter_is_not_installed__refused(made, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(__import__("sys").modules, missing, None)
    path, sha256, _ = made
    with pytest.raises(RuleViolation) as refused:
        export(load(path, sha256, licence="Apache-2.0"), tmp_path / "encoder.onnx")
    assert text_of(refused) == "segment.no_onnx"
    assert list(tmp_path.iterdir()) == []
