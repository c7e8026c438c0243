"""Pictures: the same bytes every time, every kind of panel, and nothing that breaks them."""

from __future__ import annotations

import io
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from rapid.analyses.imexam import analysis as imexam
from rapid.analyses.monitor import analysis as monitor
from rapid.ports import EncodedPicture
from rapid.processing.findings import (
    ContourPanel,
    ImagePanel,
    Line,
    Panel,
    Picture,
    SeriesPanel,
    SurfacePanel,
    TextPanel,
)
from rapid.processing.frame import Study
from rapid.tv.drawing.theme import ACCENT, BACKGROUND, FIT, SURFACE
from rapid.tv.render import encode
from tests.support.studies import Star, make_study

CAPTION = "LATISS 2026-03-15 seq 51 · science · SDSSr_65mm · 30 s"
RAMP = np.linspace(0.0, 1.0, 60)
EVERY_KIND: dict[str, Panel] = {
    "image": ImagePanel("Image", np.arange(600, dtype=np.uint16).reshape(20, 30), high=599.0, unit="electron"),
    "contours": ContourPanel("Contours", np.add.outer(RAMP, RAMP).astype(np.float32), (0.5, 1.0, 1.5), "electron"),
    "surface": SurfacePanel("Surface", np.multiply.outer(RAMP, RAMP).astype(np.float32), "electron"),
    "series": SeriesPanel(
        "Series", (Line(RAMP, RAMP**2, points=True), Line(RAMP, RAMP**2, "fit")), "x", "y", ((0.5, "half"),)
    ),
    "text": TextPanel("Text", (("FWHM", "0.76 arcsec"), ("", "A sentence."))),
}


def seen(encoded: EncodedPicture) -> np.ndarray:
    image = Image.open(io.BytesIO(encoded.body))
    assert image.size == (encoded.width, encoded.height)
    assert image.format == {"png": "PNG", "jpg": "JPEG"}[encoded.suffix]
    return np.asarray(image.convert("RGB"))


def near(pixels: np.ndarray, color: tuple[int, int, int], reach: int = 10) -> np.ndarray:
    return np.abs(pixels.astype(int) - color).max(axis=-1) <= reach


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study([Star(160, 120, 1e6, 8.0, 3.0), Star(60, 60, 2e5, 8.0, 3.0)], dead=["C11"])


@pytest.mark.parametrize("analysis", [monitor, imexam])
def test_the_same_picture_is_the_same_bytes(study: Study, analysis) -> None:
    first = encode(analysis.run(study).pictures[0], caption=CAPTION)
    second = encode(analysis.run(study).pictures[0], caption=CAPTION)
    assert first == second
    assert not first.sidecar
    assert encode(analysis.run(study).pictures[0], caption=CAPTION + "!").body != first.body


@pytest.mark.parametrize("name", EVERY_KIND)
def test_every_kind_of_panel_is_drawn_alone_and_without_metadata(name: str) -> None:
    encoded = encode(Picture("channel", name, (EVERY_KIND[name],)), caption=CAPTION)
    pixels = seen(encoded)
    assert encoded.channel == "channel"
    assert encoded.suffix == "png"
    assert 500 <= encoded.width <= 1600
    assert len(np.unique(pixels.astype(np.uint32) @ (65_536, 256, 1))) > 20
    assert not Image.open(io.BytesIO(encoded.body)).info


def test_a_grid_of_every_kind_of_panel() -> None:
    panels = tuple(EVERY_KIND.values())
    encoded = encode(Picture("channel", "all", panels, columns=3), caption=CAPTION)
    pixels = seen(encoded)
    assert encoded.suffix == "png"
    assert encoded.width == 1400
    assert near(pixels, SURFACE, 0).mean() > 0.3
    assert near(pixels, BACKGROUND, 0)[:, :20].all()
    assert near(pixels, BACKGROUND, 0)[-20:].all()


def test_a_large_image_alone_is_a_jpeg_with_its_own_pixels() -> None:
    levels = np.repeat(np.repeat(np.arange(100, dtype=np.uint8).reshape(10, 10) * 2, 60, axis=0), 60, axis=1)
    encoded = encode(Picture("monitor", "t", (ImagePanel("t", levels),)), caption=CAPTION)
    pixels = seen(encoded)
    assert encoded.suffix == "jpg"
    top, left = 66 + 44, 20 + 58
    shown = pixels[top : top + 600, left : left + 600].astype(int)
    centers = shown[30::60, 30::60].mean(axis=2)
    np.testing.assert_allclose(centers[::-1], levels[30::60, 30::60], atol=2)


def test_the_pixels_of_a_known_panel() -> None:
    panel = ImagePanel("t", np.array([[0, 100], [200, 255]], np.uint8))
    pixels = seen(encode(Picture("c", "t", (panel,)), caption=CAPTION))
    top, left, side = 66 + 44, 20 + 58, 1100
    assert pixels[top + 100, left + 100].tolist() == [200] * 3
    assert pixels[top + 100, left + side - 100].tolist() == [255] * 3
    assert pixels[top + side - 100, left + 100].tolist() == [0] * 3
    assert pixels[top + side - 100, left + side - 100].tolist() == [100] * 3


def test_the_caption_is_in_its_strip_and_nowhere_else() -> None:
    picture = Picture("c", "", (EVERY_KIND["image"],))
    plain, captioned = seen(encode(picture, caption="")), seen(encode(picture, caption=CAPTION))
    rows = np.nonzero((plain != captioned).any(axis=(1, 2)))[0]
    assert rows.min() > 10
    assert rows.max() < 52


@pytest.mark.parametrize("caption", ["", "x" * 5000, "目標 👩‍🔭 " * 400, "\x00\n\t" * 50, "<b>&amp;\\"])
def test_any_caption_and_title_is_drawn_within_the_picture(caption: str) -> None:
    panels = (ImagePanel(caption, np.zeros((9, 9), np.uint8)), TextPanel(caption, ((caption, caption), ("", caption))))
    series = SeriesPanel(caption, (Line(RAMP, RAMP, caption),), caption, caption, ((0.5, caption),))
    encoded = encode(Picture("c", caption, (*panels, series), columns=3), caption=caption)
    pixels = seen(encoded)
    assert near(pixels, BACKGROUND, 0)[:, :19].all()
    assert near(pixels, BACKGROUND, 0)[:, -19:].all()


def test_points_are_the_measurement_and_curves_the_fit() -> None:
    pixels = seen(encode(Picture("c", "t", (EVERY_KIND["series"],)), caption=""))
    plot = pixels[110:740, 80:]
    assert near(plot, ACCENT).sum() > 200
    assert near(plot, FIT).sum() > 200
    alone = SeriesPanel("s", (Line(RAMP, RAMP**2),), "x", "y")
    pixels = seen(encode(Picture("c", "t", (alone,)), caption=""))[110:740, 80:]
    assert near(pixels, ACCENT).sum() > 200
    assert near(pixels, FIT).sum() == 0


def test_a_curve_goes_through_its_points() -> None:
    panel = SeriesPanel("s", (Line(np.array([0.0, 10.0]), np.array([0.0, 10.0])),), "x", "y")
    pixels = seen(encode(Picture("c", "t", (panel,)), caption=""))[110:750, 78:1178]
    rows, columns = np.nonzero(near(pixels, ACCENT))
    slope, height = np.polyfit(columns, 640 - rows, 1)
    assert slope == pytest.approx(640 / 1.12 / 1100, rel=0.01)
    assert height == pytest.approx(640 * 0.06 / 1.12, abs=2)


numbers = st.floats(allow_nan=True, allow_infinity=True, width=32) | st.floats(-1e3, 1e3, width=32)
maps = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=numbers)


@settings(deadline=None, max_examples=25)
@given(maps, st.lists(numbers, max_size=4))
def test_any_map_is_drawn(values: np.ndarray, levels: list[float]) -> None:
    panels = (ContourPanel("c", values, tuple(levels)), SurfacePanel("s", values))
    assert seen(encode(Picture("c", "t", panels, columns=3), caption="c")).any()


@settings(deadline=None, max_examples=25)
@given(arrays(np.float64, (2, 7), elements=numbers), st.booleans())
def test_any_series_is_drawn(values: np.ndarray, points: bool) -> None:
    lines = (Line(values[0], values[1], "a", points), Line(values[0], values[1][::-1]), Line(values[1], values[0], "b"))
    panel = SeriesPanel("s", lines, "x", "y", ((float(values[0, 0]), "here"),))
    assert seen(encode(Picture("c", "t", (panel, panel), columns=2), caption="c")).any()


@settings(deadline=None, max_examples=25)
@given(
    arrays(st.sampled_from([np.uint8, np.uint16]), array_shapes(min_dims=2, max_dims=2, max_side=40)),
    numbers,
    numbers,
    st.sampled_from(["linear", "asinh"]),
)
def test_any_image_is_drawn(pixels: np.ndarray, low: float, high: float, stretch: str) -> None:
    panel = ImagePanel("i", pixels, low=low, high=high, unit="electron", stretch=stretch, blank=3)
    assert seen(encode(Picture("c", "t", (panel,)), caption="c")).any()


@pytest.mark.parametrize(
    "panel",
    [
        ImagePanel("one pixel", np.zeros((1, 1), np.uint8)),
        ImagePanel("one row", np.zeros((1, 3000), np.uint16)),
        ImagePanel("one column", np.zeros((3000, 1), np.uint16)),
        SurfacePanel("constant", np.ones((5, 5), np.float32)),
        SurfacePanel("nothing", np.full((5, 5), np.nan, np.float32)),
        SurfacePanel("one", np.ones((1, 1), np.float32)),
        SurfacePanel("fine", np.ones((300, 170), np.float32)),
        ContourPanel("one", np.ones((1, 1), np.float32), (0.5,)),
        SeriesPanel("nothing", (), "x", "y"),
        SeriesPanel("empty", (Line(np.empty(0), np.empty(0), "e", points=True),), "x", "y"),
        SeriesPanel(
            "not a number", (Line(np.full(3, math.nan), np.full(3, math.nan), "n"),), "x", "y", ((math.nan, "n"),)
        ),
        SeriesPanel("one", (Line(np.ones(1), np.ones(1), points=True), Line(np.ones(1), np.ones(1))), "x", "y"),
        TextPanel("nothing", ()),
        TextPanel("much", tuple((f"label {i}", "v" * 99) for i in range(200))),
    ],
    ids=lambda panel: f"{type(panel).__name__} {panel.title}",
)
def test_poor_panels_are_drawn_alone_and_in_a_grid(panel: Panel) -> None:
    for columns, panels in ((1, (panel,)), (3, (panel, panel))):
        encoded = encode(Picture("c", "t", panels, columns=columns), caption=CAPTION)
        assert seen(encoded).any()
        assert encoded.width <= 1600
        assert encoded.height <= 1600


def test_a_picture_without_panels_is_a_caption() -> None:
    encoded = encode(Picture("c", "t", ()), caption=CAPTION)
    assert seen(encoded).shape == (encoded.height, encoded.width, 3)


def test_drawing_is_quick(study: Study) -> None:
    for analysis, limit in ((monitor, 0.5), (imexam, 1.5)):
        picture = analysis.run(study).pictures[0]
        encode(picture, caption=CAPTION)
        started = time.process_time()
        encode(picture, caption=CAPTION)
        assert time.process_time() - started < limit
