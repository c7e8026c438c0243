"""Settings: read once, by the composition root, from a TOML file and ``RAPID_*`` variables.

A setting that is misspelt is an error. Durations are written as people do: ``30s``, ``5m``, ``1.5h``.
"""

from __future__ import annotations

import os
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rapid.bus_settings import Duration, KafkaSettings, MqttSettings, ResultsSettings, Section, parse_duration
from rapid.errors import ConfigError

__all__ = [
    "ArchiveSettings",
    "GatherSettings",
    "KafkaSettings",
    "MqttSettings",
    "PipelineSettings",
    "ReconcileSettings",
    "ResultsSettings",
    "Settings",
    "WebSettings",
    "WorkersSettings",
    "load_settings",
    "parse_duration",
]


class ArchiveSettings(Section):
    """Where the raw files are."""

    url: str = Field("raw", description="Directory, or s3://bucket/prefix.")
    options: dict[str, SecretStr] = Field(
        default_factory=dict, description="Of an S3 store: endpoint, region, access_key_id, ..."
    )
    watch: bool = Field(
        True,
        description="Watch a directory; false where a bus announces all of it, with etags that are not the directory's.",
    )
    rescan: Duration = Field(
        timedelta(seconds=60), description="How often a watched directory is read again; the watch may lose events."
    )
    polling: bool = Field(False, description="Watch by polling: for network file systems, which tell nothing.")

    def plain_options(self) -> dict[str, str]:
        """Return the options with their secrets readable, for whoever opens the store."""
        return {name: value.get_secret_value() for name, value in self.options.items()}


class CatalogueSettings(Section):
    """The reference catalogue that frames are compared with."""

    url: str | None = Field(
        None, description="Directory or s3://bucket/prefix, as `rapid refcat ingest` makes it; none unless given."
    )
    options: dict[str, SecretStr] = Field(default_factory=dict, description="Of an S3 store.")

    def plain_options(self) -> dict[str, str]:
        """Return the options with their secrets readable."""
        return {name: value.get_secret_value() for name, value in self.options.items()}


class GallerySettings(Section):
    """Where pictures and tables are put."""

    url: str | None = Field(None, description="Directory or s3://bucket/prefix; <state>/gallery unless given.")
    options: dict[str, SecretStr] = Field(default_factory=dict, description="Of an S3 store.")

    def plain_options(self) -> dict[str, str]:
        """Return the options with their secrets readable."""
        return {name: value.get_secret_value() for name, value in self.options.items()}


class WorkersSettings(Section):
    """Who does the work."""

    count: int = Field(
        default_factory=lambda: max(1, len(os.sched_getaffinity(0))),
        ge=1,
        le=512,
        description="Worker processes; one a core.",
    )
    recycle_after: int = Field(500, ge=1, description="Exposures after which a worker is replaced.")


class PipelineSettings(Section):
    """How often something is tried, and who is first."""

    attempts: int = Field(3, ge=1, le=20, description="A frame that failed this often is buried.")
    deadline: Duration = Field(timedelta(seconds=120), description="Longest a worker may take over one frame.")
    backoff: Duration = Field(timedelta(seconds=2), description="Wait before the second attempt; it doubles.")
    backlog_share: float = Field(0.25, ge=0.05, le=0.95, description="Part of the starts the backlog is sure of.")
    live_window: Duration = Field(timedelta(minutes=10), description="Older than this is backlog.")
    patience: Duration = Field(timedelta(minutes=10), description="How long ledger or gallery may be away.")
    lease: Duration = Field(
        timedelta(seconds=30), description="With a shared ledger: how long a silent service is believed to be at work."
    )
    drain: Duration = Field(timedelta(seconds=60), description="How long a stop waits for the frames in work.")


Detector = Annotated[str, Field(pattern=r"^R\d\d_S[\dGW]\d$")]


_Wait = Annotated[Duration, Field(le=timedelta(days=1))]


class GatherSettings(Section):
    """Exposures of several detectors."""

    files: _Wait = Field(
        timedelta(seconds=30), description="How long files are waited for after the readout, or the last of them."
    )
    processing: _Wait = Field(
        timedelta(seconds=120), description="How long results are waited for after the first detector was begun."
    )
    pause: _Wait = Field(timedelta(seconds=5), description="Between two revisions of an exposure in parts.")
    expected: dict[str, Annotated[tuple[Detector, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Instrument to detectors, where the camera does not say; all it has unless given.",
    )


class ReconcileSettings(Section):
    """Files that nobody announced."""

    every: Duration = Field(timedelta(minutes=3), description="How often the archive is compared with the ledger.")
    nights: int = Field(2, ge=1, le=100, description="So many nights back, this one among them.")
    instruments: tuple[Annotated[str, Field(pattern=r"^[\w-]{1,64}$")], ...] = Field(
        ("LATISS", "LSSTComCam", "LSSTCam"), min_length=1, description="Directories of the archive that hold nights."
    )
    settle: Duration = Field(
        timedelta(seconds=20), description="So long after it was written a file is left to who announces it."
    )


class WebSettings(Section):
    """The page."""

    host: str = Field("127.0.0.1", description="Address to listen on; loopback unless you say otherwise.")
    port: int = Field(8077, ge=0, le=65535, description="0 takes any free port.")
    title: str = Field("Rapid", description="Head of every page.")


class LogSettings(Section):
    """What is told, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    json_lines: bool | None = Field(None, description="JSON lines; unless given, when not on a terminal.")


class Settings(BaseSettings):
    """Every setting of the service."""

    model_config = SettingsConfigDict(
        env_prefix="RAPID_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    state: Path = Field(
        Path("rapid-state"), description="Directory of the ledger and, unless said otherwise, the gallery."
    )
    ledger: str | None = Field(
        None, description="URL of the ledger; sqlite in <state> unless given, postgresql for several services."
    )
    archive: ArchiveSettings = ArchiveSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    gallery: GallerySettings = GallerySettings()
    workers: WorkersSettings = WorkersSettings()
    pipeline: PipelineSettings = PipelineSettings()
    kafka: KafkaSettings = KafkaSettings()
    mqtt: MqttSettings = MqttSettings()
    results: ResultsSettings = ResultsSettings()
    gather: GatherSettings = GatherSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()

    @property
    def ledger_url(self) -> str:
        """URL of the ledger."""
        return self.ledger or f"sqlite:///{self.state.expanduser().absolute() / 'ledger.sqlite'}"

    @property
    def gallery_url(self) -> str:
        """URL of the gallery."""
        return self.gallery.url or str(self.state.expanduser().absolute() / "gallery")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the command line win over variables, and variables over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(path: Path | None = None, overrides: dict[str, Any] | None = None) -> Settings:
    """Read the settings.

    Parameters
    ----------
    path
        A TOML file; ``RAPID_CONFIG`` names one when this is None; without either there are the defaults.
    overrides
        What the command line says, nested as in the file: wins over everything.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a setting is unknown or impossible: one line a fault, with its full name.
    """
    named = path or (Path(os.environ["RAPID_CONFIG"]) if os.environ.get("RAPID_CONFIG") else None)
    if named is not None:
        _check_readable(named)

    class Loaded(Settings):
        model_config = SettingsConfigDict(toml_file=named)

    try:
        return Loaded(**(overrides or {}))
    except ValidationError as error:
        raise ConfigError(_explain(error, named)) from error


def _check_readable(path: Path) -> None:
    """Say what is wrong with a settings file before anybody reads it; the library would pass over a missing one."""
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the settings file {path} cannot be read: {error.strerror}"
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"the settings file {path} is not TOML: {error}"
        raise ConfigError(msg) from error


def _explain(error: ValidationError, path: Path | None) -> str:
    where = f" in {path}" if path else ""
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    return f"settings{where}: " + "; ".join(faults)
