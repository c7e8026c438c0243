"""What an analysis is: a small plug-in found through the entry-point group ``rapid.analyses``.

Adding one is adding one file with an object that has these four attributes, and one line in the
``[project.entry-points."rapid.analyses"]`` table of any installed package.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from rapid.processing.exposure import ExposureInfo
from rapid.processing.findings import Result
from rapid.processing.frame import Study

__all__ = ["ENTRY_POINT_GROUP", "Analysis"]

ENTRY_POINT_GROUP = "rapid.analyses"


@runtime_checkable
class Analysis(Protocol):
    """A pure look at one detector's frame.

    Attributes
    ----------
    name
        snake_case; unique among the analyses installed.
    version
        Raised whenever the same frame would give another result.
    """

    name: str
    version: int

    def applies(self, info: ExposureInfo) -> bool:
        """Tell from the header alone whether this analysis has anything to say."""
        ...

    def run(self, study: Study) -> Result:
        """Look at the frame. Arrays in `study` are read-only.

        What cannot be measured is a `rapid.processing.findings.missing` finding with its reason, never an
        exception and never NaN.
        """
        ...
