"""Settings of one installation, read from the environment once; the only module that reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.limits import limit

ROOT = Path(__file__).resolve().parent.parent
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

    channels: Path | None = None
    """A TOML file that says how each channel of the rule pack is reached: by a folder, or by a service over HTTP."""

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

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        # Whatever is wrong with it, what is said holds no part of it: it may carry a password.
        if url is not None and not _POSTGRESQL.match(url.get_secret_value()):
            raise ValueError("it is no postgresql:// address")
        return url
