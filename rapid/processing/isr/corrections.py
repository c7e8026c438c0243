"""The steps that are not done while an amplifier is placed: before it, side by side, and after it, on the whole image."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import Mask
from rapid.processing.isr.brighter_fatter import correct_brighter_fatter
from rapid.processing.isr.cosmic_rays import SHARPEST, find_cosmic_rays
from rapid.processing.isr.crosstalk import correct_crosstalk
from rapid.processing.isr.cti import correct_cti
from rapid.processing.isr.defects import mask_defects
from rapid.processing.isr.flags import flagged, set_flag
from rapid.processing.isr.interpolation import interpolate_masked
from rapid.processing.isr.linearity import correct_linearity
from rapid.processing.isr.placement import divide_by_flat
from rapid.processing.isr.workpiece import Workpiece

__all__ = ["correct_amplifiers", "correct_image", "repair_image"]

_SHARPEST_SEEING: Final = 0.44
"""FWHM [arcsec] of an image sharper than any the site gives."""


def correct_amplifiers(stack: NDArray[np.float32], piece: Workpiece) -> None:
    """Undo what happened between the sensor and the converter, the last thing first, **in place**.

    `stack` are the amplifiers [adu] as they were read, levels subtracted, float32, shape (amplifiers, ny, nx).
    """
    known, notes = piece.calibrations, piece.notes
    if known.crosstalk is not None and piece.does("crosstalk"):
        bad = known.bad_amplifiers
        alive = np.array([not (r.silent or r.amplifier.name in bad) for r in piece.readouts], np.bool_)
        largest = correct_crosstalk(stack, known.crosstalk, alive=alive)
        notes["crosstalk"] = f"up to {float(largest.max()):.3g} adu taken off"
    if known.linearity is not None and piece.does("linearity"):
        above = correct_linearity(stack, known.linearity)
        notes["linearity"] = f"{int(above.sum())} pixels above the known range"
    if known.cti is not None and piece.does("charge transfer"):
        correct_cti(stack, known.cti)
        notes["charge transfer"] = f"up to {float(known.cti.rate.max()):.3g} of the charge at each transfer"


def correct_image(piece: Workpiece) -> None:
    """Mask the defects, move back the charge that was pushed aside, and divide by the flat that waited for it."""
    known, notes = piece.calibrations, piece.notes
    if known.defects is not None and piece.does("defects"):
        notes["defects"] = f"{mask_defects(piece.mask, known.defects, int(Mask.BAD))} pixels masked"
    if known.brighter_fatter is None or not piece.does("brighter-fatter"):
        return
    restored = correct_brighter_fatter(piece.image, known.brighter_fatter)
    piece.image[...] = restored.image
    steps = (
        f"{len(restored.changes)} steps, last change {restored.changes[-1] if restored.changes else 0.0:.2g} electron"
    )
    notes["brighter-fatter"] = steps if restored.converged else f"did not converge: {steps}"
    if known.flat is not None and piece.does("flat"):
        divide_by_flat(piece.image, piece.mask, known.flat)


def repair_image(piece: Workpiece) -> None:
    """Mark what cosmic rays hit, and fill single bad pixels from their neighbours."""
    if piece.does("cosmic rays"):
        fwhm = max(SHARPEST, _SHARPEST_SEEING / piece.detector.pixel_scale)
        left_out = flagged(piece.mask, Mask.BAD | Mask.NO_DATA | Mask.SATURATED)
        found = find_cosmic_rays(piece.image, left_out, fwhm=fwhm)
        set_flag(piece.mask, found.hit, Mask.COSMIC_RAY)
        piece.notes["cosmic rays"] = found.reason or f"{found.n_events} events, {found.n_pixels} pixels masked"
    if piece.does("interpolation"):
        n = interpolate_masked(
            piece.image,
            piece.mask,
            wrong=Mask.BAD | Mask.COSMIC_RAY,
            blank=Mask.NO_DATA,
            filled=Mask.INTERPOLATED,
        )
        piece.notes["interpolation"] = f"{n} pixels filled"
