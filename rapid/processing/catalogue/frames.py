"""The tables of a frame: its sources, with all that the study of the frame knows of them, and its findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from rapid.processing.catalogue.findings import findings_table
from rapid.processing.catalogue.sources import source_table
from rapid.processing.comparison import Comparison, total_flux
from rapid.processing.exposure import ExposureInfo
from rapid.processing.findings import Finding
from rapid.processing.frame import Psf, Sources, Study

__all__ = ["catalogue_of", "findings_of_frame"]


def catalogue_of(study: Study) -> pa.Table | None:
    """Return the sources of a frame as a table of `SOURCES`; None for a frame on which none were looked for.

    Places on the sky and magnitudes are there when the frame could be compared with known stars. A frame without any source
    has a table without rows, whose ``reason`` says why.
    """
    sources, info = study.sources, study.frame.info
    if sources is None:
        return None
    return source_table(
        sources,
        exposure_id=info.exposure_id,
        detector=info.detector,
        exposure_time=info.exposure_time,
        obs_id=info.obs_id,
        band=info.band,
        **_compared(sources, study.psf, study.comparison),
    )


def findings_of_frame(info: ExposureInfo, findings: Mapping[str, Sequence[Finding]]) -> pa.Table:
    """Return what every analysis, by its name, found on a frame as one table of `FINDINGS`.

    Raises
    ------
    InputError
        If a number of a finding does not fit into 64 bits.
    """
    parts = [
        findings_table(found, exposure_id=info.exposure_id, detector=info.detector, analysis=name)
        for name, found in findings.items()
    ]
    return pa.concat_tables([findings_table([], exposure_id=info.exposure_id, detector=None), *parts])


def _compared(sources: Sources, psf: Psf | None, comparison: Comparison | None) -> dict[str, Any]:
    """Say what the known stars tell of the sources."""
    if comparison is None or comparison.astrometry.wcs is None:
        return {}
    known: dict[str, Any] = {"positions": comparison.astrometry.wcs.pixel_to_sky(sources.x, sources.y)}
    if comparison.photometry is None or sources.apertures is None or psf is None or psf.profile is None:
        return known
    point_flux = total_flux(sources.apertures, psf.profile)
    return known | {"point_flux": point_flux, "zero_point": comparison.photometry.zero_point}
