"""Touches the disk: files of models by their hash, and the one door through which a model comes into use."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import conflict, not_found
from schemas.tables import ModelVersion
from schemas.words import Coded
from sensing.intake import Shelf
from sensing.learn.objects import ObjectModel
from sensing.learn.pixel import PixelModel, corrupt
from sensing.originals import ContentStore
from sensing.scratch import private_directory

PIXEL, OBJECT = "pixel", "object"
APPROVED = "approved"


def files(shelf: Shelf) -> ContentStore:
    """The files of all models of an installation."""
    return ContentStore(shelf.root / "models")


def keep(shelf: Shelf, data: bytes) -> str:
    """Keep the file of a model; its SHA-256."""
    with private_directory(shelf.root, "model-") as folder:
        path = folder / "model.npz"
        path.write_bytes(data)
        return files(shelf).put(path)


def approved(session: Session, model_id: str) -> ModelVersion:
    """A version that may be used. Raises RuleViolation 404 for an unknown one, 409 for one that is not approved."""
    model = session.scalars(select(ModelVersion).where(ModelVersion.public_id == model_id)).one_or_none()
    if model is None:
        raise not_found("store.unknown", "store.not_found", subject=Coded("subject", ["model"]), measured=model_id)
    if model.state != APPROVED:
        raise conflict("GD-05.2", "model.state", name=model_id, measured=Coded("state", [model.state]))
    return model


def pixel_model(session: Session, shelf: Shelf, model_id: str) -> PixelModel:
    """The approved pixel model with that public id; raises RuleViolation where it may not or cannot be used."""
    return PixelModel.from_bytes(_data(approved(session, model_id), shelf))


def object_model(session: Session, shelf: Shelf, model_id: str) -> ObjectModel:
    """The approved re-ranker with that public id; raises RuleViolation where it may not or cannot be used."""
    return ObjectModel.from_bytes(_data(approved(session, model_id), shelf))


def _data(model: ModelVersion, shelf: Shelf) -> bytes:
    return read(files(shelf).get(model.sha256), model.sha256)


def read(path: Path, sha256: str) -> bytes:
    """The file of a model. Raises RuleViolation `model.corrupt` where it is not what its hash says."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise corrupt("its hash")
    return data
