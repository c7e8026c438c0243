"""What the system tests share: one simulated night for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.nights import simulated_night


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short night with incidents, as the camera left it. Nobody changes what is in it."""
    place = tmp_path_factory.getbasetemp() / "short_night"
    simulated_night(place)
    return place
