"""Settings of one installation, read from the environment once; the only module that reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.limits import limit
from web.addresses import is_address

ROOT = Path(__file__).resolve().parent.parent
_SMTP = re.compile(r"smtps?://([^\s@/]+@)?[A-Za-z0-9.\[\]:-]+/?")
_SITE = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?/?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/?")
_POSTGRESQL = re.compile(r"(postgresql(\+psycopg)?|postgres)://\S+")


class Settings(BaseSettings):
    """What an operator may set, each as the environment variable `SKYWARDEN_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="SKYWARDEN_", extra="ignore", frozen=True)

    database_url: SecretStr | None = None
    """Any PostgreSQL with PostGIS; without it the private cluster of this checkout serves."""

    database_name: str = "skywarden"
    """The database inside the private cluster."""

    data_dir: Path = ROOT / ".local" / "data"
    """Originals, derivatives, flight logs and sample data."""

    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=1, le=65_535)

    behind_tls_proxy: bool = False
    """True where a proxy ends TLS in front of us; without it we serve loopback only."""

    trusted_hosts: str = "localhost,127.0.0.1,[::1]"
    """Host names, separated by commas, under which this installation answers."""

    rate_limits: bool = True
    """Whether requests of strangers are counted by network; off where something in front of us counts them."""

    map_lag_s: float = Field(default=10.0, ge=0, le=3600)
    """How long counts and the map seen from afar may lag behind a publication; from near they never do by a second."""

    channels: Path | None = None
    """A TOML file that says how each channel of the rule pack is reached: by a folder, or by a service over HTTP."""

    basemap: Path | None = None
    """A TOML file that names a base map of tiles (docs/basemap.md); without it the district's own vectors are drawn."""

    public_url: str | None = None
    """Where everybody reaches this installation, such as https://watch.example.org; mails and feeds lead there."""

    smtp_url: SecretStr | None = None
    """What sends mail: smtp://name:password@host:587 (with STARTTLS) or smtps://host; without it, no mail."""

    mail_from: str | None = None
    """The address that mails come from."""

    scene_pixels: int = Field(default=limit("raster.pixels"), ge=1)
    """The most pixels that one scene may have."""

    learned_models: bool = True
    """Whether scenes are looked at with the newest approved models of their authority."""

    sam_checkpoint: Path | None = None
    """A SAM 1 checkpoint; without it the default engine works alone."""

    sam_checkpoint_sha256: str | None = None
    """The pinned SHA-256 of that checkpoint; one that differs is refused."""

    sam_architecture: Literal["vit_b", "vit_l", "vit_h"] | None = None
    """Its size, where it should be no other; without it the tensors tell."""

    sam_licence: str | None = None
    """The licence of the weights, recorded with every run; else it lies beside them as `NAME.licence`."""

    sam_encoder: Path | None = None
    """Its encoder as an ONNX file that `skywarden model export-encoder` wrote: half the time on a processor."""

    sam_encoder_sha256: str | None = None
    """The pinned SHA-256 of that file."""

    sam_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where SAM runs: on a GPU where torch sees one, else on the processor."""

    sam_threads: int = Field(default=0, ge=0, le=1024)
    """How many threads SAM takes of the processor; 0 takes all. Outlines may differ in a pixel with another number."""

    sam_cache_bytes: int = Field(default=2 << 30, ge=0)
    """How much of the disk what SAM made of crops may take; a crop is two megabytes."""

    @property
    def sends_mail(self) -> bool:
        """Whether everything is there that a mail needs."""
        return bool(self.smtp_url and self.mail_from and self.public_url)

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp(cls, url: SecretStr | None) -> SecretStr | None:
        # As below: it may carry a password.
        if url is not None and not _SMTP.fullmatch(url.get_secret_value()):
            raise ValueError("it is no smtp:// or smtps:// address")
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        if address is not None and not is_address(address):
            raise ValueError("it is no plain address such as watch@example.org")
        return address

    @field_validator("public_url")
    @classmethod
    def _is_site(cls, url: str | None) -> str | None:
        if url is not None and not _SITE.fullmatch(url):
            raise ValueError("it is no https:// address (http:// on this machine alone)")
        return url

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        # Whatever is wrong with it, what is said holds no part of it: it may carry a password.
        if url is not None and not _POSTGRESQL.match(url.get_secret_value()):
            raise ValueError("it is no postgresql:// address")
        return url
