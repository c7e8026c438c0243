"""Fields so crowded, in a seeing so bad, that stars cannot all be told apart: what is not to be had is said, or in the errors.

With 30 stars in a square arcmin and 2.5 arcsec of seeing every star has another one nearer than its own width in every sixth
case; what is between them is light of others everywhere.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pytest

from tests.support.truth import Conditions
from tests.support.truth_outcomes import Difference, Outcome, compared, table

NIGHTS = (
    Conditions("LATISS", seeing=2.5, sky=60, exposure_time=2, density=30),
    Conditions("LSSTCam", seeing=1.8, sky=500, exposure_time=30, density=30),
    Conditions("LSSTCam", seeing=2.5, sky=5000, exposure_time=120, density=30),
)
GRID = tuple(
    Conditions(camera, seeing, sky, exposure_time=time, density=30, seed=seed)
    for camera, seeing, (sky, time), seed in itertools.product(
        ("LATISS", "LSSTCam"), (1.8, 2.5), ((60, 2), (500, 30), (5000, 120)), (1, 2)
    )
)
TOLD = re.compile(r"^(too )?crowded: ")


@pytest.fixture(scope="module", params=[NIGHTS, pytest.param(GRID, marks=pytest.mark.soak)], ids=["nights", "grid"])
def outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    measured = [compared(conditions) for conditions in request.param]
    print(table(measured))  # noqa: T201 - the table is what the long form is for
    return measured


def met(difference: Difference, target: float) -> bool:
    """Tell whether a target is met, or the error says that it need not be."""
    return abs(difference.value) < max(target, 2.5 * difference.error)


def test_what_crowding_does_not_touch_is_as_good_as_ever(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert one.seeing.value == pytest.approx(0, abs=0.02), one.conditions
        assert (one.east.value, one.north.value) == pytest.approx((0, 0), abs=0.1), one.conditions


def test_errors_cover_what_crowding_does(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert met(one.seeing, 0.0), one.conditions
        assert met(one.e1, 0.005), one.conditions
        assert met(one.e2, 0.005), one.conditions
        assert met(one.sky, 0.005), one.conditions
        assert met(one.noise, 0.01), one.conditions
        assert met(one.zero_point, 0.01), one.conditions


def test_errors_are_no_excuse_for_anything(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert one.seeing.error < 0.025, one.conditions
        assert max(one.e1.error, one.e2.error) < 0.005, one.conditions
        assert one.sky.error < 0.08, one.conditions
        assert one.noise.error < 0.12, one.conditions
        assert one.zero_point.error < 0.06, one.conditions


def test_that_stars_are_missing_is_said(outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        assert [bool(TOLD.match(reason)) for reason in one.failures] == [True], one.conditions
        assert one.stars.spurious < 0.01 * one.stars.sources
        said = re.search(r"about (\d+) %", one.failures[0])
        missing = 100 * (1 - one.stars.found / one.stars.expected)
        assert missing < (2 * int(said[1]) if said else 12), one.conditions
