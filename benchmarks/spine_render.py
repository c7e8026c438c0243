"""What it costs to draw a picture, against matplotlib drawing the same panels.

Both draw from the same values and encode to the same format and size. CPU time, so that a busy machine does not decide;
the two take turns, so that what changes meanwhile changes for both.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Sheet

from benchmarks import Figure, percentile
from rapid.analyses.imexam import analysis as imexam
from rapid.analyses.monitor import analysis as monitor
from rapid.processing.findings import ContourPanel, ImagePanel, Panel, Picture, SeriesPanel, SurfacePanel, TextPanel
from rapid.processing.geometry import detectors
from rapid.tv.render import encode
from tests.support.studies import Star, make_study

TURNS = 9
CAPTION = "LATISS 2026-03-15 seq 51 · science · SDSSr_65mm · 30 s"
DPI = 100


def figures() -> Iterator[Figure]:
    """Draw the monitor and imexam pictures of a LATISS frame with 250 stars."""
    mpl.use("agg")
    rng = np.random.default_rng(3)
    stars = [
        Star(rng.uniform(30, 4040), rng.uniform(30, 3970), 10 ** rng.uniform(4, 6.2), 8.0, 3.0) for _ in range(250)
    ]
    study = make_study(stars, detector=detectors("LATISS")["R00_S00"], dead=["C05"])
    for analysis in (monitor, imexam):
        (picture,) = analysis.run(study).pictures
        encoded = encode(picture, caption=CAPTION)
        size = encoded.width / DPI, encoded.height / DPI
        ours, theirs = in_turns(
            lambda picture=picture: encode(picture, caption=CAPTION),
            lambda picture=picture, size=size, suffix=encoded.suffix: peer(picture, size, suffix),
        )
        milliseconds = 1e3 * percentile(ours, 50)
        ratio = percentile(ours, 50) / percentile(theirs, 50)
        yield Figure(f"spine.render_{analysis.name}_ms", milliseconds, "ms", n=TURNS, peer="matplotlib", ratio=ratio)


def in_turns(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Return CPU seconds of each, taken alternately, after one run each that is not counted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(TURNS + 1):
        for work, kept in zip((ours, theirs), seconds, strict=True):
            started = time.process_time()
            work()
            if turn:
                kept.append(time.process_time() - started)
    return seconds


def peer(picture: Picture, size: tuple[float, float], suffix: str) -> bytes:
    """Draw the same panels with matplotlib, as one would."""
    sheet = Sheet(figsize=size, dpi=DPI, layout="constrained")
    sheet.suptitle(CAPTION)
    rows = -(-len(picture.panels) // picture.columns)
    for place, panel in enumerate(picture.panels, start=1):
        solid = {"projection": "3d"} if isinstance(panel, SurfacePanel) else {}
        axes = sheet.add_subplot(rows, picture.columns, place, **solid)
        axes.set_title(panel.title)
        peer_panel(sheet, axes, panel)
    body = io.BytesIO()
    sheet.savefig(body, format=suffix, dpi=DPI)
    return body.getvalue()


def peer_panel(sheet: Sheet, axes: Any, panel: Panel) -> None:
    match panel:
        case ImagePanel():
            peer_image(sheet, axes, panel)
        case ContourPanel():
            axes.contour(panel.values, levels=panel.levels)
            axes.set_aspect("equal")
        case SurfacePanel():
            rows, columns = np.indices(panel.values.shape)
            axes.plot_surface(columns, rows, panel.values, cmap="viridis", rcount=48, ccount=48)
        case SeriesPanel():
            for line in panel.lines:
                axes.plot(line.x, line.y, "." if line.points else "-", markersize=2, label=line.label or None)
            for x, label in panel.x_lines:
                axes.axvline(x)
                axes.text(x, 0, label)
            axes.set_xlabel(panel.x_label)
            axes.set_ylabel(panel.y_label)
        case TextPanel():
            axes.axis("off")
            for row, (label, value) in enumerate(panel.rows):
                axes.text(0, 1 - (row + 1) / (len(panel.rows) + 1), label, transform=axes.transAxes)
                axes.text(1, 1 - (row + 1) / (len(panel.rows) + 1), value, transform=axes.transAxes, ha="right")


def peer_image(sheet: Sheet, axes: Any, panel: ImagePanel) -> None:
    norm = mpl.colors.AsinhNorm if panel.stretch == "asinh" else mpl.colors.Normalize
    values = panel.offset + panel.step * panel.pixels
    shown = axes.imshow(values, origin="lower", cmap="gray", norm=norm(vmin=panel.low, vmax=panel.high))
    if panel.pixels.size > 250_000:
        sheet.colorbar(shown, ax=axes)
    for mark in panel.marks:
        side = (mark.size / panel.binning, (mark.height or mark.size) / panel.binning)
        x, y = (mark.x - panel.x0) / panel.binning, (mark.y - panel.y0) / panel.binning
        hatch = "//" if mark.kind == "hatch" else None
        axes.add_patch(mpl.patches.Rectangle((x - side[0] / 2, y - side[1] / 2), *side, fill=False, hatch=hatch))
        axes.text(x, y, mark.label)
