"""What is said about how the recipe went: a line for each step, and the statistics of every amplifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from rapid.processing.frame import AmplifierStatistics, Step
from rapid.processing.isr.calibrations import Calibrations
from rapid.processing.isr.products import RECIPE
from rapid.processing.isr.workpiece import Workpiece
from rapid.processing.statistics import clipped

__all__ = ["amplifier_statistics", "record"]

_DARK_SHARE: Final = 0.05
"""An amplifier that shows less than this part of the light of the others is dead..."""

_DARK_LEVEL: Final = 100.0
"""...when the others show at least so much [electron] that it cannot be an accident of levels."""


def amplifier_statistics(piece: Workpiece) -> tuple[AmplifierStatistics, ...]:
    """Say what each amplifier showed, and which are dead or known not to be usable."""
    bulk = [clipped(piece.image[readout.amplifier.bbox.slices]) for readout in piece.readouts]
    awake = [part.median for readout, part in zip(piece.readouts, bulk, strict=True) if not readout.silent]
    typical = float(np.median(awake)) if awake else 0.0
    unlit = [typical > _DARK_LEVEL and part.median < _DARK_SHARE * typical for part in bulk]
    bad = piece.calibrations.bad_amplifiers
    return tuple(
        AmplifierStatistics(
            name=readout.amplifier.name,
            bias_level=readout.level,
            overscan_noise=readout.noise,
            read_noise=readout.noise * piece.gain(readout.amplifier),
            median=part.median,
            sigma=part.sigma,
            n_saturated=count,
            dead=readout.silent or dark or readout.amplifier.name in bad,
            bias_level_error=readout.level_error,
            read_noise_error=readout.noise_error * piece.gain(readout.amplifier),
        )
        for readout, part, dark, count in zip(piece.readouts, bulk, unlit, piece.saturated, strict=True)
    )


def record(piece: Workpiece, statistics: tuple[AmplifierStatistics, ...]) -> tuple[Step, ...]:
    """Say for each step of the recipe how it went, or why it was not done."""
    known = piece.calibrations
    dead = [seen.name for seen in statistics if seen.dead and seen.name not in known.bad_amplifiers]
    gains = len(known.gains)
    notes = {
        "bad amplifiers": ", ".join(sorted(known.bad_amplifiers)) or "none known",
        "saturation": f"{sum(piece.saturated)} pixels masked",
        "gain": (f"measured of {gains} amplifiers, else nominal" if gains else "nominal") + _of_another(piece),
        "assembly": "trimmed, turned and placed by the camera's tables",
        "dead amplifiers": ", ".join(dead) or "none",
        "variance": "photons, read noise and levels, calibrations",
        "edge": "rim of the sensor masked",
    }
    notes |= _overscan_notes(piece) | _calibration_notes(piece) | piece.notes
    notes |= {step: f"{identity}, {notes[step]}" for step, identity in _identities(known) if step in notes}
    return tuple(_step(step, piece, notes) for step in RECIPE)


def _of_another(piece: Workpiece) -> str:
    """Say that the nominal numbers are those of the sensor that is at this place now, where the raw is of another one."""
    here, then = piece.detector.serial, piece.info.detector_serial
    return "" if then is None or then == here else f" of {here}, not of {then}"


def _step(name: str, piece: Workpiece, notes: dict[str, str]) -> Step:
    reason = piece.plan[name]
    if reason:
        return Step(name, done=False, detail=reason, wanted=not reason.startswith("not "))
    skipped = name == "parallel overscan" and all(readout.skipped for readout in piece.readouts)
    return Step(name, done=not skipped, detail=notes[name])


def _overscan_notes(piece: Workpiece) -> dict[str, str]:
    first = piece.readouts[0]
    bled = sum(readout.bled for readout in piece.readouts)
    skipped = [f"{r.amplifier.name} skipped ({r.skipped})" for r in piece.readouts if r.skipped]
    parallel = f"smoothed column medians of {max(r.n_parallel for r in piece.readouts)} rows"
    if len(skipped) == len(piece.readouts):
        parallel = first.skipped
    elif skipped:
        parallel = "; ".join([parallel, *skipped])
    return {
        "serial overscan": f"row medians of {first.n_serial} columns, {bled} rows taken from neighbours",
        "parallel overscan": parallel,
    }


def _identities(known: Calibrations) -> Iterator[tuple[str, str]]:
    """Name the coefficients that are there and have a name; images are named with what is to be said of them."""
    steps = {
        "crosstalk": known.crosstalk,
        "linearity": known.linearity,
        "charge transfer": known.cti,
        "defects": known.defects,
        "brighter-fatter": known.brighter_fatter,
    }
    for step, coefficients in steps.items():
        if coefficients is not None and coefficients.identity:
            yield step, coefficients.identity


def _calibration_notes(piece: Workpiece) -> dict[str, str]:
    notes: dict[str, str] = {}
    known = piece.calibrations
    for step, image in (("bias", known.bias), ("dark", known.dark), ("flat", known.flat)):
        if image is not None:
            notes[step] = f"{image.identity}, {image.n_unusable} pixels without a value"
    if known.dark is not None:
        notes["dark"] += f", {piece.info.dark_time:.6g} s"
    return notes
