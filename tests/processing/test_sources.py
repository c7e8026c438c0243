"""Stars that were drawn are found where they are; junk is bounded and never raises."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from rapid.processing.background import background_of
from rapid.processing.frame import Sources
from rapid.processing.sources import MOST_SOURCES, detect_in, no_sources
from tests.support.frames import Drawn, Field, add_star, draw

SHAPE = (1200, 1400)
READ_NOISE = 9.0


def observe(light: np.ndarray, seed: int = 1) -> np.ndarray:
    chance = np.random.default_rng(seed)
    return (chance.poisson(light) + chance.normal(0, READ_NOISE, light.shape)).astype(np.float32)


def find(image: np.ndarray, bad: np.ndarray | None = None, full: np.ndarray | None = None) -> Sources:
    none = np.zeros(image.shape, np.bool_)
    bad, full = none if bad is None else bad, none if full is None else full
    return detect_in(image, bad, full, background_of(image, bad | full))


def matched(found: Sources, drawn: Drawn, *, within: float) -> tuple[np.ndarray, np.ndarray]:
    """Tell for every drawn star whether it was found, and which source it is."""
    distance, index = cKDTree(np.column_stack([found.x, found.y])).query(np.column_stack([drawn.x, drawn.y]))
    return distance < within, index


@pytest.fixture(scope="module")
def field() -> tuple[Drawn, Sources]:
    drawn = draw(Field(stars=120, fluxes=(1e3, 1e6)), SHAPE)
    return drawn, find(observe(drawn.light))


def test_stars_are_found_and_little_else(field: tuple[Drawn, Sources]) -> None:
    drawn, found = field
    seen, _ = matched(found, drawn, within=3)
    assert seen[drawn.flux > 3e4].mean() > 0.97
    assert seen[drawn.flux > 1e4].mean() > 0.93
    assert seen[drawn.flux > 4e3].mean() > 0.88
    distance, _ = cKDTree(np.column_stack([drawn.x, drawn.y])).query(np.column_stack([found.x, found.y]))
    assert (distance < 3).mean() > 0.97


def test_positions_and_shapes_are_right(field: tuple[Drawn, Sources]) -> None:
    drawn, found = field
    seen, index = matched(found, drawn, within=3)
    good = seen & (drawn.flux > 1e5) & found.star[index]
    assert good.sum() > 20
    off = np.hypot(found.x[index[good]] - drawn.x[good], found.y[index[good]] - drawn.y[good])
    assert np.median(off) < 0.03
    assert np.median(np.abs(found.xy[index[good]] / found.xx[index[good]])) < 0.01
    ratio = found.flux[index[good]] / drawn.flux[good]
    assert np.median(ratio) == pytest.approx(0.97, abs=0.03), "an isophote holds most of the light"


def test_the_brightest_come_first_and_columns_are_read_only(field: tuple[Drawn, Sources]) -> None:
    _, found = field
    assert (np.diff(found.flux) <= 0).all()
    assert found.reason == ""
    with pytest.raises(ValueError, match="read-only"):
        found.x[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        found.star[0] = True


def test_stars_are_single_clean_and_alike() -> None:
    field = Field(stars=60, fluxes=(5e4, 5e5), seed=7)
    drawn = draw(field, SHAPE)
    light = drawn.light
    add_star(light, 700, 600, 4e5, Field(fwhm=25))
    add_star(light, 300, 300, 4e5, Field(fwhm=10, q=0.5))
    for x in (900, 912):
        add_star(light, x, 900, 3e5, field)
    image = observe(light)
    chance = np.random.default_rng(9)
    for x, y in chance.integers(50, 1100, (150, 2)):
        image[y, x : x + 3] += 5000
    found = find(image)
    chosen = found.star
    assert chosen.sum() > 30
    for x, y, what in ((700, 600, "galaxy"), (300, 300, "trail"), (900, 900, "pair"), (912, 900, "pair")):
        assert np.hypot(found.x[chosen] - x, found.y[chosen] - y).min() > 4, what
    size = (found.xx * found.yy - found.xy**2)[chosen] ** 0.25
    assert size.std() / size.mean() < 0.05


def test_full_and_bad_pixels_take_a_source_from_the_stars() -> None:
    drawn = draw(Field(stars=40, fluxes=(1e5, 5e5), seed=3), SHAPE)
    image = observe(drawn.light)
    full, bad = np.zeros(SHAPE, np.bool_), np.zeros(SHAPE, np.bool_)
    x, y = round(drawn.x[0]), round(drawn.y[0])
    full[y - 1 : y + 2, x - 1 : x + 2] = True
    bad[:, 600:] = True
    image[:, 600:] = np.nan
    found = find(image, bad, full)
    near = np.hypot(found.x - drawn.x[0], found.y - drawn.y[0]) < 5
    assert found.saturated[near].all()
    assert near.any()
    assert not found.star[near].any()
    assert (found.x < 600).all()
    assert not found.star[found.x > 595].any()


@pytest.mark.parametrize("q", [0.9, 0.7])
def test_elongated_stars_are_stars_when_all_are_alike(q: float) -> None:
    drawn = draw(Field(stars=50, fluxes=(1e5, 5e5), q=q, angle=0.6, seed=4), SHAPE)
    assert find(observe(drawn.light)).star.sum() > 15


NOISE = np.random.default_rng(0).normal(0, 10, SHAPE)
ROWS, COLUMNS = np.indices(SHAPE)
JUNK: dict[str, Callable[[], np.ndarray]] = {
    "noise": lambda: NOISE,
    "uniform": lambda: np.random.default_rng(1).uniform(0, 1e5, SHAPE),
    "chessboard": lambda: (ROWS + COLUMNS) % 2 * 1e4 + NOISE,
    "stripes": lambda: (COLUMNS % 50 < 5) * 1e4 + NOISE,
    "hot pixels": lambda: NOISE + (np.random.default_rng(2).uniform(size=SHAPE) < 0.03) * 1e4,
    "slope": lambda: NOISE + 80.0 * ROWS,
    "boiling block": lambda: (
        NOISE + np.where(np.hypot(ROWS - 600, COLUMNS - 600) < 300, np.random.default_rng(3).uniform(0, 5e3, SHAPE), 0)
    ),
    "heavy tails": lambda: np.random.default_rng(4).exponential(100, SHAPE) ** 3,
    "grid of stars": lambda: NOISE + gaussian_filter(((ROWS % 12 == 0) & (COLUMNS % 12 == 0)) * 1e5, 1.5),
    "clouds": lambda: NOISE + 4e4 * gaussian_filter(np.random.default_rng(5).normal(size=SHAPE), 30),
    "constant": lambda: np.full(SHAPE, 5.0),
    "nothing": lambda: np.full(SHAPE, np.nan),
    "infinite": lambda: np.where(COLUMNS < 700, np.inf, NOISE),
    "huge": lambda: NOISE * 1e30,
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_is_searched_in_bounded_time_and_never_raises(kind: str) -> None:
    image = JUNK[kind]().astype(np.float32)
    bad = ~np.isfinite(image)
    began = time.process_time()
    found = find(image, bad)
    assert time.process_time() - began < 20
    assert len(found) <= MOST_SOURCES
    if len(found) == 0:
        assert found.reason
    for column in (found.x, found.y, found.flux, found.flux_error, found.xx):
        assert np.isfinite(column).all()


def test_an_empty_list_says_why() -> None:
    found = no_sources("clouds")
    assert (len(found), found.reason) == (0, "clouds")
