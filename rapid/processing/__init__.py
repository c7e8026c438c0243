"""The core: a raw file becomes a calibrated frame, the frame becomes measurements.

It knows no bus, no web and no database; one module of it, `rapid.processing.fits`, touches the disk.
"""
