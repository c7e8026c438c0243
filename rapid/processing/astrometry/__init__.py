"""Where a detector really looked: its sources matched to the stars of a reference catalogue."""

from rapid.processing.astrometry.solution import Astrometry
from rapid.processing.astrometry.solve import MAX_OFFSET, MAX_ROTATION, Detections, search_cone, solve

__all__ = ["MAX_OFFSET", "MAX_ROTATION", "Astrometry", "Detections", "search_cone", "solve"]
