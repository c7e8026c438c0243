"""The same stars are reserved in every exposure, one in ten of them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.processing.frame import Sources
from rapid.processing.reserve import cell_ids, reserved, reserved_stars, sky_ids

IDS = np.arange(100_000)


def test_one_in_ten_whatever_the_ids_have_in_common() -> None:
    for ids in (IDS, IDS * 4096, IDS + 2**60, -IDS):
        assert reserved(ids).mean() == pytest.approx(0.1, abs=0.004)


def test_a_larger_fraction_has_the_smaller_one_in_it() -> None:
    assert (reserved(IDS, fraction=0.2) | ~reserved(IDS, fraction=0.1)).all()
    assert not reserved(IDS, fraction=0.0).any()


@given(st.permutations(range(50)))
def test_order_and_company_do_not_matter(order: list[int]) -> None:
    np.testing.assert_array_equal(reserved(IDS[np.array(order)]), reserved(IDS)[np.array(order)])


def test_another_process_reserves_the_same() -> None:
    code = "import numpy as np; from rapid.processing.reserve import reserved; print(np.flatnonzero(reserved(np.arange(60))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(np.flatnonzero(reserved(np.arange(60))))


def test_places_that_are_almost_the_same_have_the_same_id_almost_always() -> None:
    chance = np.random.default_rng(1)
    ra, dec = chance.uniform(0, 360, 20_000), np.degrees(np.arcsin(chance.uniform(-1, 1, 20_000)))
    moved = sky_ids(ra + 0.1 / 3600 / np.maximum(np.cos(np.radians(dec)), 1e-3), dec + 0.1 / 3600)
    assert (sky_ids(ra, dec) == moved).mean() > 0.95
    assert len(np.unique(sky_ids(ra, dec))) > 19_990


def test_right_ascension_goes_round_and_poles_are_places() -> None:
    assert sky_ids(np.array([-1.0]), np.array([-30.0])) == sky_ids(np.array([359.0]), np.array([-30.0]))
    assert len(sky_ids(np.array([0.0, 90.0]), np.array([90.0, -90.0]))) == 2


def test_cells_of_a_detector() -> None:
    assert (
        cell_ids(np.array([10.0, 49.0]), np.array([10.0, 12.0]))[0] == cell_ids(np.array([49.0]), np.array([12.0]))[0]
    )
    assert cell_ids(np.array([10.0]), np.array([10.0])) != cell_ids(np.array([10.0]), np.array([60.0]))


def test_only_stars_are_reserved_and_what_is_nowhere_does_no_harm() -> None:
    x = np.linspace(0, 4000, 500)
    y, ones = x[::-1].copy(), np.ones(500)
    star = np.arange(500) % 2 == 0
    x[1], y[3] = np.nan, np.inf
    sources = Sources(x, y, ones, ones, ones, ones, ones, 0 * ones, ~star, star)
    kept = reserved_stars(sources)
    np.testing.assert_array_equal(kept[star], reserved(cell_ids(x[star], y[star])))
    assert not kept[~star].any()
    assert 0 < kept.sum() < 60
    assert not kept.flags.writeable
