"""Options that several commands share, and how they become settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rapid import log
from rapid.config import Settings, load_settings

__all__ = [
    "AsJson",
    "Catalogue",
    "ConfigFile",
    "Gallery",
    "Host",
    "Port",
    "StateDir",
    "WorkerCount",
    "prepare",
    "settings_from",
]

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="TOML file of settings.", envvar="RAPID_CONFIG", rich_help_panel="Settings"),
]
StateDir = Annotated[
    Path | None,
    typer.Option("--state", help="Directory of the ledger and the gallery [rapid-state].", rich_help_panel="Settings"),
]
Gallery = Annotated[
    str | None,
    typer.Option("--gallery", help="Where pictures go: directory or s3://bucket/prefix.", rich_help_panel="Settings"),
]
Catalogue = Annotated[
    str | None,
    typer.Option(
        "--catalogue",
        help="Known stars, for pointing and zero point: what `rapid refcat ingest` made.",
        rich_help_panel="Settings",
    ),
]
WorkerCount = Annotated[
    int | None, typer.Option("--workers", "-w", min=1, help="Worker processes; one a core.", rich_help_panel="Settings")
]
Host = Annotated[
    str | None,
    typer.Option("--host", help="Address of the page; loopback unless you say otherwise.", rich_help_panel="Settings"),
]
Port = Annotated[
    int | None,
    typer.Option("--port", "-p", min=0, max=65535, help="Port of the page; 0 for any.", rich_help_panel="Settings"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def settings_from(
    config: Path | None = None,
    *,
    state: Path | None = None,
    archive: str | None = None,
    archive_options: dict[str, str] | None = None,
    catalogue: str | None = None,
    gallery: str | None = None,
    workers: int | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Settings:
    """Read the settings, with what the command line says on top."""
    said: dict[str, Any] = {
        "state": state,
        "archive": {"url": archive, "options": archive_options or {}},
        "catalogue": {"url": catalogue},
        "gallery": {"url": gallery},
        "workers": {"count": workers},
        "web": {"host": host, "port": port},
    }
    return load_settings(config, _without_none(said))


def prepare(settings: Settings, *, level: str | None = None) -> None:
    """Begin to log as the settings say."""
    log.configure(level or settings.log.level, settings.log.json_lines)


def _without_none(said: dict[str, Any]) -> dict[str, Any]:
    kept = {name: _without_none(value) if isinstance(value, dict) else value for name, value in said.items()}
    return {name: value for name, value in kept.items() if value is not None and value != {}}
