"""The panels of an examined star, and those of a frame without one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rapid.analyses.examination import FRACTIONS, Examination
from rapid.analyses.overview import frame_panel, quantised
from rapid.analyses.profiles import Profile
from rapid.processing.findings import ContourPanel, ImagePanel, Line, Mark, Panel, SeriesPanel, SurfacePanel, TextPanel
from rapid.processing.frame import Study

__all__ = ["CHANNEL", "nine_panels", "no_star_panels"]

CHANNEL = "imexam"

_INSET_SIDE = 400
_LEVELS = (0.03, 0.06, 0.12, 0.25, 0.5, 0.75, 0.9)
_RELIEF_IN_FWHM = 3.0
_CONTOURS_IN_FWHM = 2.0
_PROFILE_IN_FWHM = 3.5
_ABOVE = "electron above sky"


def nine_panels(study: Study, exam: Examination, rows: tuple[tuple[str, str], ...]) -> tuple[Panel, ...]:
    """Draw the star: frame, cut-out, numbers; relief, contours, encircled energy; row, column, radial profile."""
    return (
        _frame(study, exam),
        _cutout(exam),
        TextPanel("Numbers", rows),
        _relief(exam),
        _contours(exam),
        _energy(exam),
        _slice(exam, along="x"),
        _slice(exam, along="y"),
        _radial(exam),
    )


def no_star_panels(study: Study, reason: str) -> tuple[Panel, ...]:
    """Show the frame, and say why there is no star."""
    panel, limits = frame_panel(study.frame, title="Frame", longest_side=2 * _INSET_SIDE)
    sources = study.sources
    rows = (
        ("", f"No star: {reason}."),
        ("observation type", study.frame.info.observation_type),
        ("sources", "not measured" if sources is None else str(len(sources))),
        ("shown from", f"{limits.low:.1f} e-"),
        ("shown to", f"{limits.high:.1f} e-"),
    )
    return panel, TextPanel("Nothing to examine", rows)


def _frame(study: Study, exam: Examination) -> ImagePanel:
    box = Mark("box", exam.x, exam.y, 2 * exam.cutout.half + 1)
    return frame_panel(study.frame, title="Frame", longest_side=_INSET_SIDE, marks=(box,))[0]


def _cutout(exam: Examination) -> ImagePanel:
    cutout, sky = exam.cutout, exam.sky
    pixels, offset, step = quantised(cutout.pixels, sky.noise)
    low = sky.level - 3 * sky.noise
    circles = tuple(
        Mark("circle", exam.x, exam.y, 2 * radius, f"EE{round(100 * fraction)}")
        for fraction, radius in zip(FRACTIONS, exam.energy_radii, strict=True)
        if fraction == 0.8 and np.isfinite(radius)
    )
    return ImagePanel(
        title="Cut-out",
        pixels=pixels,
        offset=offset,
        step=step,
        low=low,
        high=max(sky.level + exam.peak, low + 10 * sky.noise),
        unit="electron",
        x0=cutout.x0,
        y0=cutout.y0,
        stretch="asinh",
        marks=(Mark("cross", exam.x, exam.y, exam.fwhm * 1.6), *circles),
        blank=0,
    )


def _relief(exam: Examination) -> SurfacePanel:
    values, _, _ = _core(exam, _RELIEF_IN_FWHM * exam.fwhm)
    return SurfacePanel("Relief", values, _ABOVE)


def _contours(exam: Examination) -> ContourPanel:
    values, x0, y0 = _core(exam, _CONTOURS_IN_FWHM * exam.fwhm)
    levels = tuple(fraction * exam.peak for fraction in _LEVELS if fraction * exam.peak > exam.sky.noise)
    return ContourPanel("Contours", values, levels, _ABOVE, x0, y0)


def _core(exam: Examination, radius: float) -> tuple[NDArray[np.float32], int, int]:
    """Return the middle of the cut-out above the sky, and the frame pixel of its first pixel."""
    cutout = exam.cutout
    reach = max(4, round(radius))
    column, row = round(exam.x) - cutout.x0, round(exam.y) - cutout.y0
    left, low = max(column - reach, 0), max(row - reach, 0)
    part = cutout.pixels[low : row + reach + 1, left : column + reach + 1]
    return (part - exam.sky.level).astype(np.float32), cutout.x0 + left, cutout.y0 + low


def _slice(exam: Examination, *, along: str) -> SeriesPanel:
    """Cut through the star along a row or column, with the Moffat profile where it was fitted."""
    cutout = exam.cutout
    row, column = round(exam.y) - cutout.y0, round(exam.x) - cutout.x0
    row, column = min(max(row, 0), cutout.pixels.shape[0] - 1), min(max(column, 0), cutout.pixels.shape[1] - 1)
    light, first, center, offset, where = (
        (cutout.pixels[row], cutout.x0, exam.x, row + cutout.y0 - exam.y, f"Row {row + cutout.y0}")
        if along == "x"
        else (cutout.pixels[:, column], cutout.y0, exam.y, column + cutout.x0 - exam.x, f"Column {column + cutout.x0}")
    )
    places = first + np.arange(len(light), dtype=np.float64)
    near = np.abs(places - center) <= _PROFILE_IN_FWHM * exam.fwhm
    lines = [Line(places[near], light[near] - exam.sky.level, points=True)]
    if isinstance(exam.moffat, Profile) and near.any():
        fine = np.linspace(places[near][0], places[near][-1], 241)
        lines.append(Line(fine, exam.moffat.at(np.hypot(fine - center, offset)) - exam.sky.level, "Moffat"))
    return SeriesPanel(where, tuple(lines), f"{'column' if along == 'x' else 'row'} [pixel]", _ABOVE)


def _radial(exam: Examination) -> SeriesPanel:
    radius = exam.cutout.radius(exam.x, exam.y)
    reach = _PROFILE_IN_FWHM * exam.fwhm
    shown = exam.cutout.usable & (radius <= reach)
    lines = [Line(radius[shown], exam.cutout.pixels[shown] - exam.sky.level, points=True)]
    fine = np.linspace(0.0, reach, 241)
    for name, fit in (("Moffat", exam.moffat), ("Gaussian", exam.gaussian)):
        if isinstance(fit, Profile):
            lines.append(Line(fine, fit.at(fine) - exam.sky.level, name))
    half = ((exam.fwhm / 2, "FWHM / 2"),) if isinstance(exam.moffat, Profile) else ()
    return SeriesPanel("Radial profile", tuple(lines), "radius [pixel]", _ABOVE, half)


def _energy(exam: Examination) -> Panel:
    if not len(exam.growth):
        return TextPanel("Encircled energy", (("", f"Not measured: {exam.no_energy}."),))
    share = 100 * exam.growth / exam.growth[-1]
    marks = tuple(
        (radius, f"{fraction:.0%}")
        for fraction, radius in zip(FRACTIONS, exam.energy_radii, strict=True)
        if np.isfinite(radius)
    )
    return SeriesPanel("Encircled energy", (Line(exam.radii, share),), "radius [pixel]", "% of the light", marks)
