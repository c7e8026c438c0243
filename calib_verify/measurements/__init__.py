"""What is measured on calibration frames: pure numbers, each with its uncertainty, unit, region, definition and source."""

from calib_verify.measurements.flats import measure_pair
from calib_verify.measurements.frames import KINDS, MeasuredFrame, failed_frame, measure_file, measure_raw, subject_of
from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.values import FrameMeasurements, Level, Measurement, Quantity, Subject

__all__ = [
    "KINDS",
    "QUANTITIES",
    "FrameMeasurements",
    "Level",
    "MeasuredFrame",
    "Measurement",
    "Quantity",
    "Subject",
    "failed_frame",
    "measure_file",
    "measure_pair",
    "measure_raw",
    "subject_of",
]
