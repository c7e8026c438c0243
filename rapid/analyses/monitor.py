"""The whole frame at a glance: the first thing an observer looks at, for every kind of exposure."""

from __future__ import annotations

from dataclasses import dataclass

from rapid.analyses.overview import dead_amplifiers, frame_panel
from rapid.processing.exposure import ExposureInfo
from rapid.processing.findings import Picture, Result
from rapid.processing.frame import Study

__all__ = ["Monitor", "analysis"]

_LONGEST_SIDE = 1100
"""Pixels of the picture at most: one to one on a page, 4 by 4 for a 4k detector."""

_SEEN = frozenset({"bias", "dark", "flat"})
"""Steps whose absence shows in the picture, and is said above it where the kind of exposure wants them."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """One picture of the frame, stretched so that its kind of frame shows what matters.

    The picture goes to channel ``monitor``; how it was stretched, and which amplifiers are dead, to the sidecar.
    """

    name: str = "monitor"
    version: int = 1

    def applies(self, info: ExposureInfo) -> bool:  # noqa: ARG002 - every exposure has a picture
        """Return True: every exposure has a picture."""
        return True

    def run(self, study: Study) -> Result:
        """Draw the frame. One without a single usable pixel is drawn blank."""
        panel, limits = frame_panel(study.frame, title=_title(study), longest_side=_LONGEST_SIDE)
        sidecar = {
            "binning": panel.binning,
            "stretch": limits.stretch,
            "low_electron": limits.low,
            "high_electron": limits.high,
            "noise_electron": limits.noise,
            "dead_amplifiers": [amplifier.name for amplifier in dead_amplifiers(study.frame)],
        }
        return Result(pictures=(Picture("monitor", "monitor", (panel,)),), sidecar=sidecar)


def _title(study: Study) -> str:
    detector = study.frame.detector
    left_out = ", ".join(
        step.name for step in study.frame.recipe if step.name in _SEEN and step.wanted and not step.done
    )
    return f"{detector.name} · {detector.serial}" + (f" · without {left_out}" if left_out else "")


analysis = Monitor()
