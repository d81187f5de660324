"""The certificates of relays: a small authority of this installation's own, for this one purpose. Touches the disk.

Both ends prove themselves: the gateway with a certificate for the name `GATEWAY_NAME`, whatever its address, and the
relay with one that the database knows. The authority's key is a file that this account alone reads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from schemas.refusals import invalid

FOLDER = "relay"
GATEWAY_NAME = "gateway.skywarden.internal"
AUTHORITY_VALID = timedelta(days=3650)
# Clocks of laptops in the field are off; a certificate is good from a little before it was made.
CLOCK_LEEWAY = timedelta(minutes=10)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, as one PEM text with the authority's; shows its fingerprint alone."""

    pem: bytes = field(repr=False)
    sha256: str


@dataclass(frozen=True)
class Authority:
    """The authority whose certificate and key lie in a folder of the data directory."""

    folder: Path

    @classmethod
    def of(cls, data_dir: Path, now: datetime) -> Authority:
        """The authority of an installation, made at first use."""
        authority = cls(data_dir / FOLDER)
        if not authority._path("authority").exists():
            authority._found(now)
        return authority

    def issue_relay(self, name: str, now: datetime, expires_at: datetime) -> Issued:
        """A certificate for one relay, good until `expires_at`."""
        return self._issue(name, now, expires_at, ExtendedKeyUsageOID.CLIENT_AUTH)

    def gateway_context(self, now: datetime) -> ssl.SSLContext:
        """What a gateway listens with: its own certificate, and only relays of this authority let in."""
        path = self._path("gateway")
        if not path.exists():
            issued = self._issue(GATEWAY_NAME, now, now + AUTHORITY_VALID, ExtendedKeyUsageOID.SERVER_AUTH)
            write_private(path, issued.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(path)
        context.load_verify_locations(self._path("authority"))
        return context

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def _found(self, now: datetime) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Skywarden relays")
        certificate = (
            _builder(name, name, key, now, now + AUTHORITY_VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_may_sign(certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        # Gateways that start together found it together: the first one counts for all.
        write_private(self._path("authority"), _pem(key) + _pem_of(certificate), replaces=False)

    def _issue(self, name: str, now: datetime, expires_at: datetime, use: x509.ObjectIdentifier) -> Issued:
        held = self._path("authority").read_bytes()
        authority_key = serialization.load_pem_private_key(held, None)
        authority = x509.load_pem_x509_certificate(held)
        assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(name), authority.subject, key, now, expires_at)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_may_sign(certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        der = certificate.public_bytes(serialization.Encoding.DER)
        return Issued(_pem(key) + _pem_of(certificate) + _pem_of(authority), hashlib.sha256(der).hexdigest())


def relay_context(credential: Path) -> ssl.SSLContext:
    """What a relay calls with: its certificate, and only the gateway of the authority that issued it is believed.

    Raises RuleViolation 422 `relay.credential` for a file that is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(credential)
        certificates = x509.load_pem_x509_certificates(credential.read_bytes())
        # The last one is the authority's: to trust the first would be to believe whoever holds a relay's key.
        context.load_verify_locations(cadata=_pem_of(certificates[-1]).decode("ascii"))
    except (OSError, ssl.SSLError, ValueError) as error:
        raise invalid("relay.credential", measured=credential.name) from error
    return context


def write_private(path: Path, content: bytes, *, replaces: bool = True) -> None:
    """Writes a file that this account alone reads, whole or not at all; without `replaces` one that is there stays."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            fresh.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(fresh)
    finally:
        fresh.unlink(missing_ok=True)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_LEEWAY)
        .not_valid_after(until)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _may_sign(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, layout = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, layout, serialization.NoEncryption())


def _pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
