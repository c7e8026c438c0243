"""The whole walk, from the bytes of a file to a study."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rapid.errors import BadHeader, BadLayout, NotAvailable, UnknownInstrument
from rapid.processing.frame import Study
from rapid.processing.measure import measure, study
from tests.support.frames import NAME, Field, as_file, draw, latiss, read_out

FIELD = Field(fwhm=10.5, stars=150, fluxes=(5e3, 5e5), q=0.9, angle=0.4, sky=250)


@pytest.fixture(scope="module")
def content() -> bytes:
    detector = latiss()
    return as_file(read_out(draw(FIELD, detector.shape).light, detector).segments)


@pytest.fixture(scope="module")
def night(content: bytes) -> Study:
    return study(content, name=NAME)


def blank(**cards: object) -> bytes:
    """Make a file without any light, quickly."""
    noise = np.random.default_rng(1).normal(12_000, 8, (2048, 576)).astype(np.int32)
    return as_file([noise] * 16, tile_rows=512, **cards)


def test_the_truth_comes_out(night: Study) -> None:
    assert night.background is not None
    assert night.sources is not None
    assert night.psf is not None
    assert night.psf.fwhm == pytest.approx(FIELD.fwhm, rel=0.02)
    assert (night.psf.e1, night.psf.e2) == pytest.approx(FIELD.ellipticity, abs=0.01)
    assert night.background.level == pytest.approx(FIELD.sky, rel=0.005)
    assert night.background.noise == pytest.approx(np.hypot(np.sqrt(FIELD.sky), 9.1), rel=0.01)
    assert night.psf.n_stars > 30
    assert 120 < len(night.sources) < 170
    assert night.why_not == ""
    assert night.frame.info.obs_id == "AT_O_20260315_000051"


def test_every_step_is_timed(night: Study) -> None:
    assert list(night.seconds) == ["read", "translate", "calibrate", "background", "detect", "psf"]
    assert all(0 < seconds < 60 for seconds in night.seconds.values())


def test_the_same_file_gives_the_same_numbers(content: bytes, night: Study, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    again = study(path, name=NAME)
    assert again.psf == night.psf
    np.testing.assert_array_equal(again.frame.image, night.frame.image)
    assert again.sources is not None
    assert night.sources is not None
    np.testing.assert_array_equal(again.sources.flux, night.sources.flux)


def test_offsets_between_amplifiers_are_measured_when_asked_for(night: Study) -> None:
    true = np.random.default_rng(4).normal(0, 3, 16)
    image = night.frame.image.copy()
    for amplifier, pedestal in zip(night.frame.detector.amplifiers, true, strict=True):
        image[amplifier.bbox.slices] += np.float32(pedestal)
    before, after = measure(night.frame, offsets=True), measure(replace(night.frame, image=image), offsets=True)
    assert night.offsets is None
    assert "offsets" in after.seconds
    assert before.offsets is not None
    assert after.offsets is not None
    np.testing.assert_allclose(after.offsets.pedestals - before.offsets.pedestals, true - true.mean(), atol=0.02)
    assert 0.01 < after.offsets.errors.max() < 0.1


def test_offsets_are_not_asked_of_a_frame_without_sky() -> None:
    assert study(blank(IMGTYPE="DARK"), name=NAME, offsets=True).offsets is None


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_calibrations_have_a_level_and_no_sources(kind: str) -> None:
    found = study(blank(IMGTYPE=kind.upper()), name=NAME)
    assert found.background is not None
    assert found.background.level == pytest.approx(0, abs=1)
    assert found.background.noise == pytest.approx(8.6, abs=0.5)
    assert (found.sources, found.psf, found.why_not) == (None, None, f"a {kind} shows no sky")


def test_with_a_closed_dome_nothing_is_looked_for() -> None:
    found = study(blank(VIGN_MIN="FULLY"), name=NAME)
    assert found.sources is None
    assert found.why_not == "the sky could not be seen: shutter or dome closed"


def test_an_empty_sky_says_why_there_is_no_seeing() -> None:
    found = study(blank(), name=NAME)
    assert found.sources is not None
    assert found.psf is not None
    assert len(found.sources) == 0
    assert np.isnan(found.psf.fwhm)
    assert found.why_not == "nothing above 5 sigma of the sky"


@pytest.mark.parametrize("value", [0, 262143])
def test_a_dead_detector_does_not_raise(value: int) -> None:
    found = study(as_file([np.full((2048, 576), value, np.int32)] * 16), name=NAME)
    assert all(amplifier.dead for amplifier in found.frame.amplifiers)
    assert (found.background, found.sources, found.psf) == (None, None, None)
    assert found.why_not == "no pixel of this detector carries a signal"


def test_random_counts_do_not_raise() -> None:
    counts = np.random.default_rng(1).integers(0, 2**18, (2048, 576)).astype(np.int32)
    found = study(as_file([counts] * 16, compression=None), name=NAME)
    assert found.background is not None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "AT_O_20260315_000052_R00_S00.fits",
            "the name says AT_O_20260315_000052, the header says AT_O_20260315_000051",
        ),
        ("AT_C_20260315_000051-R00S00.fits", "the name says AT_C_20260315_000051"),
        ("2026031500052-det000.fits", "the name says 2026031500052, the header says 2026031500051"),
    ],
)
def test_a_file_under_the_name_of_another_exposure_is_refused(name: str, words: str) -> None:
    with pytest.raises(BadHeader, match=re.escape(words)):
        study(blank(), name=name)


@pytest.mark.parametrize(
    ("name", "cards", "words"),
    [
        ("AT_O_20260315_000051_R22_S11.fits", {}, "the name says R22_S11, the header says R00_S00"),
        ("AT_O_20260315_000051-R22S11.fits.gz", {}, "the name says R22_S11"),
        (NAME, {"RAFTBAY": "R22", "CCDSLOT": "S11"}, "the name says R00_S00, the header says R22_S11"),
    ],
)
def test_a_file_under_the_name_of_another_detector_is_refused(name: str, cards: dict[str, object], words: str) -> None:
    with pytest.raises(BadHeader, match=re.escape(words)):
        study(blank(**cards), name=name)


@pytest.mark.parametrize("name", ["2026031500051-det000.fits", "anything.fits", NAME + ".fz"])
def test_other_names_do_not_matter(name: str) -> None:
    assert study(blank(IMGTYPE="BIAS"), name=name).frame.info.exposure_id == 2026031500051


def test_other_errors_come_through(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=NAME):
        study(tmp_path / NAME, name=NAME)
    with pytest.raises(UnknownInstrument, match="DECam"):
        study(blank(INSTRUME="DECam"), name=NAME)
    with pytest.raises(BadLayout, match="too small for LATISS"):
        study(as_file([np.zeros((2000, 512), np.int32)] * 16), name=NAME)
    with pytest.raises(BadLayout, match="guider"):
        study(blank(), name="MC_O_20260315_000051_R00_SG0_guider.fits")


def test_a_streak_and_a_spectrum_are_no_stars() -> None:
    detector = latiss()
    light = draw(Field(stars=0, sky=250), detector.shape).light
    light[500:3500, 1500:1530] += 3000
    y, x = np.indices(detector.shape)
    light[np.abs(y - 0.7 * x) < 6] += 2000
    raw = read_out(light, detector, GRATING="holo4_003")
    found = study(as_file(raw.segments, GRATING="holo4_003"), name=NAME)
    assert found.frame.info.disperser == "holo4_003"
    assert found.sources is not None
    assert len(found.sources) > 0
    assert not found.sources.star.any()
    assert found.psf is not None
    assert (found.psf.kind, found.psf.n_stars) == ("dispersed", 0)
    assert found.psf.doubt.startswith("no single star: width of ")


def test_measuring_a_frame_alone_keeps_its_own_time(night: Study) -> None:
    again = measure(night.frame)
    assert again.psf == night.psf
    assert list(again.seconds) == ["background", "detect", "psf"]
