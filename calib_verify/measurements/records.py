"""Measurements as JSON has them, so that a night can be judged again without its pixels."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any, Final

from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.values import FrameMeasurements, Measurement, Subject
from rapid.errors import InputError

__all__ = ["FORMAT", "frame_from_json", "frame_to_json", "frame_to_text"]

FORMAT: Final = "calib-verify frame 1"
"""Changed whenever an older reader could misunderstand it."""


def frame_to_json(frame: FrameMeasurements) -> dict[str, Any]:
    """Return a frame as JSON has it; what a quantity is stands in the package, by its name."""
    return {
        "format": FORMAT,
        "subject": asdict(frame.subject),
        "amplifiers": list(frame.amplifiers),
        "calibrations": [list(pair) for pair in frame.calibrations],
        "failure": frame.failure,
        "measurements": [
            [each.name, each.detector, each.amplifier, each.value, each.uncertainty, each.n, each.reason]
            for each in frame.measurements
        ],
    }


def frame_to_text(frame: FrameMeasurements) -> str:
    """Return the JSON on one line, the same for equal frames."""
    return json.dumps(frame_to_json(frame), sort_keys=True, allow_nan=False)


def frame_from_json(content: Any, *, name: str = "") -> FrameMeasurements:
    """Return the frame that `frame_to_json` gave.

    Raises
    ------
    InputError
        If it is something else, of another format, or has a quantity nobody knows.
    """
    try:
        if content["format"] != FORMAT:
            raise InputError("another format", subject=name, expected=FORMAT, found=str(content["format"]))
        subject = Subject(**{each.name: content["subject"][each.name] for each in fields(Subject)})
        return FrameMeasurements(
            subject=subject,
            amplifiers=tuple(content["amplifiers"]),
            measurements=tuple(_measurement(row) for row in content["measurements"]),
            calibrations=tuple((step, detail) for step, detail in content["calibrations"]),
            failure=content["failure"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("not measurements of a frame", subject=name, expected=FORMAT, found=repr(error)) from error


def _measurement(row: list[Any]) -> Measurement:
    quantity, detector, amplifier, value, uncertainty, n, reason = row
    return Measurement(QUANTITIES[quantity], detector, amplifier, value, uncertainty, n, reason)
