"""How often Python looks for garbage."""

from __future__ import annotations

import gc

__all__ = ["collect_seldom"]

YOUNG = 20_000
"""Objects made and not yet dropped before the young ones are looked through; 700 unless told otherwise.

A batch of two thousand announcements is fifty thousand values that live until it is recorded. Looked through seventy times
they cost a quarter of all the time that a night takes to be caught up; they drop by themselves, as they hold no circles.
"""


def collect_seldom() -> None:
    """Look for garbage as often as a service needs it that takes in values by the thousand.

    What is there by now, the modules above all, stays for the life of the process and is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
