"""Simulated nights for tests, each made once a session."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rapid.simulation.night import SimulatedExposure, simulate
from rapid.simulation.plan import builtin_plan

__all__ = ["simulated_night"]


@cache
def simulated_night(out: Path, plan: str = "short", seed: int = 1) -> tuple[SimulatedExposure, ...]:
    """Write a night into a directory and return its exposures in order; the same arguments write it once a session.

    Give it a directory of the session (``tmp_path_factory.getbasetemp() / "night"``) and leave what is in it alone.
    """
    return tuple(simulate(builtin_plan(plan), out, seed=seed))
