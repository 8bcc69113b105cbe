"""Settings: every option of the service, typed, with its default and when to change it; read from ``GEMELLO_*``."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.bundle.encoder import Precision, Runtime
from app.errors import SettingsError
from app.images.limits import ImageLimits

PREFIX = "GEMELLO_"
# Read by the command line, not by the service; an unknown name is refused, so these are known.
CLIENT_VARIABLES = frozenset({"GEMELLO_URL", "GEMELLO_KEY"})

_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    host: str = Field(
        "127.0.0.1", description="Address to listen on. Change it to serve other machines."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    data_dir: Path = Field(
        _ROOT / "data",
        description="Folder of the gallery: database and images. Back this one up.",
    )
    model_store: Path = Field(
        _ROOT / "model_store", description="Folder of published models, `name/version/`."
    )
    model: str = Field(
        "default", description="Model to serve: `name` (its active version) or `name/version`."
    )
    runtime: Runtime = Field(
        "openvino", description="`openvino` for CPUs; `tensorflow` for GPUs (needs the extra)."
    )
    precision: Precision = Field(
        "float32",
        description="`bfloat16` is faster on CPUs that have it, and moves distances a little. "
        "OpenVINO only.",
    )
    sample_gallery: bool = Field(
        True, description="Fill a gallery that is empty at start with the bundled sample images."
    )
    gallery_dir: Path | None = Field(
        None,
        description="Folder to index at start, its subfolder names as labels. Images already "
        "known are not read again.",
    )
    import_dir: Path | None = Field(
        None,
        description="Folder whose subfolders callers with the write key may have indexed. Unset: "
        "none.",
    )
    url_import: bool = Field(
        False,
        description="Let callers with the write key name addresses on the web to fetch images "
        "from. Private, loopback and link-local addresses are refused all the same.",
    )
    read_key: SecretStr | None = Field(
        None, description="Key asked of every caller that only reads. Unset: reading needs no key."
    )
    write_key: SecretStr | None = Field(
        None, description="Key asked of callers that change the gallery; it may read, too."
    )
    allowed_hosts: str = Field(
        "",
        pattern=r"^[\w.*, -]*$",
        description="Names that the service is reached by, separated by commas, as in "
        "`images.example`; `*` means any. Addresses and `localhost` always work, and every name where both "
        "keys are set; without them a web page could have a name of its own point here.",
    )
    cors_origins: str = Field(
        "",
        description="Web pages of other addresses that may call the service from a browser, "
        "separated by commas, as in `https://shop.example`; `*` means any.",
    )
    allow_anonymous: bool = Field(
        False, description="Listen beyond this machine without keys. Only behind your own guard."
    )
    max_image_bytes: int = Field(20_000_000, ge=1, description="Largest image file accepted.")
    max_image_pixels: int = Field(
        50_000_000, ge=1, description="Largest image accepted, in pixels once decoded."
    )
    max_jpeg_scans: int = Field(
        64, ge=1, description="Most scans of a progressive JPEG; each costs a pass over it."
    )
    max_decode_memory: int = Field(
        0,
        ge=0,
        description="Memory that large images may take together while they are decoded, in bytes; one that "
        "alone takes more is refused. 0 means a quarter of what the process may use, and at least "
        "512 MB. Small images never wait for large ones, and take up to an eighth more, or 64 MB.",
    )
    max_images_per_request: int = Field(
        100, ge=1, le=1000, description="Most images in one upload."
    )
    max_request_bytes: int = Field(
        200_000_000, ge=1, description="Largest request body; it is spooled to a temporary file."
    )
    max_concurrent_requests: int = Field(
        64,
        ge=1,
        description="Requests in progress at once, each counted once its body has arrived; more are "
        "answered with 429.",
    )
    request_timeout_s: float = Field(
        60.0, gt=0, description="Time a caller has to send a request's body, in seconds."
    )
    max_queued_jobs: int = Field(
        100,
        ge=1,
        description="Imports that may wait or run; more are answered with 429, and so are archives once "
        "those that wait take ten times `GEMELLO_MAX_REQUEST_BYTES` on the disk.",
    )
    max_gallery_images: int = Field(
        0, ge=0, description="Most images in the gallery; 0 means any number."
    )
    max_gallery_bytes: int = Field(
        0, ge=0, description="Most bytes of image files in the gallery; 0 means any number."
    )
    read_timeout_s: float = Field(
        600.0,
        gt=0,
        description="Time that looking for near-duplicates may take, in seconds; it grows with the "
        "square of the gallery.",
    )
    decode_threads: int = Field(
        0, ge=0, le=256, description="Images decoded at once; 0 means one for each core."
    )
    inference_threads: int = Field(
        0, ge=0, le=256, description="Threads of the model runtime; 0 lets it choose."
    )
    max_batch: int = Field(16, ge=1, le=1024, description="Most images in one inference.")
    queue_size: int = Field(
        256, ge=16, description="Images that may wait for the model; more are answered with 429."
    )
    match_false_alarms: float = Field(
        0.05,
        gt=0,
        le=0.5,
        description="Of the queries that have no match in the gallery, the part that may be told of "
        "one: 0.05 is one in twenty. Fewer false alarms miss more matches.",
    )
    quarantine_days: int = Field(
        30,
        ge=0,
        description="Days that files without a record are kept in the data folder's `quarantine`.",
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for a log collector."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least serious message that is logged."
    )

    otlp_endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="Address of an OpenTelemetry collector to send traces to (OTLP over HTTP), as in "
        "`http://127.0.0.1:4318`. Unset: none are made.",
    )

    @property
    def allowed_host_names(self) -> list[str]:
        return [name.lower() for name in _separated(self.allowed_hosts)]

    @property
    def allowed_origins(self) -> list[str]:
        return _separated(self.cors_origins)

    @property
    def image_limits(self) -> ImageLimits:
        return ImageLimits(self.max_image_bytes, self.max_image_pixels, self.max_jpeg_scans)

    def check_exposure(self) -> None:
        """Refuse to listen beyond this machine without keys. Raises ``SettingsError``."""
        if self.read_key and not self.write_key:
            raise SettingsError(
                "GEMELLO_READ_KEY is set without GEMELLO_WRITE_KEY, so anyone could still write; "
                "set both."
            )
        if self.read_key and self.read_key == self.write_key:
            raise SettingsError(
                "GEMELLO_READ_KEY and GEMELLO_WRITE_KEY are the same, so every reader could write; "
                "set two different ones."
            )
        if _is_loopback(self.host) or self.allow_anonymous or (self.read_key and self.write_key):
            return
        raise SettingsError(
            f"GEMELLO_HOST={self.host} listens beyond this machine without keys; set "
            "GEMELLO_READ_KEY and GEMELLO_WRITE_KEY, or GEMELLO_ALLOW_ANONYMOUS=1 if something "
            "else guards it."
        )


def load_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings; ``overrides`` (the command line's options) win over the environment.

    Raises ``SettingsError`` naming the variable and its value.
    """
    given = os.environ if environ is None else environ
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | CLIENT_VARIABLES
    for variable in sorted(given):
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            # A misspelt key is a secret all the same.
            shown = "a secret" if "KEY" in variable.upper() else repr(given[variable])
            raise SettingsError(f"{variable}={shown} is not a setting; see docs/settings.md.")
    chosen = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**chosen)
    except ValidationError as exc:
        problem = exc.errors()[0]
        variable = f"{PREFIX}{str(problem['loc'][0]).upper()}"
        shown = "a secret" if variable.endswith("_KEY") else repr(problem["input"])
        raise SettingsError(f"{variable}={shown}: {problem['msg']}.") from exc


def _separated(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
