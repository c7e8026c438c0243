"""Raw files of LSSTCam: what the camera writes, and one sky over all detectors."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from rapid.errors import TruncatedFile
from rapid.processing.fits import read_guider, read_raw
from rapid.processing.geometry import DetectorKind, detectors
from rapid.processing.headers import translate
from rapid.processing.wcs import boresight_wcs
from rapid.simulation.night import SimulatedExposure, raw_files, simulate
from rapid.simulation.plan import NightPlan
from rapid.simulation.projection import Projection
from rapid.simulation.segments import segment_cards

DETECTORS = detectors("LSSTCam")
HEADERS = "translator_cases/headers"
MADE = ("R01_S00", "R22_S11", "R22_S12", "R00_SG0", "R00_SW0")
PLAN = NightPlan.model_validate(
    {
        "name": "x",
        "instrument": "LSSTCam",
        "begins": "2026-02-18T00:30:00",
        "detectors": MADE,
        "sequences": [
            {"kind": "bias", "count": 1},
            {
                "kind": "science",
                "count": 1,
                "exposure_time": 30,
                "filter": "r_57",
                "seeing": 0.7,
                "ellipticity": [0.02, -0.01],
                "target": {"name": "a", "hour_angle": -0.5, "dec": -35, "rotator": 40},
                "incidents": [
                    {"kind": "missing_detector", "detector": "R22_S12"},
                    {"kind": "dead_amplifier", "detector": "R22_S11", "amplifier": "C13"},
                ],
            },
            {
                "kind": "flat",
                "count": 1,
                "exposure_time": 5,
                "filter": "i_39",
                "level": 20000,
                "incidents": [
                    {"kind": "missing_detector", "detector": "R01_S00", "expected": False},
                    {"kind": "dead_detector", "detector": "R00_SW0"},
                    {"kind": "truncated_file", "detector": "R22_S12", "keep": 0.5},
                ],
            },
        ],
    }
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lsstcam")


@pytest.fixture(scope="module")
def night(out: Path) -> dict[tuple[str, str], SimulatedExposure]:
    """One of each kind, by kind and detector."""
    return {(one.kind, one.detector): one for one in simulate(PLAN, out, seed=1)}


def truth_of(exposure: SimulatedExposure) -> dict:
    return json.loads(exposure.truth.read_text())


# --- the files -----------------------------------------------------------------------------------------------------


def test_every_detector_has_its_files(out: Path, night: dict[tuple[str, str], SimulatedExposure]) -> None:
    assert [key for key in night if key[0] == "bias"] == [("bias", name) for name in MADE if name != "R00_SG0"]
    assert [key[1] for key in night if key[0] == "science"] == ["R01_S00", "R22_S11", "R00_SG0", "R00_SW0"]
    assert [key[1] for key in night if key[0] == "flat"] == ["R22_S11", "R22_S12", "R00_SW0"]
    assert len(night) == raw_files(PLAN)
    for (_, name), one in night.items():
        stem = f"{one.obs_id}_{name}" + ("_guider" if "SG" in name else "")
        assert one.path == out / "LSSTCam" / "20260217" / one.obs_id / f"{stem}.fits"
        assert one.truth == out / "truth" / "LSSTCam" / "20260217" / f"{one.obs_id}_{name}.json"
        assert one.path.stat().st_size == one.size
    wanted = {p for one in night.values() for p in (one.path, one.path.with_suffix(".json"), one.truth)}
    lists = {one.path.parent / f"{one.obs_id}_expectedSensors.json" for one in night.values()}
    assert {path for path in out.rglob("*") if path.is_file()} == wanted | lists


def test_expected_sensors_are_told_as_the_camera_does(
    shared_data: Path, night: dict[tuple[str, str], SimulatedExposure]
) -> None:
    real = json.loads((shared_data / "messages" / "file_expectedSensors_lsstcam_full_with_guiders.json").read_text())
    one = night["science", "R22_S11"]
    path = one.path.parent / f"{one.obs_id}_expectedSensors.json"
    told = json.loads(path.read_text())
    assert list(told) == list(real)
    assert {key: told[key] for key in ("fileName", "fileType", "obsId", "version")} == {
        "fileName": path.name,
        "fileType": real["fileType"],
        "obsId": one.obs_id,
        "version": real["version"],
    }
    assert told["expectedSensors"] == {name: real["expectedSensors"][name] for name in sorted(MADE)}
    assert list(told["expectedSensors"]) == sorted(MADE)


def test_expected_sensors_of_a_calibration(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    """No guiders off the sky; and a detector of which the camera knows that it is away is not expected."""
    one = night["flat", "R22_S11"]
    told = json.loads((one.path.parent / f"{one.obs_id}_expectedSensors.json").read_text())
    assert told["expectedSensors"] == dict.fromkeys(("R00_SW0", "R22_S11", "R22_S12"), "SCIENCE")


def test_the_list_comes_before_the_files(tmp_path: Path) -> None:
    def look(one: SimulatedExposure) -> None:
        listed = one.path.parent / f"{one.obs_id}_expectedSensors.json"
        sidecar = one.path.with_suffix(".json")
        times = [path.stat().st_mtime_ns for path in (listed, sidecar, one.path)]
        assert times == sorted(times)

    simulate(PLAN.model_copy(update={"sequences": PLAN.sequences[:1]}), tmp_path, seed=1, on_exposure=look)


@pytest.mark.parametrize(("name", "segments"), [("R22_S11", 16), ("R01_S00", 16), ("R00_SW0", 8)])
def test_a_file_is_what_the_camera_writes(
    night: dict[tuple[str, str], SimulatedExposure], name: str, segments: int
) -> None:
    with fits.open(night["science", name].path, checksum=True, disable_image_compression=True) as hdus:
        hdus.verify("exception")
        extensions = [amplifier.extname for amplifier in DETECTORS[name].amplifiers]
        assert [hdu.name for hdu in hdus] == ["PRIMARY", *extensions, "REB_COND", "CONFIG_COND"]
        assert len(extensions) == segments
        for hdu in hdus:
            assert (hdu.verify_checksum(), hdu.verify_datasum()) == (1, 1)
        for hdu in hdus[1 : segments + 1]:
            header = hdu.header
            assert (header["ZCMPTYPE"], header["ZTILE1"], header["ZTILE2"], header["ZBITPIX"]) == ("RICE_1", 576, 1, 32)
            assert (header["ZNAXIS1"], header["ZNAXIS2"]) == (576, 2048)
    raw = read_raw(night["science", name].path.read_bytes(), name=night["science", name].path.name)
    with fits.open(night["science", name].path) as hdus:
        for number in (1, segments):
            np.testing.assert_array_equal(raw.segments[number - 1], hdus[number].data)


def test_primary_cards_are_those_of_a_real_file(
    shared_data: Path, night: dict[tuple[str, str], SimulatedExposure]
) -> None:
    """The keywords of a sidecar of November 2025, in their order; values of the type they have there or in April."""
    newer = json.loads((shared_data / HEADERS / "lsstCam-MC_O_20251121_000156_R44_SW0.json").read_text())
    older = json.loads((shared_data / HEADERS / "lsstCam-MC_O_20250422_000250_R01_S01.json").read_text())
    sidecar = json.loads(night["science", "R01_S00"].path.with_suffix(".json").read_text())
    assert list(sidecar) == list(newer)
    for keyword, value in sidecar.items():
        real = newer[keyword] if newer[keyword] is not None else older.get(keyword)
        if value is not None and real is not None:
            assert isinstance(value, (int, float) if isinstance(real, float) else type(real)), keyword
    for keyword in ("INSTRUME", "TELESCOP", "CAMCODE", "CCD_MANU", "CCD_TYPE", "DETSIZE", "RAFTBAY", "FILTER"):
        assert sidecar[keyword] == older.get(keyword, sidecar[keyword]), keyword


def test_sidecars_say_what_the_headers_say(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    for one in night.values():
        sidecar = json.loads(one.path.with_suffix(".json").read_text())
        header = fits.getheader(one.path)
        cards = {keyword: header[keyword] for keyword in header if keyword != "COMMENT"}
        long = [key for key in cards if " " in key or len(key) > 8]
        dotted = {f"HIERARCH.{key.replace(' ', '.')}" if key in long else key: cards[key] for key in cards}
        assert sidecar == {"__CONTENT__": "metadata"} | dotted


def test_segment_cards_are_those_of_real_files(shared_data: Path) -> None:
    """All of an E2V detector of 2021, which had no INHERIT, BSCALE and BZERO; and one of an ITL detector of 2025."""
    e2v = DETECTORS["R22_S22"]
    with fits.open(shared_data / "obs_lsst_raws" / "lsstcam" / "30211212000310-R22-S22-det098.fits") as hdus:
        for amplifier in e2v.amplifiers:
            header = fits.Header.fromstring(segment_cards(e2v, amplifier).decode())
            for keyword in header:
                if keyword not in {"INHERIT", "BSCALE", "BZERO"}:
                    assert header[keyword] == hdus[amplifier.hdu].header[keyword], (amplifier.name, keyword)
    itl = DETECTORS["R01_S01"]
    real = json.loads((shared_data / HEADERS / "lsstCam-MC_O_20250422_000250_R01_S01.json").read_text())
    header = fits.Header.fromstring(segment_cards(itl, itl.amplifiers[0]).decode())
    assert {keyword: header[keyword] for keyword in header} == {keyword: real[keyword] for keyword in header}
    wanted = list(real)[list(real).index("CHANNEL") : list(real).index("INHERIT") + 1]
    assert list(header) == wanted


def test_the_core_understands_them(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    for (kind, name), one in night.items():
        if name == "R00_SG0":
            continue
        info = translate(dict(fits.getheader(one.path)), name=one.path.name)
        truth = truth_of(one)
        assert (info.instrument, info.obs_id, info.detector_name) == ("LSSTCam", one.obs_id, name)
        assert info.detector == DETECTORS[name].number
        assert info.observation_type == kind
        assert info.on_sky == (kind == "science")
        assert (info.ra is None) == (kind != "science")
        assert info.exposure_time == pytest.approx(truth["exposure_time"], abs=0.003)
        assert info.dark_time == truth["dark_time"]
        assert info.physical_filter == truth["filter"]
    assert {truth_of(one)["filter"] for (kind, _), one in night.items() if kind == "bias"} == {"r_57"}


def test_a_truncated_file_and_a_dead_detector(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    broken, dead = night["flat", "R22_S12"], night["flat", "R00_SW0"]
    with pytest.raises(TruncatedFile):
        read_raw(broken.path.read_bytes(), name=broken.path.name)
    for segment in read_raw(dead.path.read_bytes(), name=dead.path.name).segments:
        assert segment.mean() == pytest.approx(2500.0, abs=0.1)
    alive = read_raw(night["flat", "R22_S11"].path.read_bytes(), name="x").segments
    assert min(segment[1000, 100:500].mean() for segment in alive) > 30_000


def test_only_the_named_detector_has_the_dead_amplifier(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    for name in ("R22_S11", "R01_S00"):
        raw = read_raw(night["science", name].path.read_bytes(), name="x")
        dead = [a.name for a, s in zip(DETECTORS[name].amplifiers, raw.segments, strict=True) if s.std() < 2]
        assert dead == (["C13"] if name == "R22_S11" else [])


def test_processes_change_nothing(tmp_path: Path, out: Path, night: dict[tuple[str, str], SimulatedExposure]) -> None:
    simulate(PLAN, tmp_path, seed=1, processes=2, detectors=("R22_S11", "R00_SW0", "R00_SG0"))
    again = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.fits")}
    assert len(again) == 7
    for path in again:
        assert sha256((tmp_path / path).read_bytes()).digest() == sha256((out / path).read_bytes()).digest()


# --- the sky -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("camera", ["LSSTCam", "LSSTComCam", "LATISS"])
def test_places_agree_with_the_core(camera: str) -> None:
    """Two implementations of the observatory's rules; the core's is a fit good to a thousandth of a pixel."""
    for name, detector in detectors(camera).items():
        chance = np.random.default_rng(detector.number)
        x, y = chance.uniform(0, detector.width, 30), chance.uniform(0, detector.height, 30)
        projection = Projection(detector, 359.9, -55.0, 123.0)
        ra, dec = projection.sky(x, y)
        back_x, back_y = projection.pixels(ra, dec)
        np.testing.assert_allclose([back_x, back_y], [x, y], atol=1e-6)
        core_x, core_y = boresight_wcs(detector, 359.9, -55.0, 123.0).sky_to_pixel(ra, dec)
        np.testing.assert_allclose([core_x, core_y], [x, y], atol=2e-3, err_msg=name)


def test_one_sky_covers_all_detectors(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    """Every star is on one detector, and as far from the boresight as the detector is from the centre."""
    seen: set[tuple[float, float]] = set()
    for name in ("R01_S00", "R22_S11", "R00_SW0"):
        truth = truth_of(night["science", name])
        stars = {(star["ra"], star["dec"]) for star in truth["stars"]}
        assert len(stars) > 1000
        assert not stars & seen
        seen |= stars
        middle_ra, middle_dec = truth["wcs"]["middle"]
        east = (middle_ra - truth["sky"]["boresight_ra"]) * np.cos(np.radians(middle_dec))
        away = np.hypot(east, middle_dec - truth["sky"]["boresight_dec"])
        assert away * 3600 / 20.006 == pytest.approx(np.hypot(*DETECTORS[name].offset), rel=0.01, abs=0.1)


def test_stars_vignetting_and_sky(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    middle, edge = truth_of(night["science", "R22_S11"]), truth_of(night["science", "R01_S00"])
    assert middle["mean_illumination"] == pytest.approx(1.0, abs=2e-4)
    assert 0.5 < edge["mean_illumination"] < 0.7
    for truth in (middle, edge):
        for star in truth["stars"][:50]:
            light = 10 ** (-0.4 * (star["magnitude"] - truth["sky"]["zero_point"])) * truth["exposure_time"]
            assert star["flux"] == pytest.approx(light * star["illumination"], rel=1e-3)
    assert np.median([star["illumination"] for star in edge["stars"]]) == pytest.approx(
        edge["mean_illumination"], abs=0.05
    )


def test_the_psf_changes_over_the_field(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    middle, edge = truth_of(night["science", "R22_S11"]), truth_of(night["science", "R01_S00"])
    assert middle["sky"]["e1"] == pytest.approx(0.02, abs=1e-4)
    assert edge["sky"]["fwhm_px"] > 1.05 * middle["sky"]["fwhm_px"]
    shapes = np.array([[star["fwhm_px"], star["e1"], star["e2"]] for star in edge["stars"]])
    assert (np.ptp(shapes, axis=0) > [0.02, 0.003, 0.003]).all()
    np.testing.assert_allclose(
        shapes.mean(axis=0), [edge["sky"][key] for key in ("fwhm_px", "e1", "e2")], rtol=0.01, atol=1e-3
    )


def test_the_halves_of_a_wavefront_sensor_are_out_of_focus(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    truth = truth_of(night["science", "R00_SW0"])
    assert truth["sky"]["donut_px"] == pytest.approx(1.5 / 1.234 / 0.010, rel=1e-6)
    assert truth["sky"]["fwhm_px"] is None
    assert all("fwhm_px" in star for star in truth["stars"])


# --- guiders -------------------------------------------------------------------------------------------------------


def test_guider_stamps_show_their_star(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    one, detector = night["science", "R00_SG0"], DETECTORS["R00_SG0"]
    assert detector.kind is DetectorKind.GUIDER
    stamps = read_guider(one.path.read_bytes(), name=one.path.name)
    truth = truth_of(one)
    assert len(stamps) == len(truth["stamps"]) == stamps.header["N_STAMPS"] > 200
    assert stamps.region is not None
    box = stamps.region.box(detector)
    assert box is not None
    assert [box.x0, box.y0, box.width, box.height] == truth["region"]
    assert [str(time) for time in stamps.times] == [stamp["time_tai"] for stamp in truth["stamps"]]
    images = (stamps.turned(detector) - truth["bias_level"]) * truth["gain"] - truth["sky_electron_per_px"]
    (star,) = truth["stars"]
    assert images.sum(axis=(1, 2)).mean() == pytest.approx(star["flux"], rel=0.05)
    y, x = np.indices(images.shape[1:])
    found = np.array([[(image * axis).sum() / image.sum() for axis in (x, y)] for image in images])
    told = np.array([[stamp["x"], stamp["y"]] for stamp in truth["stamps"]])
    scatter = (found - told).std(axis=0)
    assert (scatter < 0.15).all()
    np.testing.assert_allclose(found.mean(axis=0), told.mean(axis=0), atol=0.1)
    assert 0.2 < told[:, 0].std() < 0.4  # 0.06 arcsec of jitter


def test_guider_cards_are_those_of_a_real_file(
    shared_data: Path, night: dict[tuple[str, str], SimulatedExposure]
) -> None:
    """The keywords of a sidecar of 2024 that are not of its test stand; and none that a guider does not know."""
    folder = shared_data / "obs_lsst_raws" / "guider" / "guider_data"
    real = json.loads((folder / "MC_C_20240918_000013_R00_SG0_guider.json").read_text())
    sidecar = json.loads(night["science", "R00_SG0"].path.with_suffix(".json").read_text())
    assert set(real) <= set(sidecar)
    assert {key for key in sidecar if key not in real} == set()
    with fits.open(folder / "MC_C_20240918_000013_R00_SG0_guider.fits", disable_image_compression=True) as theirs:
        wanted = [key for key in theirs[1].header if key and key != "COMMENT"]
    with fits.open(night["science", "R00_SG0"].path, disable_image_compression=True, checksum=True) as ours:
        assert sorted(ours[1].header) == sorted(wanted)
        assert all(hdu.verify_checksum() == 1 for hdu in ours[:3])


def test_detectors_are_made_in_order(night: dict[tuple[str, str], SimulatedExposure]) -> None:
    numbers = [(one.seq_num, DETECTORS[one.detector].number) for one in night.values()]
    assert all(a < b for a, b in pairwise(numbers))
