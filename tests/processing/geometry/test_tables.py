"""The tables of the cameras are whole, agree with themselves, and are what the descriptions say."""

from __future__ import annotations

import json
import runpy
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rapid.errors import UnknownInstrument
from rapid.processing.geometry import Detector, DetectorKind, detector, detectors, instruments

ROOT = Path(__file__).resolve().parents[3]
EVERYWHERE = [one for camera in instruments() for one in detectors(camera).values()]


def test_the_cameras_are_known() -> None:
    assert instruments() == ("LATISS", "LSSTCam", "LSSTComCam")
    assert [len(detectors(camera)) for camera in instruments()] == [1, 205, 9]


def test_lsstcam_has_the_detectors_it_has() -> None:
    camera = detectors("LSSTCam").values()
    assert Counter((one.kind, one.type, one.vendor) for one in camera) == {
        (DetectorKind.SCIENCE, "E2V", "E2V"): 117,
        (DetectorKind.SCIENCE, "ITL", "ITL"): 72,
        (DetectorKind.GUIDER, "ITL_G", "ITL"): 8,
        (DetectorKind.WAVEFRONT, "ITL_WF", "ITL"): 8,
    }
    assert sum(len(one.amplifiers) for one in camera) == 3216
    assert len({one.serial for one in camera}) == 205


def test_numbers_run_through_the_rafts_science_first() -> None:
    camera = list(detectors("LSSTCam").values())
    assert [one.number for one in camera] == list(range(205))
    rafts = {one.raft: one.number for one in reversed(camera)}
    assert [rafts[raft] for raft in ("R01", "R02", "R03", "R10", "R43")] == [0, 9, 18, 27, 180]
    assert [rafts[raft] for raft in ("R00", "R04", "R40", "R44")] == [189, 193, 197, 201]
    assert [one.slot for one in camera[189:193]] == ["SG0", "SG1", "SW0", "SW1"]
    assert [one.slot for one in camera[:9]] == ["S00", "S01", "S02", "S10", "S11", "S12", "S20", "S21", "S22"]


def test_a_detector_is_found_by_number_and_by_name() -> None:
    assert detector("LSSTCam", 94) is detector("LSSTCam", "R22_S11") is detectors("LSSTCam")["R22_S11"]
    assert detector("LATISS", 0).name == "R00_S00"


@pytest.mark.parametrize(
    ("camera", "which", "told"),
    [
        ("LSSTCam", 205, "LSSTCam has no such detector; expected R01_S00 to R44_SW1, 0 to 204; found 205"),
        ("LSSTCam", -1, "LSSTCam has no such detector; expected R01_S00 to R44_SW1, 0 to 204; found -1"),
        ("LSSTComCam", "R22_SG0", "LSSTComCam has no such detector; expected R22_S00 to R22_S22, 0 to 8; found 'R22_SG0'"),
        ("LATISS", "RXX_S00", "LATISS has no such detector; expected R00_S00 or 0; found 'RXX_S00'"),
        ("DECam", 1, "no geometry for this camera; expected LATISS or LSSTCam or LSSTComCam; found 'DECam'"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(camera: str, which: int | str, told: str) -> None:
    with pytest.raises(UnknownInstrument) as caught:
        detector(camera, which)
    assert str(caught.value) == told


@pytest.mark.parametrize("one", EVERYWHERE, ids=lambda one: f"{one.instrument}-{one.name}")
def test_amplifiers_cover_the_sensor_once(one: Detector) -> None:
    covered = np.zeros(one.shape, np.uint8)
    for amplifier in one.amplifiers:
        covered[amplifier.bbox.slices] += 1
        assert (amplifier.bbox.width, amplifier.bbox.height) == (amplifier.data.width, amplifier.data.height)
    assert covered.min() == covered.max() == 1
    assert [amplifier.hdu for amplifier in one.amplifiers] == list(range(1, len(one.amplifiers) + 1))


def test_on_disk_prescan_data_and_overscans_lie_side_by_side() -> None:
    for one in EVERYWHERE:
        amplifier = one.amplifiers[0]
        before, data, after = amplifier.serial_prescan, amplifier.data, amplifier.serial_overscan
        for left, right in pairwise((before, data, after)):
            assert left.x0 + left.width == right.x0
        assert after.x0 + after.width == amplifier.raw.width == 576
        assert amplifier.parallel_overscan.y0 == data.y0 + data.height
        assert amplifier.parallel_overscan.y0 + amplifier.parallel_overscan.height == amplifier.raw.height == 2048
        assert (one.vendor, before.width, after.width) in {("E2V", 10, 54), ("ITL", 3, 64)}


@pytest.mark.parametrize(
    ("name", "corners"),
    [
        ("R22_S11", {"C1": "UR", "C0": "LL"}),
        ("R02_S02", {"C1": "UR", "C0": "LR"}),
        ("R00_SG0", {"C1": "UR", "C0": "LR"}),
        ("R00_SW0", {"C1": "UR"}),
    ],
)
def test_amplifiers_are_read_from_the_corner_of_their_type(name: str, corners: dict[str, str]) -> None:
    found: dict[str, str] = {}
    for amplifier in detector("LSSTCam", name).amplifiers:
        assert found.setdefault(amplifier.name[:2], amplifier.read_corner) == amplifier.read_corner
    assert found == corners


def test_wavefront_halves_run_the_other_way_and_have_no_hdu_twice() -> None:
    half = detector("LSSTCam", "R44_SW1")
    assert half.shape == (2000, 4072)
    assert [(one.name, one.hdu, one.bbox.x0 // 509) for one in half.amplifiers] == [
        (f"C1{n}", n + 1, 7 - n) for n in range(8)
    ]


def test_nominal_values_are_those_of_the_sensors() -> None:
    science = {
        vendor: np.array(
            [
                (amplifier.gain, amplifier.read_noise, amplifier.saturation * amplifier.gain)
                for one in detectors("LSSTCam").values()
                for amplifier in one.amplifiers
                if one.type == vendor
            ]
        )
        for vendor in ("E2V", "ITL")
    }
    np.testing.assert_allclose(np.median(science["E2V"], axis=0), (1.476, 5.41, 140_000), rtol=0.002)
    np.testing.assert_allclose(np.median(science["ITL"], axis=0), (1.671, 6.40, 126_400), rtol=0.002)
    latiss = detector("LATISS", 0).amplifiers
    assert {one.saturation for one in latiss} == {142_857}
    assert (min(one.gain for one in latiss), max(one.gain for one in latiss)) == (1.047, 1.1047)


def test_a_camera_is_loaded_in_no_time_and_once() -> None:
    spent = []
    for _ in range(5):
        begin = time.process_time()
        detectors.__wrapped__("LSSTCam")
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.05
    assert detectors("LSSTCam") is detectors("LSSTCam")


def test_tables_cannot_be_changed_by_a_reader() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        detectors("LATISS")["R00_S00"] = detector("LSSTCam", 0)  # type: ignore[index]


# --- the tool that made them --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table_text() -> Callable[[dict[str, Any]], str]:
    found: Callable[[dict[str, Any]], str] = runpy.run_path(str(ROOT / "tools/make_geometry.py"))["table_text"]
    return found


@pytest.mark.parametrize("camera", ["latiss", "lsstcam", "lsstcomcam"])
def test_the_tables_are_those_the_tool_makes(shared_data: Path, table_text: Any, camera: str) -> None:
    description = json.loads((shared_data / "geometry" / f"{camera}.json").read_text())
    packaged = (ROOT / "rapid/processing/data" / f"{camera}.json").read_text()
    assert table_text(description) == packaged
    assert len(packaged) < 110_000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table["detectors"][0].update(vendor="E2V"), r"type ITL differ .*\['E2V', 'ITL'\]"),
        (lambda table: table["detectors"][0]["amps"].pop("C10"), "R22_S00 has the amplifiers .* its type"),
        (
            lambda table: table["physical_types"]["ITL"]["amps"][0].update(flip_x=False),
            "C10 is read from UR, its flips say UL",
        ),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(
    shared_data: Path, table_text: Any, change: Callable[[Any], object], told: str
) -> None:
    description = json.loads((shared_data / "geometry/lsstcomcam.json").read_text())
    change(description)
    with pytest.raises(ValueError, match=told):
        table_text(description)
