"""A signal chain that bends is straightened by the curve that was measured on it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import Akima1DInterpolator

from rapid.errors import BadCalibration, InputError
from rapid.processing.isr.linearity import Linearity, Spline, Table, correct_linearity

NODES = np.linspace(0, 150_000, 31)


def bent(truth: np.ndarray) -> np.ndarray:
    """Return what a chain shows whose gain falls by 2 % to saturation, and that has a kink at 30 000."""
    return truth * (1 - 0.02 * truth / 150_000) + 15 * np.tanh((truth - 30_000) / 8_000) + 15 * np.tanh(30 / 8)


def correction_at(seen: np.ndarray) -> np.ndarray:
    """Return what to take off, from a fine inversion of `bent`."""
    truth = np.linspace(-1000, 160_000, 400_000)
    return seen - np.interp(seen, bent(truth), truth)


@pytest.mark.parametrize("seed", range(3))
def test_a_spline_straightens_a_bent_chain(seed: int) -> None:
    truth = np.random.default_rng(seed).uniform(0, 140_000, (2, 100, 100))
    stack = bent(truth).astype(np.float32)
    before = float(np.abs(stack - truth).max())
    spline = Spline(NODES, correction_at(NODES))
    above = correct_linearity(stack, Linearity(((spline,), (spline,))))
    assert before > 1000
    # nodes 5000 apart see a kink 8000 wide to a third of an electron; float32 rounds to 0.008
    assert float(np.abs(stack - truth).max()) < 0.6
    assert above.tolist() == [0, 0]


def test_a_spline_is_scipys() -> None:
    chance = np.random.default_rng(1)
    values = chance.normal(0, 30, NODES.size)
    signal = chance.uniform(0, 150_000, (50, 200))
    image = signal.astype(np.float32)
    Spline(NODES, values).correct(image)
    expected = signal - Akima1DInterpolator(NODES, values)(signal)
    assert image == pytest.approx(expected, abs=0.02)


def test_a_fine_table_is_as_good() -> None:
    truth = np.random.default_rng(2).uniform(0, 140_000, (1, 100, 100))
    stack = bent(truth).astype(np.float32)
    correct_linearity(stack, Linearity(((Table(correction_at(np.arange(150_000.0))),),)))
    assert float(np.abs(stack - truth).max()) < 0.02


def test_curves_are_applied_one_after_the_other() -> None:
    truth = np.random.default_rng(3).uniform(1000, 140_000, (1, 60, 60))
    absolute = Spline([0, 200_000], [0, 2_000])
    relative = Spline([0, 200_000], [0, 4_000])
    stack = (truth / (1 - 0.01) / (1 - 0.02)).astype(np.float32)
    correct_linearity(stack, Linearity(((relative, absolute),)))
    assert stack == pytest.approx(truth, rel=3e-7)


@pytest.mark.parametrize("curve", [Spline([0, 100, 200], [0, 3, 7]), Table([0, 3, 7], 0, 100)])
def test_outside_its_range_a_correction_is_that_of_the_end(curve: Spline | Table) -> None:
    image = np.array([[-1e6, -20, 0, 200, 200.5, 1e6, np.nan]], np.float32)
    above = curve.correct(image)
    assert image[0, :6] == pytest.approx([-1e6, -20, 0, 193, 193.5, 1e6 - 7])
    assert np.isnan(image[0, 6])
    assert above == 2


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.floats(10, 1e4), min_size=2, max_size=20),
    slopes=st.lists(st.floats(-0.4, 0.4), min_size=2, max_size=20),
    seed=st.integers(0, 2**31),
)
def test_brighter_stays_brighter(steps: list[float], slopes: list[float], seed: int) -> None:
    n = min(len(steps), len(slopes))
    nodes = np.concatenate([[0], np.cumsum(steps[:n])])
    values = np.concatenate([[0], np.cumsum(np.multiply(steps[:n], slopes[:n]))])
    try:
        spline = Spline(nodes, values)
    except InputError:  # the curve overshot between its nodes
        return
    table = Table(np.interp(np.arange(0, nodes[-1], 10), nodes, values), 0, 10)
    signal = np.sort(np.random.default_rng(seed).uniform(-100, nodes[-1] * 1.1, 2000)).astype(np.float32)
    for curve in (spline, table):
        image = signal[None].copy()
        curve.correct(image)
        assert (np.diff(image[0]) >= -1e-6 * nodes[-1]).all()


def test_a_curve_for_adu_becomes_one_for_electrons() -> None:
    gains = [1.5, 0.8]
    linearity = Linearity(((Spline(NODES, correction_at(NODES)),), (Table(correction_at(NODES), 0, 5000),)))
    adu = np.random.default_rng(4).uniform(0, 140_000, (2, 30, 30)).astype(np.float32)
    electrons = adu * np.float32(gains)[:, None, None]
    correct_linearity(adu, linearity)
    correct_linearity(electrons, linearity.scaled(gains))
    assert electrons == pytest.approx(adu * np.array(gains)[:, None, None], rel=1e-6)


@pytest.mark.parametrize(
    ("nodes", "values", "message"),
    [
        ([0], [0], "no nodes of a curve"),
        ([0, 1, 1], [0, 0, 0], "no nodes of a curve"),
        ([0, 2, 1], [0, 0, 0], "no nodes of a curve"),
        ([0, 1, 2], [0, 0], "3 nodes, 2 values"),
        ([0, 1, np.nan], [0, 0, 0], "1 of 3"),
        ([[0, 1]], [[0, 1]], "wrong shape"),
        ([0, 1, 2], [0, 0, 1.5], "turns back"),
        ([0, 10, 20, 30, 40], [0, 0, 9, 9, 9], "turns back"),  # between its nodes only
    ],
)
def test_impossible_splines_are_refused(nodes: list[float], values: list[float], message: str) -> None:
    with pytest.raises(BadCalibration, match=message):
        Spline(nodes, values)


def test_impossible_tables_and_stacks_are_refused() -> None:
    with pytest.raises(InputError, match="turns back"):
        Table([0, 0, 1.0])
    with pytest.raises(InputError, match="no table"):
        Table([0.0])
    with pytest.raises(InputError, match="no table"):
        Table([0.0, 0.0], 0, -1)
    linearity = Linearity(((Table([0.0, 0.0]),), ()))
    with pytest.raises(InputError, match=r"expected \(2, ny, nx\)"):
        correct_linearity(np.zeros((3, 2, 2), np.float32), linearity)
    with pytest.raises(InputError, match="one gain"):
        linearity.scaled([1.0])


def test_an_amplifier_without_a_curve_is_left_alone() -> None:
    stack = np.random.default_rng(5).normal(size=(1, 5, 5)).astype(np.float32)
    before = stack.copy()
    assert correct_linearity(stack, Linearity(((),))).tolist() == [0]
    assert (stack == before).all()
