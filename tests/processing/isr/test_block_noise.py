"""What rows and columns of blocks have in common is measured, weighed as it must be, and no longer taken for a sky."""

from __future__ import annotations

import numpy as np
import pytest

from rapid.processing.geometry import Box
from rapid.processing.isr.amplifier_offsets import fit_amplifier_offsets
from rapid.processing.isr.block_noise import BlockNoise, measure_block_noise, normal_equations
from rapid.processing.isr.blocks import Blocks
from rapid.processing.isr.nested_fit import NestedFit

WIDTH, HEIGHT, NOISE = 192, 600, 12.0
BOXES = tuple(Box(i * WIDTH, j * HEIGHT, WIDTH, HEIGHT) for j in (1, 0) for i in range(8))


def blocks_of(chance: np.random.Generator, *, rows: float, columns: float, own: float = 0.6, shape=(40, 16)) -> Blocks:
    """Make the blocks of eight amplifiers beside each other, of no sky."""
    ny, nx = shape
    levels = [
        chance.normal(0, rows, (ny, 1)) + chance.normal(0, columns, (1, nx)) + chance.normal(0, own, shape)
        for _ in range(8)
    ]
    y, x = np.mgrid[:ny, :nx] * 32.0
    return Blocks(
        x=np.concatenate([x.ravel() + 32 * nx * number for number in range(8)]),
        y=np.tile(y.ravel(), 8),
        level=np.concatenate([level.ravel() for level in levels]),
        error=np.full(8 * nx * ny, own),
        amplifier=np.repeat(np.arange(8), nx * ny),
    )


@pytest.mark.parametrize(("rows", "columns"), [(0.0, 0.0), (0.25, 0.0), (0.0, 0.3), (0.2, 0.3)])
def test_the_variances_are_those_that_were_put_in(rows: float, columns: float) -> None:
    found = []
    for seed in range(12):
        blocks = blocks_of(np.random.default_rng(seed), rows=rows, columns=columns)
        left = (blocks.level.reshape(8, -1) - blocks.level.reshape(8, -1).mean(axis=1)[:, None]).ravel()
        noise = measure_block_noise(blocks, left, 1 / blocks.error**2, 8)
        found.append((noise.rows, noise.columns))
    for values, wanted, n, own in zip(
        np.transpose(found), (rows, columns), (8 * 40, 8 * 16), (0.6 / 4, 0.6 / np.sqrt(40)), strict=True
    ):
        chance = 1.6 * np.sqrt(2 / n) * (wanted**2 + own**2)  # of a variance taken from a median
        assert values.mean() == pytest.approx(wanted**2, abs=4 * chance / np.sqrt(12) + 0.4 * chance)


def test_a_bright_row_is_not_what_rows_have_in_common() -> None:
    blocks = blocks_of(np.random.default_rng(1), rows=0.0, columns=0.0)
    level = np.where(blocks.y == 320.0, blocks.level + 50.0, blocks.level)
    assert measure_block_noise(blocks, level, 1 / blocks.error**2, 8).rows < 0.05


def test_the_equations_are_those_of_the_whole_covariance() -> None:
    chance = np.random.default_rng(2)
    blocks = blocks_of(chance, rows=0.2, columns=0.3, shape=(6, 4))
    design = np.column_stack([blocks.amplifier == number for number in range(8)] + [blocks.x / 100, blocks.y / 100])
    weights = chance.uniform(0.5, 2, blocks.level.size)
    noise = BlockNoise(0.04, 0.09)
    together = blocks.amplifier[:, None] == blocks.amplifier
    covariance = np.diag(1 / weights)
    covariance += 0.04 * (together & (blocks.y[:, None] == blocks.y)) + 0.09 * (
        together & (blocks.x[:, None] == blocks.x)
    )
    inverse = np.linalg.inv(covariance)
    found = normal_equations(design.astype(float), blocks.level, weights, blocks, noise)
    np.testing.assert_allclose(found.matrix, design.T @ inverse @ design, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.right, design.T @ inverse @ blocks.level, rtol=1e-9, atol=1e-9)
    assert found.total == pytest.approx(blocks.level @ inverse @ blocks.level)
    alone = normal_equations(design.astype(float), blocks.level, weights, blocks, BlockNoise())
    np.testing.assert_allclose(alone.matrix, (design.T * weights) @ design)


def test_the_mean_of_what_rows_share_belongs_to_the_level() -> None:
    blocks = blocks_of(np.random.default_rng(3), rows=0.0, columns=0.0)
    assert BlockNoise(0.08, 0.16).of_means(blocks, np.array([1, 5])) == pytest.approx([0.08 / 40 + 0.16 / 16] * 2)


def test_nested_fits_are_those_of_least_squares() -> None:
    chance = np.random.default_rng(4)
    design, levels = chance.normal(size=(200, 7)), chance.normal(size=200)
    nested = NestedFit.of(design.T @ design, design.T @ levels, [3, 5, 7])
    for size, explained in zip(nested.sizes, nested.explained(), strict=True):
        values, rest, *_ = np.linalg.lstsq(design[:, :size], levels, rcond=None)
        assert levels @ levels - explained == pytest.approx(float(rest[0]))
        found, covariance = nested.solution(size)
        np.testing.assert_allclose(found, values, rtol=1e-9)
        np.testing.assert_allclose(covariance, np.linalg.inv(design[:, :size].T @ design[:, :size]), rtol=1e-9)


def test_what_cannot_be_told_apart_is_not_fitted() -> None:
    chance = np.random.default_rng(5)
    design = np.eye(40)[:, :2].repeat(1, axis=1)
    design = np.column_stack([design, chance.normal(size=40)])
    design = np.column_stack([design, design[:, 2]])
    nested = NestedFit.of(design.T @ design, design.T @ chance.normal(size=40), [2, 3, 4])
    assert nested.sizes == [2, 3]


def test_overscans_that_are_wrong_by_a_little_do_not_tilt_the_sky() -> None:
    """Errors of rows and of runs of columns, as the overscans of LATISS leave them, over many exposures."""
    pulls, orders = [], []
    for seed in range(8):
        chance = np.random.default_rng(seed)
        image = chance.normal(300, NOISE, (2 * HEIGHT, 8 * WIDTH)).astype(np.float32)
        truth = chance.normal(0, 0.5, 16)
        for box, pedestal in zip(BOXES, truth, strict=True):
            image[box.slices] += chance.normal(pedestal, 1.3, (HEIGHT, 1)).astype(np.float32)
            image[box.slices] += np.repeat(chance.normal(0, 0.3, WIDTH // 32), 32).astype(np.float32)
        means = np.array([image[box.slices].mean(dtype=np.float64) for box in BOXES])
        offsets = fit_amplifier_offsets(image, np.zeros(image.shape, np.bool_), BOXES)
        orders.append(offsets.order)
        assert offsets.pedestals == pytest.approx(means - means.mean(), abs=0.05)
        least = NOISE / np.sqrt(WIDTH * HEIGHT)
        assert offsets.errors == pytest.approx(np.full(16, least), rel=0.12)
        pulls.append((offsets.pedestals - means + means.mean()) / offsets.errors)
    assert orders == [0] * 8
    assert np.abs(pulls).max() < 1.5, "what is measured is what the image has"
