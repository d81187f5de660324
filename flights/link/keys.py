"""Keys of aircraft: one each, in files that only this account reads. Touches the disk.

A key is never in the database, in a log or in a record; there, its fingerprint stands for it. The file bears the
fingerprint in its name and is written before the database names it, so that whatever ends between the two leaves
the key that was in force in force.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from flights.link.errors import VehicleRefused
from flights.link.signing import KEY_BYTES, Signature
from schemas.refusals import conflict
from schemas.store.work import Work
from schemas.tables import Drone
from schemas.tables.signing import AircraftSigning

FOLDER = "keys"
# Links are told apart by this number in every signature; the pilot's own station has 0.
LINK_ID = 1
_PRIVATE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class House(Protocol):
    """What is needed of an installation; web/wiring.py's services are one."""

    @property
    def data_dir(self) -> Path:
        """Where the keys lie, in a folder of their own."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """A session for reading."""
        ...


@dataclass(frozen=True)
class Key:
    """A secret key; shows its fingerprint alone."""

    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits by which a key is told from another, and from which nothing of it follows."""
        return hashlib.sha256(b"skywarden aircraft key\0" + self.secret).hexdigest()[:16]


@dataclass(frozen=True)
class Keyring:
    """The keys folder of an installation."""

    folder: Path

    @classmethod
    def of(cls, data_dir: Path) -> Keyring:
        """The keyring below a data directory; the folder is made when a first key comes."""
        return cls(data_dir / FOLDER)

    def read(self, drone_id: uuid.UUID, fingerprint: str) -> Key | None:
        """The key of that fingerprint, None where it is not here.

        Raises VehicleRefused `key.exposed` for one that others could read, `key.damaged` for one that is not it.
        """
        path = self._path(drone_id, fingerprint)
        try:
            with path.open("rb") as file:
                mode, secret = os.fstat(file.fileno()).st_mode, file.read(KEY_BYTES + 1)
        except FileNotFoundError:
            return None
        if mode & _OTHERS:
            raise VehicleRefused.because("key.exposed", measured=path.name)
        key = Key(secret)
        if len(secret) != KEY_BYTES or key.fingerprint != fingerprint:
            raise VehicleRefused.because("key.damaged", measured=path.name)
        return key

    def write(self, drone_id: uuid.UUID, key: Key) -> None:
        """Puts a key down, complete and on the disk, beside those that are there."""
        self._write(self._path(drone_id, key.fingerprint), key.secret)

    def forget_others(self, drone_id: uuid.UUID, fingerprint: str) -> None:
        """Removes the keys that an aircraft had before the one of `fingerprint`."""
        for path in self.folder.glob(f"{drone_id}.*.key"):
            if path != self._path(drone_id, fingerprint):
                path.unlink(missing_ok=True)

    def last_stamp(self, drone_id: uuid.UUID) -> int:
        """The time stamp above which the next signature must be; 0 where nothing was ever signed."""
        try:
            return int(self._stamp_path(drone_id).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def keep_stamp(self, drone_id: uuid.UUID, stamp: int) -> None:
        """Writes a time stamp down before it is used; raises OSError."""
        self._write(self._stamp_path(drone_id), str(stamp).encode("ascii"))

    def _path(self, drone_id: uuid.UUID, fingerprint: str) -> Path:
        return self.folder / f"{drone_id}.{fingerprint}.key"

    def _stamp_path(self, drone_id: uuid.UUID) -> Path:
        return self.folder / f"{drone_id}.stamp"

    def _write(self, path: Path, content: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        self._settle()

    def _settle(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# -- what changes ---------------------------------------------------------------------------------------


def issue(work: Work, drone: Drone, keyring: Keyring) -> str:
    """Makes a new key for an aircraft and returns its fingerprint; whether its link must be signed stays as it is.

    The key in force until now is removed by `forget_others` when the work has been committed.
    """
    key = Key(secrets.token_bytes(KEY_BYTES))
    keyring.write(drone.device_id, key)
    row = work.session.get(AircraftSigning, drone.device_id)
    before = None if row is None else row.fingerprint
    if row is None:
        row = AircraftSigning(drone_id=drone.device_id)
        work.session.add(row)
    row.fingerprint, row.issued_at, row.issued_by = key.fingerprint, work.now, work.actor.person_id
    row.provisioned_at = None
    work.record("aircraft.key_issue", "device", drone.device_id, {"fingerprint": key.fingerprint, "replaces": before})
    return key.fingerprint


def require(work: Work, drone: Drone, keyring: Keyring, *, required: bool) -> str:
    """Has the aircraft's link refused without a signature, or no longer; returns the fingerprint of its key.

    Raises RuleViolation `key.none` without a key, `key.missing` where its file is not on this host.
    """
    row = issued_to(work.session, drone)
    if required and keyring.read(drone.device_id, row.fingerprint) is None:
        raise VehicleRefused.because("key.missing", measured=row.fingerprint)
    row.required = required
    action = "aircraft.key_require" if required else "aircraft.key_relax"
    work.record(action, "device", drone.device_id, {"fingerprint": row.fingerprint})
    return row.fingerprint


def mark_provisioned(work: Work, drone: Drone, fingerprint: str, wire: str) -> None:
    """Records that the key was handed to the aircraft over `wire` (serial or loopback) and is signed with."""
    issued_to(work.session, drone).provisioned_at = work.now
    work.record("aircraft.key_provision", "device", drone.device_id, {"fingerprint": fingerprint, "wire": wire})


# -- what is asked -------------------------------------------------------------------------------------


def issued_to(session: Session, drone: Drone) -> AircraftSigning:
    """The key that an aircraft was given; raises RuleViolation 409 `key.none`."""
    row = session.get(AircraftSigning, drone.device_id)
    if row is None:
        raise conflict("key.none", "key.none", drone=drone.registration_no)
    return row


def signature_for(house: House, drone: Drone) -> Signature | None:
    """What signs and verifies the link of an aircraft, None where no key was ever issued to it.

    Where signatures are not required (yet), unsigned frames pass and the key is not needed on this host. Raises
    VehicleRefused `key.missing`, `key.exposed`, `key.damaged`: a link that must be signed is not opened without.
    """
    with house.session() as session:
        row = session.get(AircraftSigning, drone.device_id)
        if row is None:
            return None
        fingerprint, required = row.fingerprint, row.required
    keyring, drone_id = Keyring.of(house.data_dir), drone.device_id
    key = keyring.read(drone_id, fingerprint)
    if key is None:
        if required:
            raise VehicleRefused.because("key.missing", measured=fingerprint)
        return None
    return Signature(
        key.secret,
        LINK_ID,
        strict=required,
        sent=keyring.last_stamp(drone_id),
        keep=lambda stamp: keyring.keep_stamp(drone_id, stamp),
    )
