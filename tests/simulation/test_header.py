"""The cards against those of real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import astropy.units as u
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import Time

from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.simulation.night import SimulatedExposure
from rapid.simulation.segments import segment_cards

DETECTOR = detectors("LATISS")["R00_S00"]
REAL = "translator_cases/headers/latiss-AT_O_20240624_000106_R00_S00.json"
STRUCTURE = {"SIMPLE", "EXTEND", "BITPIX", "NAXIS", "COMMENT"}

Find = Callable[..., list[SimulatedExposure]]


def segment_header(name: str) -> fits.Header:
    amplifier = next(a for a in DETECTOR.amplifiers if a.name == name)
    return fits.Header.fromstring(segment_cards(DETECTOR, amplifier).decode())


def test_primary_cards_are_those_of_a_real_file(shared_data: Path, find: Find) -> None:
    """The same keywords in the same order, with values of the same type."""
    real = json.loads((shared_data / REAL).read_text())
    expected = list(real)[: list(real).index("XTENSION")]
    header = fits.getheader(find("science")[0].path)
    found = [card.keyword for card in header.cards if card.keyword not in STRUCTURE | {"CHECKSUM", "DATASUM"}]
    assert found == [keyword for keyword in expected if keyword not in STRUCTURE]
    for keyword in found:
        if real[keyword] is not None and header[keyword] is not None:
            kinds = (int, float) if isinstance(real[keyword], float) else (type(real[keyword]),)
            assert isinstance(header[keyword], kinds), keyword


def test_segment_cards_are_those_of_a_real_file_of_2024(shared_data: Path) -> None:
    real = json.loads((shared_data / REAL).read_text())
    header = segment_header("C10")
    for keyword in header:
        assert header[keyword] == real[keyword], keyword
    wanted = list(real)[list(real).index("CHANNEL") : list(real).index("INHERIT") + 1]
    assert list(header) == wanted


@pytest.mark.parametrize("name", [a.name for a in DETECTOR.amplifiers])
def test_segment_cards_of_every_amplifier(shared_data: Path, name: str) -> None:
    """Against a file of 2018, whose axes began at the raft and 6 pixels further on, and which had no system E."""
    amplifier = next(a for a in DETECTOR.amplifiers if a.name == name)
    with fits.open(shared_data / "obs_lsst_raws" / "latiss" / "3018092000065-det000.fits") as hdus:
        real = hdus[amplifier.hdu].header
    header = segment_header(name)
    for keyword in header:
        if keyword == "INHERIT" or (keyword.endswith("E") and keyword != "EXTNAME"):
            continue
        expected = real[keyword]
        if keyword in {"CRVAL2A", "CRVAL2C", "CRVAL2R", "CRVAL2F", "CRVAL1B", "CRVAL1Q"}:
            expected += 6
        if keyword == "CRVAL1F":
            expected += 12700
        assert header[keyword] == expected, keyword


def test_sidecar_says_what_the_header_says(night: tuple[SimulatedExposure, ...]) -> None:
    for exposure in night:
        sidecar = json.loads(exposure.path.with_suffix(".json").read_text())
        assert next(iter(sidecar)) == "__CONTENT__"
        assert sidecar.pop("__CONTENT__") == "metadata"
        header = fits.getheader(exposure.path)
        cards = {keyword: header[keyword] for keyword in header if keyword != "COMMENT"}
        dotted = {f"HIERARCH.{key.replace(' ', '.')}" if " " in key else key: value for key, value in cards.items()}
        assert sidecar == dotted
        assert list(sidecar) == list(dotted)


def test_times_fit_together(night: tuple[SimulatedExposure, ...]) -> None:
    for exposure in night:
        header = fits.getheader(exposure.path)
        begin, end = (datetime.fromisoformat(header[card]) for card in ("DATE-BEG", "DATE-END"))
        assert begin - exposure.begin.replace(tzinfo=None) == timedelta(seconds=37)
        assert (end - begin).total_seconds() == header["DARKTIME"]
        assert header["DARKTIME"] >= header["EXPTIME"]
        for card in ("BEG", "END", "OBS", "TRG"):
            assert Time(header[f"DATE-{card}"], scale="tai").mjd == pytest.approx(header[f"MJD-{card}"], abs=1e-9)


def test_pointing_cards_fit_together(night: tuple[SimulatedExposure, ...]) -> None:
    on_sky = [exposure for exposure in night if exposure.kind in {"science", "focus", "spectrum"}]
    assert len(on_sky) >= 8
    for exposure in on_sky:
        header = fits.getheader(exposure.path)
        site = EarthLocation.from_geodetic(header["OBS-LONG"], header["OBS-LAT"], header["OBS-ELEV"])
        frame = AltAz(obstime=Time(header["DATE-BEG"], scale="tai"), location=site)
        seen = SkyCoord(header["RASTART"], header["DECSTART"], unit="deg").transform_to(frame)
        told = SkyCoord(header["AZSTART"] * u.deg, header["ELSTART"] * u.deg, frame=frame)
        assert seen.separation(told).arcsec < 2.0
        assert header["AMSTART"] == pytest.approx(seen.secz.value, rel=1e-3)
        hour_angle = (
            frame.obstime.sidereal_time("apparent", site.lon)
            - SkyCoord(header["RASTART"], header["DECSTART"], unit="deg").transform_to("cirs").ra
        ).hour
        assert (header["HASTART"] - hour_angle + 12) % 24 - 12 == pytest.approx(0.0, abs=0.03)
        assert header["TRACKSYS"] == "RADEC"


def test_the_core_understands_them(find: Find) -> None:
    kinds = {
        "bias": "bias",
        "dark": "dark",
        "flat": "flat",
        "science": "science",
        "focus": "focus",
        "spectrum": "science",
    }
    for kind, observation_type in kinds.items():
        exposure = find(kind)[0]
        header = fits.getheader(exposure.path)
        info = translate({card.keyword: card.value for card in header.cards}, name=exposure.path.name)
        assert info.obs_id == exposure.obs_id
        assert (info.day_obs, info.seq_num) == (exposure.day_obs, exposure.seq_num)
        assert info.observation_type == observation_type
        assert info.simulated
        assert info.on_sky == (kind in {"science", "focus", "spectrum"})
        assert (info.ra is not None) == info.on_sky
    assert translate(dict(fits.getheader(find("spectrum")[0].path)), name="x").physical_filter == "empty~holo4_003"
    assert translate(dict(fits.getheader(find("focus")[0].path)), name="x").physical_filter == "SDSSr_65mm~empty"


def test_focus_is_swept(find: Find) -> None:
    positions = [fits.getheader(exposure.path)["FOCUSZ"] for exposure in find("focus")]
    assert [round(b - a, 6) for a, b in pairwise(positions)] == [0.08, 0.08]


def test_sequences_are_groups(find: Find) -> None:
    headers = [fits.getheader(exposure.path) for exposure in find("focus")]
    assert [(h["CURINDEX"], h["MAXINDEX"]) for h in headers] == [(1, 3), (2, 3), (3, 3)]
    assert len({h["GROUPID"].partition("#")[0] for h in headers}) == 1
    assert [h["GROUPID"].partition("#")[2] for h in headers] == ["1", "2", "3"]
