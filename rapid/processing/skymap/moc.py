"""The coverage of a night as a multi-order coverage map (MOC, IVOA recommendation 2.0)."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from mocpy import MOC

from rapid.processing.skymap.footprint import check_order
from rapid.processing.skymap.maps import SkyMaps
from rapid.processing.skymap.night import NightCoverage

__all__ = ["MOC_ORDER", "moc_fits", "moc_json", "moc_of_maps", "night_moc"]

MOC_ORDER: Final = 13
"""Cells of 26 arcsec, about as wide as the gaps between detectors of LSSTCam."""


def night_moc(night: NightCoverage, order: int = MOC_ORDER) -> MOC:
    """Return the sky that a night has seen, from the footprints themselves: every cell that one of them touches.

    A night sees the same field again and again: footprints that are the same to the last digit count once.
    """
    check_order(order)
    if not len(night):
        return MOC.new_empty(order)
    footprints = np.unique(night.footprint.reshape(len(night), -1), axis=0)
    vertices = [column for corners in footprints.reshape(-1, 4, 2) for column in (corners[:, 0], corners[:, 1])]
    first, *others = MOC.from_polygons(vertices, max_depth=order, n_threads=1)
    return first.union(*others) if others else first


def moc_of_maps(maps: SkyMaps, least_counts: int = 1) -> MOC:
    """Return the sky that was seen a number of times or more, in the cells of the maps."""
    chosen = maps.pixels[maps.counts >= least_counts].astype(np.uint64)
    depths = np.full(len(chosen), maps.order, np.uint8)
    return MOC.from_healpix_cells(chosen, depths, max_depth=maps.order)


def moc_fits(moc: MOC) -> bytes:
    """Write a MOC as the FITS file of the standard."""
    content = io.BytesIO()
    moc.serialize("fits").writeto(content)
    return content.getvalue()


def moc_json(moc: MOC) -> dict[str, list[int]]:
    """Write a MOC as the JSON of the standard: order to cells."""
    return {str(order): [int(cell) for cell in cells] for order, cells in moc.serialize("json").items()}
