"""Checkpoints: read off their tensors, pinned by hash, never run; and what is refused, with the reason."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from schemas.refusals import LANGUAGES, RuleViolation
from sensing.segment.checkpoint import Anatomy, load
from tests.sam.models import REAL_SIZE, TINY, random_model, write_checkpoint

torch = pytest.importorskip("torch", reason="torch is not installed: ./run test tells how to get a CPU build")
pytestmark = pytest.mark.sam
APACHE = "Apache-2.0"


def text_of(refused: pytest.ExceptionInfo[RuleViolation]) -> str:
    (refusal,) = refused.value.refusals
    assert all(refusal.message(lang) and refusal.fix(lang) for lang in LANGUAGES)
    return refusal.text


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.pth"
    return path, write_checkpoint(path, random_model())


@pytest.mark.parametrize("anatomy", [TINY, REAL_SIZE])
def test_anatomy__of_a_model_that_was_built__is_the_one_it_was_built_with(anatomy):
    assert Anatomy.of(random_model(anatomy).state_dict()) == anatomy


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_anatomy__published_sizes__as_segment_anything_builds_them(name):
    from sensing.segment import sam_compat

    sam_compat.install()
    import segment_anything

    # On the meta device a model has shapes and no weights: three gigabytes are never touched.
    with torch.device("meta"):
        published = segment_anything.sam_model_registry[name]()
        anatomy = Anatomy.of(published.state_dict())
        ours = anatomy.build()
    assert anatomy.name == name
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (published, ours)]
    assert shapes[0] == shapes[1]
    assert repr(ours) == repr(published)
    heads = [[block.attn.num_heads for block in model.image_encoder.blocks] for model in (published, ours)]
    windows = [[block.window_size for block in model.image_encoder.blocks] for model in (published, ours)]
    assert heads[0] == heads[1]
    assert windows[0] == windows[1]


def test_load__own_checkpoint__same_weights_and_what_was_told(checkpoint):
    path, sha256 = checkpoint
    loaded = load(path, sha256, licence=APACHE)
    assert (loaded.sha256, loaded.architecture, loaded.licence) == (sha256, "vit_64x2", APACHE)
    before = random_model().state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in loaded.model.state_dict().items())


def test_load__licence_beside_the_checkpoint__its_first_line(tmp_path):
    path = tmp_path / "tiny.pth"
    sha256 = write_checkpoint(path, random_model())
    (tmp_path / "tiny.pth.licence").write_text("\n  CC-BY-4.0  \nmore text\n", encoding="utf-8")
    assert load(path, sha256).licence == "CC-BY-4.0"
    assert load(path, sha256, licence=APACHE).licence == APACHE


def test_load__nobody_told_the_licence__refused(checkpoint):
    with pytest.raises(RuleViolation) as refused:
        load(*checkpoint)
    assert text_of(refused) == "segment.checkpoint_licence"


def test_load__hash_differs__refused_before_anything_is_read(tmp_path):
    path = tmp_path / "sam.pth"
    path.write_bytes(b"not what was approved")
    with pytest.raises(RuleViolation) as refused:
        load(path, "0" * 64, licence=APACHE)
    assert text_of(refused) == "segment.checkpoint_hash"


def test_load__file_missing__refused(tmp_path):
    with pytest.raises(RuleViolation) as refused:
        load(tmp_path / "none.pth", "0" * 64, licence=APACHE)
    assert text_of(refused) == "file.reference"


class _Bomb:
    """An object whose reading back would touch a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


def _pinned(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_load__code_inside_the_pickle__refused_and_not_run(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "bomb.pth"
    torch.save({**random_model().state_dict(), "x": _Bomb(marker)}, path)
    with pytest.raises(RuleViolation) as refused:
        load(path, _pinned(path), licence=APACHE)
    assert text_of(refused) == "segment.checkpoint_file"
    assert not marker.exists()


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_load__truncated__refused(tmp_path, checkpoint, kept):
    path, content = tmp_path / "cut.pth", checkpoint[0].read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(RuleViolation) as refused:
        load(path, _pinned(path), licence=APACHE)
    assert text_of(refused) == "segment.checkpoint_file"


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"PK\x03\x04" + b"\0" * 60, b"\x80\x04N.", b"[1, 2]"])
def test_load__no_checkpoint_at_all__refused(tmp_path, content):
    path = tmp_path / "odd.pth"
    path.write_bytes(content)
    with pytest.raises(RuleViolation) as refused:
        load(path, _pinned(path), licence=APACHE)
    assert text_of(refused) in ("segment.checkpoint_file", "segment.checkpoint_model")


def _without(state, part):
    return {name: tensor for name, tensor in state.items() if not name.startswith(part)}


@pytest.mark.parametrize(
    "changed",
    [
        lambda state: _without(state, "mask_decoder"),
        lambda state: _without(state, "image_encoder"),
        lambda state: _without(state, "image_encoder.blocks.0"),
        lambda state: _without(state, "prompt_encoder.no_mask"),
        lambda state: {"model": state},
        lambda state: {**state, "another.weight": torch.zeros(1)},
        lambda state: {**state, "mask_decoder.iou_token.weight": torch.zeros(1, 7)},
        lambda state: {**state, "mask_decoder.iou_token.weight": torch.full((1, 256), torch.nan)},
        lambda state: {"backbone.conv.weight": torch.zeros(3, 3)},
        lambda state: {1: torch.zeros(1)},
        lambda state: [torch.zeros(1)],
        lambda state: {},
    ],
)
def test_load__another_model__refused(tmp_path, changed):
    path = tmp_path / "other.pth"
    torch.save(changed(random_model().state_dict()), path)
    with pytest.raises(RuleViolation) as refused:
        load(path, _pinned(path), licence=APACHE)
    assert text_of(refused) == "segment.checkpoint_model"


def test_load__another_architecture_than_was_told__refused(checkpoint):
    path, sha256 = checkpoint
    with pytest.raises(RuleViolation) as refused:
        load(path, sha256, architecture="vit_b", licence=APACHE)
    assert text_of(refused) == "segment.checkpoint_model"
    (refusal,) = refused.value.refusals
    assert (refusal.measured, refusal.required) == ("vit_64x2", "vit_b")


def test_load__weights_in_halves__as_full_numbers(tmp_path):
    path = tmp_path / "halves.pth"
    torch.save({name: tensor.half() for name, tensor in random_model().state_dict().items()}, path)
    loaded = load(path, _pinned(path), licence=APACHE)
    assert {tensor.dtype for tensor in loaded.model.state_dict().values()} == {torch.float32}
