"""Pixels become grey levels, and marks land where they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rapid.processing.findings import ImagePanel, Mark
from rapid.tv.drawing.canvas import Canvas, Rect
from rapid.tv.drawing.images import draw_image, grey_levels
from rapid.tv.drawing.theme import ACCENT, BACKGROUND, BAD, BLANK

PIXELS = np.array([[0, 50, 100], [150, 200, 250]], np.uint8)


def pasted(panel: ImagePanel, rect: Rect, size: tuple[int, int] = (240, 200)) -> np.ndarray:
    canvas = Canvas(*size, BACKGROUND)
    draw_image(canvas, rect, panel)
    return np.asarray(canvas.image)[rect.top : rect.bottom, rect.left : rect.right]


def test_a_linear_stretch() -> None:
    panel = ImagePanel("t", PIXELS, offset=10.0, step=2.0, low=110.0, high=410.0)
    np.testing.assert_array_equal(grey_levels(panel), [[0, 0, 85], [170, 255, 255]])


def test_an_asinh_stretch() -> None:
    panel = ImagePanel("t", np.array([[0, 20, 1000, 60_000]], np.uint16), low=0.0, high=1000.0, stretch="asinh")
    expected = 255 * np.arcsinh(np.array([0, 1.0, 50.0, 50.0])) / np.arcsinh(50.0)
    np.testing.assert_array_equal(grey_levels(panel)[0], np.rint(expected))


def test_an_equalised_panel_is_shown_as_it_is() -> None:
    np.testing.assert_array_equal(grey_levels(ImagePanel("t", PIXELS, stretch="equalised")), PIXELS)


@pytest.mark.parametrize(("low", "high"), [(5.0, 5.0), (np.nan, 1.0), (9.0, 1.0)])
def test_a_range_that_is_none_is_grey(low: float, high: float) -> None:
    assert set(grey_levels(ImagePanel("t", PIXELS, low=low, high=high)).ravel()) == {128}


def test_row_0_is_at_the_bottom_and_whole_pixels_are_enlarged() -> None:
    seen = pasted(ImagePanel("t", PIXELS), Rect(60, 20, 120, 60))
    expected = np.repeat(np.repeat(PIXELS[::-1], 20, axis=0), 20, axis=1)
    np.testing.assert_array_equal(seen, np.repeat(expected[..., None], 3, axis=2))


def test_a_large_image_is_reduced_by_averages() -> None:
    checkers = (np.indices((100, 100)).sum(axis=0) % 2 * 200).astype(np.uint8)
    seen = pasted(ImagePanel("t", checkers), Rect(60, 20, 110, 70))
    assert set(seen.ravel().tolist()) == {100}


def test_blank_pixels_have_a_colour_of_their_own() -> None:
    seen = pasted(ImagePanel("t", PIXELS, blank=0), Rect(60, 20, 120, 60))
    assert tuple(seen[-1, 0]) == BLANK
    assert tuple(seen[-1, 25]) == (50, 50, 50)


def test_a_box_is_drawn_around_its_place_in_the_frame() -> None:
    panel = ImagePanel("t", np.zeros((50, 50), np.uint8), x0=100, y0=200, binning=2)
    boxed = replace(panel, marks=(Mark("box", 150.0, 240.0, 20.0),))
    rect = Rect(60, 20, 160, 120)
    changed = (pasted(boxed, rect) != pasted(panel, rect)).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (columns.min(), columns.max()) == pytest.approx((50 + 1 - 10, 50 + 1 + 10), abs=1.5)
    assert (100 - rows.max(), 100 - rows.min()) == pytest.approx((40 + 1 - 10, 40 + 1 + 10), abs=1.5)
    assert not changed[55:60, 48:54].any()


def test_a_hatch_is_as_high_as_its_height_and_carries_a_label_that_fits() -> None:
    panel = ImagePanel("t", np.zeros((100, 100), np.uint8))
    rect = Rect(60, 20, 260, 220)
    hatched = replace(panel, marks=(Mark("hatch", 49.5, 29.5, 60, "C05 dead", height=20),))
    seen = pasted(hatched, rect, (300, 260))
    rows, columns = np.nonzero((seen != 0).any(axis=2))
    assert (columns.min(), columns.max()) == pytest.approx((40, 160), abs=2)
    assert (200 - rows.max(), 200 - rows.min()) == pytest.approx((40, 80), abs=2.5)
    assert (np.abs(seen.astype(int) - BAD).max(axis=2) < 12).any()
    narrow = replace(panel, marks=(Mark("hatch", 49.5, 29.5, 10, "C05 dead", height=20),))
    assert not (pasted(narrow, rect, (300, 260)) == BACKGROUND).all(axis=2).any()


@pytest.mark.parametrize("kind", ["circle", "box", "cross", "hatch"])
@pytest.mark.parametrize("mark", [(np.nan, 5.0, 3.0), (1e9, -1e9, 40.0), (5.0, 5.0, 0.0), (5.0, 5.0, 1e7)])
def test_odd_marks_do_no_harm(kind: str, mark: tuple[float, float, float]) -> None:
    panel = ImagePanel("t", np.zeros((10, 10), np.uint8), marks=(Mark(kind, *mark, "label"),))
    assert pasted(panel, Rect(60, 20, 160, 120)).shape == (100, 100, 3)


def test_marks_stay_within_the_panel() -> None:
    canvas = Canvas(200, 200, BACKGROUND)
    before = np.asarray(canvas.image).copy()
    rect = Rect(60, 60, 140, 140)
    panel = ImagePanel(
        "t", np.zeros((10, 10), np.uint8), marks=(Mark("circle", 0.0, 0.0, 12.0), Mark("box", 9.0, 9.0, 9.0))
    )
    draw_image(canvas, rect, panel)
    outside = np.asarray(canvas.image).copy()
    outside[rect.top : rect.bottom, rect.left : rect.right] = 0
    assert not (np.abs(outside.astype(int) - ACCENT).max(axis=2) < 30).any()
    assert before.shape == outside.shape
    assert isinstance(canvas.image, Image.Image)
