"""The composition root: settings become a running service. Here alone everything knows everything.

::

    line        ledger, workers, stores and pipeline, opened and put together
    services    the daemon, and the display beside it
    gathering   exposures of several detectors;  catching_up: what nobody announced
    replaying   an archived night through the same line
    signals     how they are told to stop
"""

from rapid.app.catching_up import ReconcileReport, reconcile
from rapid.app.replaying import ReplayReport, Selection, replay
from rapid.app.services import run_daemon, run_display
from rapid.app.signals import stop_on_signals

__all__ = [
    "ReconcileReport",
    "ReplayReport",
    "Selection",
    "reconcile",
    "replay",
    "run_daemon",
    "run_display",
    "stop_on_signals",
]
