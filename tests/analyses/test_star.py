"""Which star is looked at, and what of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rapid.analyses.star import NoStar, choose_star, cut_out
from rapid.processing.frame import Mask, Sources
from tests.support.studies import Star, make_sources, make_study, with_image


def shaped(sources: Sources, **columns: np.ndarray) -> Sources:
    return replace(sources, **columns)


def test_the_brightest_unsaturated_star_is_chosen() -> None:
    stars = [Star(60, 60, 3e7), Star(200, 150, 1e6), Star(100, 180, 5e5)]
    study = make_study(stars)
    chosen = choose_star(study)
    assert study.sources is not None
    assert study.sources.saturated.tolist() == [True, False, False]
    assert chosen == 1


def test_a_saturated_star_is_chosen_where_there_is_no_other() -> None:
    assert choose_star(make_study([Star(60, 60, 3e7), Star(200, 100, 6e7)])) == 0


def test_trails_and_cosmic_rays_are_not_stars() -> None:
    stars = [Star(60, 60, 3e6), Star(200, 150, 2e6), Star(100, 180, 1e6), Star(250, 60, 5e5)]
    sources = make_sources(stars)
    long = shaped(
        sources,
        xx=np.array([200.0, 11.5, 11.5, 11.5]),
        yy=np.array([200.0, 0.3, 11.5, 11.5]),
        xy=np.array([180.0, 0, 0, 0]),
    )
    assert choose_star(make_study(stars, sources=long)) == 2


def test_a_source_that_is_not_a_number_or_off_the_frame_is_passed_over() -> None:
    stars = [Star(60, 60, 3e6), Star(200, 150, 2e6), Star(100, 180, 1e6)]
    sources = make_sources(stars)
    odd = shaped(sources, x=np.array([np.nan, 900.0, 100.0]))
    assert choose_star(make_study(stars, sources=odd)) == 2


def test_a_source_without_light_is_not_a_star() -> None:
    study = make_study([], sources=make_sources([Star(60, 60, 3e6)]))
    image = study.frame.image.copy()
    image[40:80, 40:80] = 250.0
    found = choose_star(with_image(study, image))
    assert isinstance(found, NoStar)
    assert found.reason == "none of 1 detected sources looks like a star"


def test_why_there_is_no_star() -> None:
    bias = choose_star(make_study(observation_type="bias"))
    empty = choose_star(make_study())
    assert isinstance(bias, NoStar)
    assert isinstance(empty, NoStar)
    assert bias.reason == "a bias shows no sky"
    assert empty.reason == "no source was detected"


def test_a_donut_dark_in_its_middle_is_a_star() -> None:
    study = make_study([], sources=make_sources([Star(160, 120, 3e6, 30.0)]))
    rows, columns = np.indices((240, 320))
    ring = np.abs(np.hypot(columns - 160, rows - 120) - 12) < 4
    assert choose_star(with_image(study, study.frame.image + 4000 * ring.astype(np.float32))) == 0


@pytest.mark.parametrize(
    ("x", "y", "shape", "corner"), [(160, 120, (97, 97), (112, 72)), (10, 230, (58, 59), (0, 182))]
)
def test_the_cut_out_is_cut_at_the_edge_and_not_moved(x: float, y: float, shape: tuple, corner: tuple) -> None:
    study = make_study([Star(x, y, 1e6, 8.0)])
    assert study.sources is not None
    cutout = cut_out(study, study.sources, 0)
    assert cutout.pixels.shape == shape
    assert (cutout.x0, cutout.y0) == corner
    np.testing.assert_array_equal(cutout.pixels, study.frame.image[cutout.y0 :, cutout.x0 :][: shape[0], : shape[1]])


def test_the_cut_out_is_a_copy() -> None:
    study = make_study([Star(160, 120)])
    before = study.frame.image.copy()
    assert study.sources is not None
    cutout = cut_out(study, study.sources, 0)
    cutout.pixels[:] = -1
    cutout.mask[:] = 7
    np.testing.assert_array_equal(study.frame.image, before)


def test_masked_pixels_and_neighbours_are_not_usable_and_the_core_is() -> None:
    study = make_study([Star(160, 120, 1e6), Star(190, 120, 5e5), Star(163, 120, 2e5)])
    mask = study.frame.mask.copy()
    mask[100, 150] = Mask.BAD
    mask[101, 150] = Mask.COSMIC_RAY
    mask[102, 150] = Mask.DETECTED
    study = with_image(study, study.frame.image, mask)
    assert study.sources is not None
    cutout = cut_out(study, study.sources, 0)
    at = lambda x, y: cutout.usable[y - cutout.y0, x - cutout.x0]  # noqa: E731
    assert [bool(at(150, y)) for y in (100, 101, 102)] == [False, False, True]
    assert not at(190, 120)
    assert at(160, 120)
    assert at(163, 120)
