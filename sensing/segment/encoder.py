"""Touches the disk: the encoder of a checkpoint as an ONNX file, which takes half the time on a processor.

It is exported here, from a checkpoint that was verified, and compared with it before anybody may use it; the file says
which checkpoint it is of. Its own SHA-256 is pinned like that of the checkpoint.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from schemas.refusals import invalid
from sensing.segment.checkpoint import RULE, Loaded, sha256_of, torch_or_refuse

_OPSET = 17
_IMAGE, _FEATURES = "image", "features"
_CHECKPOINT = "checkpoint_sha256"
# How far the two may differ anywhere, in units of what features vary by; measured: a hundred thousandth.
TOLERANCE = 1e-3
# One file of this format holds no more than two gigabytes.
_LARGEST_BYTES = 2000 << 20
_SEED = 20250702


@dataclass(frozen=True)
class Exported:
    """An encoder that was written and compared: its hash, and by how much it differs from the one it was made from."""

    path: Path
    sha256: str
    difference: float


class OnnxEncoder:
    """An exported encoder (implements `Encoder`)."""

    name = "onnxruntime"

    def __init__(self, session: Any, sha256: str, version: str) -> None:  # noqa: ANN401 - onnxruntime carries no types
        self._session = session
        self.sha256 = sha256
        self.version = version

    @classmethod
    def load(cls, path: Path, sha256: str | None, checkpoint_sha256: str, threads: int = 0) -> Self:
        """An encoder whose hash an operator has pinned.

        Raises RuleViolation `segment.checkpoint` where the file is not that one, or is of another checkpoint.
        """
        if not path.is_file():
            raise invalid("file.reference", "file.reference", name=path.name)
        if not sha256:
            raise invalid(RULE, "segment.encoder_pin", name=path.name)
        with path.open("rb") as file:
            found = sha256_of(file)
        if found != sha256:
            raise invalid(RULE, "segment.checkpoint_hash", measured=found, required=sha256)
        session, version = _session(path, threads)
        of = session.get_modelmeta().custom_metadata_map.get(_CHECKPOINT, "")
        if of != checkpoint_sha256:
            raise invalid(RULE, "segment.encoder_other", measured=of or "–", required=checkpoint_sha256)
        return cls(session, found, version)

    def encode(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Encoder.encode`."""
        features: NDArray[np.float32] = self._session.run(None, {_IMAGE: prepared})[0]
        return features


def _module(name: str) -> Any:  # noqa: ANN401 - neither carries types
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise invalid(RULE, "segment.no_onnx", measured=name) from error


def _session(path: Path, threads: int = 0) -> tuple[Any, str]:
    runtime = _module("onnxruntime")
    options = runtime.SessionOptions()
    # The arena of the processor keeps what it once needed: gigabytes more with every other crop.
    options.enable_cpu_mem_arena = False
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    # Threads that wait for each other by turning in circles keep everybody else from working.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (state.InvalidProtobuf, state.Fail, state.InvalidGraph, state.InvalidArgument, RuntimeError) as error:
        raise invalid(RULE, "segment.encoder_file", name=path.name) from error
    return session, str(runtime.__version__)


def export(loaded: Loaded, target: Path) -> Exported:
    """Write the encoder of a checkpoint as an ONNX file, and compare both on an image of noise.

    Raises RuleViolation `segment.checkpoint` where the exporter is not installed, or the two differ too much: then no
    file is left.
    """
    torch = torch_or_refuse()
    for name in ("onnx", "onnxruntime"):
        _module(name)
    encoder = loaded.model.image_encoder
    weight_bytes = sum(tensor.numel() * tensor.element_size() for tensor in encoder.parameters())
    if weight_bytes > _LARGEST_BYTES:
        raise invalid(RULE, "segment.encoder_large", measured=loaded.architecture, required=_LARGEST_BYTES >> 20)
    side = int(encoder.img_size)
    image = torch.from_numpy(np.random.default_rng(_SEED).normal(size=(1, 3, side, side)).astype(np.float32))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    draft = Path(name)
    try:
        _write(torch, encoder, image, draft)
        _label(draft, loaded.sha256)
        difference = _difference(torch, encoder, image, draft)
        if not difference <= TOLERANCE:
            raise invalid(RULE, "segment.encoder_differs", measured=difference, required=TOLERANCE)
        with draft.open("rb") as file:
            sha256 = sha256_of(file)
        draft.chmod(0o444)
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    return Exported(target, sha256, difference)


def _write(torch: Any, encoder: Any, image: Any, path: Path) -> None:  # noqa: ANN401
    # What only training needs is not kept.
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter warns that sizes become constants, which is what a fixed size of image means.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder,
            (image,),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=[_IMAGE],
            output_names=[_FEATURES],
        )


def _label(path: Path, checkpoint_sha256: str) -> None:
    """Write into the file which checkpoint it is of."""
    onnx = importlib.import_module("onnx")
    model = onnx.load(str(path))
    entry = model.metadata_props.add()
    entry.key, entry.value = _CHECKPOINT, checkpoint_sha256
    onnx.save(model, str(path))


def _difference(torch: Any, encoder: Any, image: Any, path: Path) -> float:  # noqa: ANN401
    """The largest difference of any feature, over how much features vary."""
    with torch.inference_mode():
        expected = encoder(image).numpy()
    session, _ = _session(path)
    found = session.run(None, {_IMAGE: image.numpy()})[0]
    return float(np.abs(found - expected).max() / max(float(expected.std()), 1e-12))
