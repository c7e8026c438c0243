"""The sky of a night: coverage, depth and sharpness in HEALPix maps, and images put on the sky."""

from rapid.processing.skymap.footprint import cover, pixel_size
from rapid.processing.skymap.maps import SkyMaps, depth_of, healpix_fits, make_maps
from rapid.processing.skymap.night import Contribution, NightCoverage

__all__ = [
    "Contribution",
    "NightCoverage",
    "SkyMaps",
    "cover",
    "depth_of",
    "healpix_fits",
    "make_maps",
    "pixel_size",
]
