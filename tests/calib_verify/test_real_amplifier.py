"""The one real amplifier there is: statistics that the camera software wrote into its header."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calib_verify.measurements.bias_shift import find_bias_shifts
from calib_verify.measurements.clipping import LsstStatistics, lsst_statistics, plain_moments
from rapid.processing.fits import open_raw
from rapid.processing.isr.medians import row_medians


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, dict[str, float]]:
    return json.loads((shared_data / "golden.json").read_text())["amp_statistics"]


@pytest.fixture(scope="module")
def segment(shared_data: Path, golden: dict[str, dict[str, float]]) -> NDArray[np.float32]:
    path = shared_data / str(golden["file"])
    raw = open_raw(path, name=path.name)
    return np.asarray(raw.segments[15], np.float32)  # Segment00 is the last of the file


def population(found: LsstStatistics) -> float:
    return found.stdev * math.sqrt((found.n - 1) / found.n)


@pytest.mark.parametrize(
    ("columns", "mean", "spread", "tolerance"),
    [
        pytest.param(slice(10, 522), "AVERAGE", "STDEV", 1e-9, id="data"),
        pytest.param(slice(522, 576), "AVGBIAS", "STDVBIAS", 1e-8, id="overscan"),
    ],
)
def test_statistics_are_those_of_the_camera_software(
    segment: NDArray[np.float32],
    golden: dict[str, dict[str, float]],
    columns: slice,
    mean: str,
    spread: str,
    tolerance: float,
) -> None:
    part = segment[0:2048, columns]
    found = lsst_statistics(part)
    assert found.n == part.size
    assert found.mean == pytest.approx(golden[mean]["value"], rel=1e-9)
    assert population(found) == pytest.approx(golden[spread]["value"], rel=tolerance)
    n, plain, _ = plain_moments(part, np.zeros(part.shape, np.uint16), 0)
    assert (n, plain) == (part.size, pytest.approx(golden[mean]["value"], rel=1e-9))


def test_clipping_finds_the_illuminated_part(segment: NDArray[np.float32]) -> None:
    found = lsst_statistics(segment[2:2004, 10:522])
    assert 0 < found.n_clipped < 0.03 * found.n  # the rim of the sensor is darker
    assert found.mean_clipped == pytest.approx(found.median, rel=0.005)
    assert found.stdev_clipped < 0.5 * found.stdev


def test_the_overscan_has_the_noise_of_the_amplifier(segment: NDArray[np.float32]) -> None:
    overscan = segment[:, 525:573].astype(np.int32)
    medians = np.empty(overscan.shape[0])
    row_medians(overscan, medians)
    found = lsst_statistics((overscan - medians[:, None]).astype(np.float32), clip=3.0)
    assert found.stdev_clipped == pytest.approx(6.4, rel=0.03)


def test_no_step_is_seen_in_it(segment: NDArray[np.float32]) -> None:
    found = find_bias_shifts(segment[:, 522:].astype(np.int32))
    assert 0.5 < found.noise < 1.5
    assert not [each for each in found.shifts if abs(each.height) > 10 * found.noise]
