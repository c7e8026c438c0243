"""What test workers do: module-level, so that a worker process finds it by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from rapid.errors import NotFits
from rapid.ports import Outcome, Task
from tests.support.pipeline import outcome_of


def warm() -> None:
    """Nothing to compile."""


def slow_warm() -> None:
    """Compile for a while, and note in the directory of ``WARM_NOTES`` when it began and ended."""
    begin = time.monotonic()
    time.sleep(0.5)
    note = Path(os.environ["WARM_NOTES"], str(os.getpid()))
    note.write_text(f"{begin} {time.monotonic()}", encoding="utf-8")


def obey(task: Task) -> Outcome:
    """Do what the content of the task says: ``die``, ``sleep S``, ``raise``, ``bad``, ``exit N``, ``pid``."""
    order, _, number = task.content.partition(" ")
    if order == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "exit":
        os._exit(int(number))
    if order == "sleep":
        time.sleep(float(number))
    if order == "raise":
        raise ValueError("no such luck")
    if order == "bad":
        raise NotFits("not FITS", subject=task.key, expected="SIMPLE", found="hello")
    outcome = outcome_of(task)
    if order == "pid":
        outcome.row.cells["pid"] = os.getpid()  # type: ignore[index]
    return outcome
