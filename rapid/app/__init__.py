"""The composition root: settings become a running service. Here alone everything knows everything.

::

    line        ledger, workers, stores and pipeline, opened and put together
    services    the daemon, and the display beside it
    replaying   an archived night through the same line
    signals     how they are told to stop
"""

from rapid.app.replaying import ReplayReport, Selection, replay
from rapid.app.services import run_daemon, run_display
from rapid.app.signals import stop_on_signals

__all__ = ["ReplayReport", "Selection", "replay", "run_daemon", "run_display", "stop_on_signals"]
