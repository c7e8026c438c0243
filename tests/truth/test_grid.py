"""What is drawn on a detector is what the whole walk measures, on both cameras, over the nights of a year.

The short form has a night of every kind; the long one, marked `soak`, every combination, and prints a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from tests.support.truth import Conditions
from tests.support.truth_outcomes import Outcome, compared, pulls, table

NIGHTS = (
    Conditions("LATISS", seeing=0.5, sky=300, density=2),
    Conditions("LATISS", seeing=1.0, sky=40, exposure_time=5, density=2),
    Conditions("LATISS", seeing=1.2, sky=5000, exposure_time=120, density=4),
    Conditions("LATISS", seeing=2.5, sky=300, density=1),
    Conditions("LSSTCam", seeing=0.5, sky=1000, density=2),
    Conditions("LSSTCam", seeing=0.7, sky=60, exposure_time=2, density=2),
    Conditions("LSSTCam", seeing=0.8, sky=1000, density=20),
    Conditions("LSSTCam", seeing=1.5, sky=10_000, exposure_time=120, density=4),
    Conditions("LSSTCam", seeing=2.5, sky=1000, density=4),
)

GRID = tuple(
    Conditions(camera, seeing, sky, exposure_time=time, density=density, seed=seed)
    for seed, (camera, seeing, (sky, time), density) in enumerate(
        itertools.product(
            ("LATISS", "LSSTCam"), (0.5, 0.8, 1.2, 1.8, 2.5), ((60, 2), (500, 30), (5000, 120)), (1, 4, 10)
        )
    )
)


@pytest.fixture(scope="module", params=[NIGHTS, pytest.param(GRID, marks=pytest.mark.soak)], ids=["nights", "grid"])
def outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    measured = [compared(conditions) for conditions in request.param]
    print(table(measured))  # noqa: T201 - the table is what the long form is for
    return measured


def test_everything_is_measured(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert one.failures == (), one.conditions


def test_seeing(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert one.seeing.value == pytest.approx(0, abs=0.02), one.conditions
    assert pulls(one.seeing for one in outcomes) < 2, "the errors are no smaller than they should be"


def test_ellipticity(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert (one.e1.value, one.e2.value) == pytest.approx((0, 0), abs=0.005), one.conditions
    assert pulls(e for one in outcomes for e in (one.e1, one.e2)) < 1.5


def test_sky_and_noise(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert one.sky.value == pytest.approx(0, abs=0.005), one.conditions
        assert one.noise.value == pytest.approx(0, abs=0.01), one.conditions
    assert pulls(one.sky for one in outcomes) < 1.5


def test_pointing(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert (one.east.value, one.north.value) == pytest.approx((0, 0), abs=0.1), one.conditions
    assert 0.5 < pulls(way for one in outcomes for way in (one.east, one.north)) < 2


def test_zero_point(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert one.zero_point.value == pytest.approx(0, abs=0.01), one.conditions
        assert one.zero_point_scatter < 0.02, f"beyond the errors of their light: {one.conditions}"
    assert pulls(one.zero_point for one in outcomes) < 1.5


def test_every_star_of_ten_sigma_is_found_and_little_else(outcomes: Sequence[Outcome]) -> None:
    expected, found, sources, spurious = (
        sum(getattr(one.stars, name) for one in outcomes) for name in ("expected", "found", "sources", "spurious")
    )
    assert expected > 2000
    assert found / expected > 0.99, f"{found} of {expected}"
    assert spurious / sources < 0.01, f"{spurious} of {sources}"
