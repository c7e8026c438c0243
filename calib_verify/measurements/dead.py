"""Amplifiers that the core blanks, as they are: a verifier has to see what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rapid.processing.frame import Frame, Mask, RawDetector
from rapid.processing.isr import Calibrations
from rapid.processing.isr.placement import Electronics, place
from rapid.processing.isr.readout import read_out

__all__ = ["with_dead_amplifiers"]


def with_dead_amplifiers(frame: Frame, raw: RawDetector, calibrations: Calibrations) -> Frame:
    """Put back the amplifiers that the core found dead: levels, gain, bias, dark and flat are done on them, nothing else.

    Those that are known not to be usable stay blank. The frame itself is returned where there is nothing to put back.
    """
    dead = {seen.name for seen in frame.amplifiers if seen.dead} - calibrations.bad_amplifiers
    if not dead:
        return frame
    image, mask = frame.image.copy(), frame.mask.copy()
    done = {step.name for step in frame.recipe if step.done}
    for amplifier in frame.detector.amplifiers:
        if amplifier.name not in dead:
            continue
        electronics = Electronics(
            calibrations.gains.get(amplifier.name, amplifier.gain),
            calibrations.bias if "bias" in done else None,
            calibrations.dark if "dark" in done else None,
            frame.info.dark_time,
            calibrations.flat if "flat" in done else None,
        )
        segment = np.asarray(raw.segments[amplifier.hdu - 1])
        mask[amplifier.bbox.slices] &= np.uint16(0xFFFF ^ (Mask.BAD | Mask.NO_DATA))
        place(segment, read_out(segment, amplifier), electronics, image, mask)
    image.flags.writeable = mask.flags.writeable = False
    return replace(frame, image=image, mask=mask)
