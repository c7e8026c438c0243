"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Directory of real files that are not part of the project; tests that need it are skipped where it is absent."""
    place = Path(os.environ.get("RAPID_SHARED_DATA", _HERE.parent.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"no real files at {place}; set RAPID_SHARED_DATA to the directory that holds obs_lsst_raws")
    return place
