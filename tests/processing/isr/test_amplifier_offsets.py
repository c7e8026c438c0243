"""Pedestals of amplifiers are told from the sky, better than by the steps at their borders, and with honest errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.errors import InputError
from rapid.processing.geometry import Box
from rapid.processing.isr.amplifier_interfaces import interface_offsets
from rapid.processing.isr.amplifier_offsets import AmplifierOffsets, fit_amplifier_offsets, subtract_offsets

WIDTH, HEIGHT, NOISE = 192, 600, 20.0
BOXES = tuple(Box(i * WIDTH, j * HEIGHT, WIDTH, HEIGHT) for j in (1, 0) for i in range(8))
SKIES = ("uniform", "gradient", "vignetted", "structured")


def sky(kind: str) -> np.ndarray:
    v, u = np.meshgrid(np.linspace(-0.5, 0.5, 2 * HEIGHT), np.linspace(-0.5, 0.5, 8 * WIDTH), indexing="ij")
    if kind == "uniform":
        return np.full_like(u, 400.0)
    if kind == "gradient":
        return 400 + 40 * u + 25 * v
    if kind == "vignetted":
        return 400 * (1 - 0.25 * ((u - 0.4) ** 2 + (v - 0.3) ** 2))
    return 400 + 20 * u + 3 * np.sin(8.2 * u + 3.5) * np.cos(6.9 * v)


def detector(
    seed: int, kind: str, missing: Sequence[int] = (), rms: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image, bad pixels and the pedestals that were put in."""
    chance = np.random.default_rng(seed)
    pedestals = chance.normal(0, rms, 16)
    image = (sky(kind) + NOISE * chance.standard_normal((2 * HEIGHT, 8 * WIDTH), np.float32)).astype(np.float32)
    for box, pedestal in zip(BOXES, pedestals, strict=True):
        image[box.slices] += np.float32(pedestal)
    for number in missing:
        image[BOXES[number].slices] = np.nan
    return image, np.isnan(image), pedestals


def deviations(found: np.ndarray, truth: np.ndarray, missing: Sequence[int] = ()) -> np.ndarray:
    """Return found less true pedestals of the amplifiers that are there, whose common level means nothing."""
    kept = np.delete(found - truth, list(missing))
    return kept - kept.mean()


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("missing", [(), (5,)])
@pytest.mark.parametrize("kind", SKIES)
def test_the_error_is_less_than_half_of_that_of_the_borders(kind: str, missing: tuple[int, ...]) -> None:
    joint, borders, plain, pulls = [], [], [], []
    for seed in range(3):
        image, bad, truth = detector(seed, kind, missing)
        offsets = fit_amplifier_offsets(image, bad, BOXES)
        off = deviations(offsets.pedestals, truth, missing)
        joint.append(rms(off))
        pulls.append(off / np.delete(offsets.errors, list(missing)))
        borders.append(rms(deviations(interface_offsets(image, bad, BOXES), truth, missing)))
        plain.append(rms(deviations(interface_offsets(image, bad, BOXES, background=False), truth, missing)))
    assert all(ours < theirs for ours, theirs in zip(joint, borders, strict=True))
    assert all(ours < theirs for ours, theirs in zip(joint, plain, strict=True))
    assert rms(np.array(joint)) < 0.5 * rms(np.array(borders))
    assert rms(np.array(joint)) < 0.5 * rms(np.array(plain))
    # amplifiers next to each other are off together, so that 40 of them say as much as ten
    assert 0.5 < rms(np.concatenate(pulls)) < 1.6


def test_on_an_even_sky_the_error_is_the_least_possible() -> None:
    image, bad, truth = detector(7, "uniform")
    offsets = fit_amplifier_offsets(image, bad, BOXES)
    assert offsets.order == 0
    least = NOISE / np.sqrt(WIDTH * HEIGHT) * np.sqrt(15 / 16)
    assert offsets.errors == pytest.approx(np.full(16, least), rel=0.05)
    assert rms(deviations(offsets.pedestals, truth)) < 1.6 * least
    assert offsets.reduced_chi2 == pytest.approx(1, abs=0.1)
    assert np.nansum(offsets.pedestals) == pytest.approx(0, abs=1e-9)
    assert offsets.covariance.sum() == pytest.approx(0, abs=1e-9)


def test_the_order_is_that_of_the_sky() -> None:
    orders = {kind: fit_amplifier_offsets(*detector(1, kind)[:2], BOXES).order for kind in SKIES}
    assert orders["uniform"] == 0
    assert orders["gradient"] == 1
    assert orders["vignetted"] == 2
    assert 5 <= orders["structured"] <= 11


def test_stars_that_nobody_masked_do_little() -> None:
    image, bad, truth = detector(2, "gradient")
    chance = np.random.default_rng(2)
    y, x = np.mgrid[-40:41, -40:41]
    shape = (1 + (y**2 + x**2) / 15.4) ** -3.0
    for _ in range(150):
        row, column = chance.integers(41, 2 * HEIGHT - 41), chance.integers(41, 8 * WIDTH - 41)
        image[row - 40 : row + 41, column - 40 : column + 41] += (10 ** chance.uniform(1, 5) * shape).astype(np.float32)
    offsets = fit_amplifier_offsets(image, bad, BOXES)
    off = deviations(offsets.pedestals, truth)
    assert rms(off) < 0.25
    assert rms(off / offsets.errors) < 2
    assert rms(off) < 0.5 * rms(deviations(interface_offsets(image, bad, BOXES), truth))


@settings(max_examples=8, deadline=None)
@given(shift=st.floats(-1000, 1000), scale=st.floats(0.1, 10), turned=st.booleans())
def test_it_moves_and_scales_with_the_image(shift: float, scale: float, turned: bool) -> None:
    image, bad, _ = detector(3, "gradient")
    first = fit_amplifier_offsets(image, bad, BOXES)
    other = (image.astype(np.float64) * scale + shift).astype(np.float32)
    boxes = list(BOXES)
    if turned:
        other = other[::-1, ::-1].copy()
        boxes = [Box((7 - box.x0 // WIDTH) * WIDTH, (1 - box.y0 // HEIGHT) * HEIGHT, WIDTH, HEIGHT) for box in BOXES]
    second = fit_amplifier_offsets(other, bad, boxes)
    assert second.order == first.order
    assert second.pedestals == pytest.approx(first.pedestals * scale, abs=0.02 * scale)
    assert second.errors == pytest.approx(first.errors * scale, rel=0.02)


def test_a_sky_without_noise_gives_the_pedestals_themselves() -> None:
    truth = np.linspace(-3, 3, 16)
    image = sky("gradient")
    for box, pedestal in zip(BOXES, truth, strict=True):
        image[box.slices] += pedestal
    offsets = fit_amplifier_offsets(image.astype(np.float32), np.zeros(image.shape, bool), BOXES)
    assert offsets.order >= 1
    assert offsets.pedestals == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize("n", [2, 8])
def test_a_part_of_a_detector_is_enough(n: int) -> None:
    image, bad, truth = detector(8, "gradient")
    boxes = BOXES[8 : 8 + n]  # one row of amplifiers, as a wavefront sensor has
    offsets = fit_amplifier_offsets(image[:HEIGHT], bad[:HEIGHT], boxes)
    off = deviations(offsets.pedestals, truth[8 : 8 + n])
    assert rms(off) < 3 * offsets.errors.max()
    assert offsets.errors.max() < 1.0


def test_what_stands_out_is_subtracted_and_nothing_else() -> None:
    image, bad, _ = detector(4, "gradient", (5,), rms=0.3)
    offsets = fit_amplifier_offsets(image, bad, BOXES)
    before = image.copy()
    chosen = subtract_offsets(image, BOXES, offsets)
    assert 3 <= chosen.sum() <= 14
    assert not chosen[5]
    for box, pedestal, done in zip(BOXES, offsets.pedestals, chosen, strict=True):
        taken = before[box.slices] - image[box.slices]
        assert np.allclose(taken, pedestal if done else 0.0, atol=1e-4, equal_nan=True) or np.isnan(taken).all()
    left = fit_amplifier_offsets(image, bad, BOXES)
    assert (np.abs(left.pedestals[chosen]) < np.abs(offsets.pedestals[chosen])).all()


def nothing(reasons: AmplifierOffsets) -> bool:
    return bool(np.isnan(reasons.pedestals).all() and reasons.order == -1 and all(reasons.reasons))


def test_what_cannot_be_had_has_a_reason() -> None:
    image, bad, _ = detector(5, "uniform", (0, 1))
    offsets = fit_amplifier_offsets(image, bad, BOXES)
    assert np.flatnonzero(np.isnan(offsets.pedestals)).tolist() == [0, 1]
    assert [bool(reason) for reason in offsets.reasons] == [True, True] + [False] * 14
    assert "0 blocks" in offsets.reasons[0]
    dark = np.zeros_like(image)
    none = np.zeros(image.shape, bool)
    assert nothing(fit_amplifier_offsets(np.full_like(image, np.nan), none, BOXES))
    assert nothing(fit_amplifier_offsets(dark, none, BOXES))
    assert nothing(fit_amplifier_offsets(image, np.ones(image.shape, bool), BOXES))
    assert nothing(fit_amplifier_offsets(image, bad, BOXES[5:6]))
    assert not subtract_offsets(dark, BOXES, fit_amplifier_offsets(dark, none, BOXES)).any()


def test_values_cannot_be_changed() -> None:
    offsets = fit_amplifier_offsets(*detector(6, "uniform")[:2], BOXES)
    for array in (offsets.pedestals, offsets.errors, offsets.covariance):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_what_does_not_fit_is_refused() -> None:
    image = np.zeros((100, 100), np.float32)
    with pytest.raises(InputError, match="image and bad pixels differ"):
        fit_amplifier_offsets(image, np.zeros((99, 100), bool), BOXES)
    with pytest.raises(InputError, match="outside the image"):
        fit_amplifier_offsets(image, np.zeros((100, 100), bool), BOXES)
