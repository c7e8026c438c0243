"""Words that always fit and never show an empty box."""

# ruff: noqa: RUF001

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.tv.drawing import lettering
from rapid.tv.drawing.lettering import fitted, typeface, width, writable


def has_glyph(character: str) -> bool:
    face = typeface(20)
    drawn = face.getmask(character)
    absent = face.getmask("\uffff")
    return character == " " or (drawn.size, bytes(drawn)) != (absent.size, bytes(absent))


def test_every_character_that_is_kept_has_a_glyph() -> None:
    kept = [chr(code) for code in range(0x20, 0x7F)] + sorted(lettering._SIGNS)
    assert [character for character in kept if not has_glyph(character)] == []
    assert not has_glyph("目")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("HD 38666 · μ Col", "HD 38666 · u Col"),
        ("Ångström ±0.5″ × 2", 'Angstrom ±0.5" x 2'),
        ("a\tb\n c\x00d", "a b c d"),
        ("目標", "??"),
        ("👩‍🔭", "??"),
        ("\u202eevil\u202c", "evil"),
        ("α Cen − σ²", "alpha Cen - sigma^2"),
        ("", ""),
        ("½ ﬁne", "1⁄2 fine"),
    ],
)
def test_a_text_is_written_with_the_signs_there_are(text: str, line: str) -> None:
    assert writable(text) == line


def test_a_text_that_fits_is_left_alone() -> None:
    assert fitted("seq 51", 20, 500) == "seq 51"


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    line = fitted("NGC 1234 " * 100, 20, 300)
    assert line.startswith("NGC 1234")
    assert line.endswith("…")
    assert 250 < width(line, 20) <= 300


@given(st.text(max_size=600), st.integers(9, 30), st.floats(0, 900))
def test_any_text_fits(text: str, size: int, limit: float) -> None:
    line = fitted(text, size, limit)
    assert width(line, size) <= limit
    assert all(has_glyph(character) for character in line)


@given(st.text(max_size=100))
def test_writing_twice_changes_nothing(text: str) -> None:
    assert writable(writable(text)) == writable(text)
