"""Geometry on real files: assembled images of the observatory's own software, bit by bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from rapid.processing.geometry import assemble, detector


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "golden.json").read_text())
    return found


def segments_of(path: Path) -> list[NDArray[np.generic]]:
    with fits.open(path) as hdus:
        return [hdu.data for hdu in hdus if hdu.is_image and hdu.data is not None]


def test_assembly_is_bit_identical_to_the_observatorys(shared_data: Path, golden: dict[str, Any]) -> None:
    (wanted,) = golden["assembly"]
    found = assemble(segments_of(shared_data / wanted["raw"]), detector("LSSTCam", wanted["detector"]))
    expected = fits.getdata(shared_data / wanted["expected"])
    assert list(found.shape) == wanted["shape"]
    assert detector("LSSTCam", wanted["detector"]).type == wanted["type"]
    assert 0 < np.count_nonzero(found) < found.size
    np.testing.assert_array_equal(found, expected)
