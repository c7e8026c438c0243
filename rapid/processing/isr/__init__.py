"""Instrument signature removal: from counts on disk to electrons on the sensor."""

from rapid.processing.isr.calibrations import CalibrationImage, Calibrations
from rapid.processing.isr.recipe import EDGE_WIDTH, calibrate

__all__ = ["EDGE_WIDTH", "CalibrationImage", "Calibrations", "calibrate"]
