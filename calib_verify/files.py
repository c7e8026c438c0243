"""The files of this package on disk: measurements, baselines, waivers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from calib_verify.measurements import FrameMeasurements
from calib_verify.measurements.records import frame_from_json, frame_to_text
from calib_verify.policy import Baseline, Waiver, parse_waivers
from rapid.errors import ConfigError, InputError, NotAvailable

__all__ = ["read_baseline", "read_measurements", "read_waivers", "write_baseline", "write_measurements"]


def write_measurements(path: Path, frames: Iterable[FrameMeasurements]) -> None:
    """Write one JSON line a frame."""
    _write(path, "".join(f"{frame_to_text(frame)}\n" for frame in frames))


def read_measurements(path: Path) -> list[FrameMeasurements]:
    """Read what `write_measurements` wrote.

    Raises
    ------
    InputError
        If a line is none of its; the message says which.
    NotAvailable
        If the file is not there.
    """
    lines = enumerate(_read(path).splitlines(), start=1)
    return [
        frame_from_json(_json(line, f"{path.name}:{number}"), name=f"{path.name}:{number}") for number, line in lines
    ]


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline as JSON."""
    _write(path, json.dumps(baseline.as_json(), allow_nan=False))


def read_baseline(path: Path) -> Baseline:
    """Read what `write_baseline` wrote.

    Raises
    ------
    InputError
        If it is something else.
    NotAvailable
        If the file is not there.
    """
    return Baseline.from_json(_json(_read(path), path.name))


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Read a YAML list of waivers.

    Raises
    ------
    ConfigError
        If it is something else.
    NotAvailable
        If the file is not there.
    """
    return parse_waivers(_read(path), name=path.name)


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError("not JSON", subject=name, found=str(error)) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotAvailable(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError("not text", subject=path.name, expected="UTF-8", found=str(error)) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
