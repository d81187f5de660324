"""Touches the disk: a SAM 1 checkpoint as the model that it holds; its shape is read off its tensors.

Only tensors are read, and only from a file whose SHA-256 an operator has pinned.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only the name of an error; nothing is unpickled
from typing import IO, Any

from schemas.refusals import RuleViolation, invalid
from sensing.segment import sam_compat

RULE = "segment.checkpoint"
# The published sizes by width and depth of their encoder; others are named by these.
_NAMES = {(768, 12): "vit_b", (1024, 24): "vit_l", (1280, 32): "vit_h"}
# What no tensor tells: every published SAM 1 has it.
_DECODER_HEADS = 8
_CHUNK = 1 << 20
_BLOCK = re.compile(r"image_encoder\.blocks\.(\d+)\.")
# The licence lies beside the checkpoint under the same name with this ending.
_LICENCE_SUFFIX = ".licence"
_LONGEST_LICENCE = 200


@dataclass(frozen=True)
class Anatomy:
    """How large the parts of a SAM 1 are: everything that has to be known to build an empty one."""

    width: int
    depth: int
    heads: int
    patch_px: int
    image_px: int
    window: int
    global_blocks: tuple[int, ...]
    mlp_ratio: float
    channels: int
    masks: int
    decoder_depth: int
    decoder_mlp: int
    iou_depth: int
    iou_width: int
    mask_channels: int

    @property
    def name(self) -> str:
        """`vit_b`, `vit_l`, `vit_h`, or the width and depth of another encoder of the same family."""
        return _NAMES.get((self.width, self.depth), f"vit_{self.width}x{self.depth}")

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Anatomy:
        """Read off a state dict; raises KeyError, IndexError or ValueError where it is of something else."""
        shape = {name: tuple(tensor.shape) for name, tensor in state.items()}
        width, _, patch_px, _ = shape["image_encoder.patch_embed.proj.weight"]
        _, side, _, _ = shape["image_encoder.pos_embed"]
        depth = 1 + max(int(match[1]) for name in shape if (match := _BLOCK.match(name)))
        reaches = [(shape[f"image_encoder.blocks.{n}.attn.rel_pos_h"][0] + 1) // 2 for n in range(depth)]
        head_width = shape["image_encoder.blocks.0.attn.rel_pos_h"][1]
        windows = {reach for reach in reaches if reach != side}
        if len(windows) > 1 or width % head_width:
            raise ValueError("the blocks of the encoder do not fit together")
        iou = [shape[f"mask_decoder.iou_prediction_head.layers.{n}.weight"] for n in _layers(shape, "iou_prediction")]
        return cls(
            width=width,
            depth=depth,
            heads=width // head_width,
            patch_px=patch_px,
            image_px=side * patch_px,
            window=next(iter(windows), 0),
            global_blocks=tuple(number for number, reach in enumerate(reaches) if reach == side),
            mlp_ratio=shape["image_encoder.blocks.0.mlp.lin1.weight"][0] / width,
            channels=shape["image_encoder.neck.0.weight"][0],
            masks=shape["mask_decoder.mask_tokens.weight"][0] - 1,
            decoder_depth=len(_layers(shape, "transformer")),
            decoder_mlp=shape["mask_decoder.transformer.layers.0.mlp.lin1.weight"][0],
            iou_depth=len(iou),
            iou_width=iou[0][0],
            mask_channels=shape["prompt_encoder.mask_downscaling.3.weight"][0],
        )

    def build(self) -> Any:  # noqa: ANN401 - torch carries no types
        """A model of this shape with arbitrary weights. Raises RuleViolation where torch is not installed."""
        torch = torch_or_refuse()
        parts = importlib.import_module("segment_anything.modeling")
        side = self.image_px // self.patch_px
        return parts.Sam(
            image_encoder=parts.ImageEncoderViT(
                depth=self.depth,
                embed_dim=self.width,
                img_size=self.image_px,
                mlp_ratio=self.mlp_ratio,
                norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
                num_heads=self.heads,
                patch_size=self.patch_px,
                qkv_bias=True,
                use_rel_pos=True,
                global_attn_indexes=self.global_blocks,
                window_size=self.window,
                out_chans=self.channels,
            ),
            prompt_encoder=parts.PromptEncoder(
                embed_dim=self.channels,
                image_embedding_size=(side, side),
                input_image_size=(self.image_px, self.image_px),
                mask_in_chans=self.mask_channels,
            ),
            mask_decoder=parts.MaskDecoder(
                num_multimask_outputs=self.masks,
                transformer=parts.TwoWayTransformer(
                    depth=self.decoder_depth,
                    embedding_dim=self.channels,
                    mlp_dim=self.decoder_mlp,
                    num_heads=_DECODER_HEADS,
                ),
                transformer_dim=self.channels,
                iou_head_depth=self.iou_depth,
                iou_head_hidden_dim=self.iou_width,
            ),
        ).eval()


def _layers(shape: Mapping[str, Any], part: str) -> list[int]:
    """The numbers of the layers of a part of the decoder."""
    names = (re.match(rf"mask_decoder\.{part}\w*\.layers\.(\d+)\.", name) for name in shape)
    return sorted({int(match[1]) for match in names if match})


@dataclass(frozen=True)
class Loaded:
    """A model with its weights, the hash of their file, what size it is, and the licence that an operator told."""

    model: Any
    sha256: str
    architecture: str
    licence: str


def load(path: Path, sha256: str, *, architecture: str | None = None, licence: str | None = None) -> Loaded:
    """The model in a checkpoint. Raises RuleViolation `segment.checkpoint` with the reason.

    That is: the file is not what its hash says, carries anything but tensors, is no SAM 1 or of another size than
    was told, or nobody told its licence (as a setting, or in a file beside it).
    """
    if not path.is_file():
        raise invalid("file.reference", "file.reference", name=path.name)
    told = licence_of(path, licence)
    with path.open("rb") as file:
        # What is loaded is what was hashed, also where the path means another file meanwhile.
        found = sha256_of(file)
        if found != sha256:
            raise invalid(RULE, "segment.checkpoint_hash", measured=found, required=sha256)
        torch = torch_or_refuse()
        file.seek(0)
        state = _state(torch, file)
    anatomy = _anatomy(state)
    if anatomy is None or (architecture and anatomy.name != architecture):
        raise _no_model(architecture, anatomy)
    model = anatomy.build()
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except RuntimeError as error:
        raise _no_model(architecture, None) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise _no_model(architecture, None)
    return Loaded(model, found, anatomy.name, told)


def _no_model(told: str | None, found: Anatomy | None) -> RuleViolation:
    required, measured = told or "SAM 1", found.name if found else "–"
    return invalid(RULE, "segment.checkpoint_model", required=required, measured=measured)


def _state(torch: Any, file: IO[bytes]) -> Mapping[str, Any]:  # noqa: ANN401
    """The named tensors of a file; nothing else is ever read from it."""
    try:
        with warnings.catch_warnings():
            # Torch warns of pickles that it was not made for; those are refused here with a reason.
            warnings.simplefilter("ignore")
            state = torch.load(file, map_location="cpu", weights_only=True)
    # What a damaged file does to its reader is different for every byte.
    except (RuntimeError, KeyError, EOFError, UnpicklingError, ValueError, OSError, TypeError, AttributeError) as error:
        raise invalid(RULE, "segment.checkpoint_file") from error
    is_state = isinstance(state, dict) and all(torch.is_tensor(one) for one in state.values())
    if not is_state or not all(isinstance(name, str) for name in state):
        raise _no_model(None, None)
    plain: Mapping[str, Any] = state
    return plain


def _anatomy(state: Mapping[str, Any]) -> Anatomy | None:
    try:
        return Anatomy.of(state)
    except (KeyError, IndexError, ValueError, TypeError):
        return None


def licence_of(path: Path, told: str | None) -> str:
    """The licence of a checkpoint in a line: as told, else the first line of the file beside it.

    Raises RuleViolation where neither says anything: weights of unknown licence are not used.
    """
    beside = path.with_name(path.name + _LICENCE_SUFFIX)
    text = told or (beside.read_text(encoding="utf-8", errors="replace") if beside.is_file() else "")
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if not line:
        raise invalid(RULE, "segment.checkpoint_licence", name=path.name, required=beside.name)
    return line[:_LONGEST_LICENCE]


def sha256_of(file: IO[bytes]) -> str:
    """SHA-256 of an open file from where it stands to its end."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def torch_or_refuse() -> Any:  # noqa: ANN401
    """The module torch, with segment-anything importable. Raises RuleViolation where either is not installed."""
    try:
        torch = importlib.import_module("torch")
        sam_compat.install()
        importlib.import_module("segment_anything")
    except ImportError as error:
        raise invalid(RULE, "segment.torch", measured=error.name or "torch") from error
    return torch
