"""From the segments of a raw file to the picture on the sensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rapid.errors import BadLayout
from rapid.processing.geometry.detector import Amplifier, Detector

__all__ = ["assemble", "disassemble"]

Scalar = TypeVar("Scalar", bound=np.generic)


def assemble(segments: Sequence[NDArray[Scalar]], detector: Detector) -> NDArray[Scalar]:
    """Trim, turn and place the segments of a detector, as they stand in the file.

    Only the camera's tables are used: the DETSEC cards of real files are upside down, those of some simulated ones are not.
    Whatever a segment has beyond the data is overscan, however wide.

    Parameters
    ----------
    segments
        Pixels in the order of the file's HDUs, each of shape (ny, nx), all of one type.

    Returns
    -------
    array
        The pixels of the sensor, of shape ``detector.shape`` and the type of the segments.

    Raises
    ------
    BadLayout
        If they are not the segments of this detector: their number, their type, or too small for its data.
    """
    _check(segments, detector)
    image = np.empty(detector.shape, segments[0].dtype)
    for amplifier in detector.amplifiers:
        data = segments[amplifier.hdu - 1][amplifier.data.slices]
        image[amplifier.bbox.slices] = data[amplifier.turn]
    return image


def disassemble(image: NDArray[Scalar], detector: Detector, *, fill: Scalar) -> tuple[NDArray[Scalar], ...]:
    """Cut a picture of the sensor into the segments of a raw file; prescan and overscan hold `fill`.

    The inverse of `assemble`, which gives `image` back.

    Raises
    ------
    BadLayout
        If the image has not the shape of this detector.
    """
    if image.shape != detector.shape:
        raise BadLayout(
            f"not an image of {detector.instrument} {detector.name}",
            expected=f"shape {detector.shape}",
            found=f"shape {image.shape}",
        )
    ordered = sorted(detector.amplifiers, key=lambda amplifier: amplifier.hdu)
    return tuple(_segment(image, amplifier, fill) for amplifier in ordered)


def _segment(image: NDArray[Scalar], amplifier: Amplifier, fill: Scalar) -> NDArray[Scalar]:
    segment = np.full((amplifier.raw.height, amplifier.raw.width), fill, image.dtype)
    segment[amplifier.data.slices] = image[amplifier.bbox.slices][amplifier.turn]
    return segment


def _check(segments: Sequence[NDArray[Scalar]], detector: Detector) -> None:
    of_it = f"{detector.instrument} {detector.name}"
    if len(segments) != len(detector.amplifiers):
        raise BadLayout(
            f"wrong number of segments for {of_it}", expected=str(len(detector.amplifiers)), found=str(len(segments))
        )
    types = sorted({segment.dtype.name for segment in segments})
    if len(types) > 1:
        raise BadLayout(f"segments of several types for {of_it}", expected="one", found=" and ".join(types))
    for amplifier in detector.amplifiers:
        height, width = segments[amplifier.hdu - 1].shape
        least_width = amplifier.data.x0 + amplifier.data.width
        least_height = amplifier.data.y0 + amplifier.data.height
        if width < least_width or height < least_height:
            raise BadLayout(
                f"{amplifier.extname} is too small for {of_it}",
                expected=f"at least {least_width} x {least_height} pixels",
                found=f"{width} x {height}",
            )
