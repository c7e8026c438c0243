"""What can be said of the look without looking: contrast, and no meaning by colour alone."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

WEB = files("rapid.tv").joinpath("web")
COLOURS = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", WEB.joinpath("css/base.css").read_text()))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_guidelines_do() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("ground", ["page", "panel", "raised"])
@pytest.mark.parametrize("ink", ["ink", "ink-strong", "ink-soft", "accent", "ok", "warn", "bad"])
def test_text_can_be_read_on_every_ground(ink: str, ground: str) -> None:
    assert contrast(COLOURS[ink], COLOURS[ground]) >= 4.5


def test_the_night_is_dark_and_nothing_in_it_glares() -> None:
    assert luminance(COLOURS["page"]) < 0.01
    assert luminance(COLOURS["ink"]) < 0.7
    sheets = "".join(WEB.joinpath("css", name).read_text() for name in ("base.css", "night.css", "exposure.css"))
    grounds = re.findall(r"background(?:-color)?: (#[0-9a-f]{6})", sheets)
    assert grounds
    assert all(luminance(colour) < 0.08 for colour in grounds if colour != "#4d7599")


def test_every_state_has_a_glyph_and_a_word() -> None:
    script = WEB.joinpath("js/entry.js").read_text()
    states = re.findall(r"(\w+): \{ glyph: \"(.)\", word: \"(\w+)\"", script)
    assert [name for name, _, _ in states] == ["waiting", "running", "done", "failed", "superseded"]
    assert all(name == word for name, _, word in states)
