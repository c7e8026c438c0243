"""The chain as an astronomer writes it with astropy, ccdproc, photutils and matplotlib, by their manuals."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import ccdproc
import matplotlib as mpl
import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.modeling.fitting import TRFLSQFitter
from astropy.modeling.models import Moffat2D
from astropy.nddata import CCDData
from astropy.stats import SigmaClip, sigma_clipped_stats
from photutils.aperture import CircularAperture, aperture_photometry
from photutils.background import Background2D, MedianBackground
from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources

from rapid.processing.geometry import Detector, detectors

mpl.use("agg")
from matplotlib import pyplot as plt

FULL = 80_000.0
"""Electron: brighter ones may be saturated."""

STARS = 100
"""Stars that are fitted, as many as we fit."""

RADII = (3.0, 5.0, 8.0, 12.0, 17.0, 25.0)
"""Circles whose light is measured [pixel]; ours go about as far."""

COLUMNS = ("x_centroid", "y_centroid", "segment_flux", "max_value", "covar_sigx2", "covar_sigy2", "covar_sigxy")
BOUNDS = {"gamma": (0.5, 20.0), "alpha": (1.2, 10.0)}


def warm() -> None:
    warnings.simplefilter("ignore")


def load(place: Path) -> dict[str, CCDData]:
    unit = {"bias": u.electron, "dark": u.electron, "flat": u.dimensionless_unscaled}
    found = {name: CCDData(np.load(place / f"{name}.npy"), unit=unit[name]) for name in unit}
    found["dark"].header["EXPTIME"] = 1.0
    return found


def run(path: Path, calibrations: dict[str, CCDData]) -> dict[str, float]:
    detector = detectors("LSSTCam")["R22_S11"]
    image = _calibrate(path, detector, calibrations)
    noises = [sigma_clipped_stats(image[amplifier.bbox.slices])[2] for amplifier in detector.amplifiers]
    sky = Background2D(image, (128, 128), sigma_clip=SigmaClip(3.0), bkg_estimator=MedianBackground())
    image = image - sky.background
    segments = detect_sources(image, 5 * sky.background_rms, n_pixels=5)
    segments = deblend_sources(image, segments, n_pixels=5, progress_bar=False)
    table = SourceCatalog(image, segments, error=sky.background_rms).to_table(columns=COLUMNS)
    places = np.transpose((table["x_centroid"], table["y_centroid"]))
    aperture_photometry(image, [CircularAperture(places, radius) for radius in RADII], error=sky.background_rms)
    fwhm = _fwhm(image, table)
    picture = _draw(image)
    return {
        "fwhm": fwhm,
        "sky": float(np.median(sky.background)),
        "sources": len(table),
        "picture": len(picture),
        "noise": float(np.median(noises)),
    }


def _calibrate(path: Path, detector: Detector, calibrations: dict[str, CCDData]) -> Any:
    image = np.empty(detector.shape)
    with fits.open(path) as file:
        header = file[0].header
        for amplifier in detector.amplifiers:
            data = amplifier.data
            ccd = CCDData(file[amplifier.hdu].data, unit=u.adu)
            ccd = ccdproc.subtract_overscan(ccd, overscan=ccd[:, data.x0 + data.width + 3 : -3], median=True)
            ccd = ccdproc.subtract_overscan(
                ccd, overscan=ccd[data.y0 + data.height + 3 :], overscan_axis=0, median=True
            )
            ccd = ccdproc.trim_image(ccd[data.y0 : data.y0 + data.height, data.x0 : data.x0 + data.width])
            ccd = ccdproc.gain_correct(ccd, amplifier.gain * u.electron / u.adu)
            image[amplifier.bbox.slices] = ccd.data[amplifier.turn]
    ccd = CCDData(image, unit=u.electron)
    ccd = ccdproc.subtract_bias(ccd, calibrations["bias"])
    ccd = ccdproc.subtract_dark(
        ccd,
        calibrations["dark"],
        dark_exposure=1 * u.s,
        data_exposure=header["DARKTIME"] * u.s,
        scale=True,
    )
    return ccdproc.flat_correct(ccd, calibrations["flat"]).data


def _fwhm(image: Any, table: Any) -> float:
    table = table[table["max_value"] < FULL]
    table.sort("segment_flux", reverse=True)
    widths, fitter = [], TRFLSQFitter()
    for row in table[:STARS]:
        x, y = round(float(row["x_centroid"])), round(float(row["y_centroid"]))
        if not (15 <= x < image.shape[1] - 15 and 15 <= y < image.shape[0] - 15):
            continue
        v, w = np.mgrid[y - 15 : y + 16, x - 15 : x + 16]
        stamp = image[y - 15 : y + 16, x - 15 : x + 16]
        fit = fitter(Moffat2D(stamp.max(), x, y, 3.0, 3.0, bounds=BOUNDS), w, v, stamp)
        widths.append(fit.fwhm)
    return float(np.median(widths))


def _draw(image: Any) -> bytes:
    figure = plt.figure(figsize=(10.24, 10.24), dpi=100)
    low, high = np.percentile(image, (1, 99))
    plt.imshow(image, origin="lower", cmap="gray", vmin=low, vmax=high)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    plt.close(figure)
    return stream.getvalue()
