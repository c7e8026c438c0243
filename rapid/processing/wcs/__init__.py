"""Where on the sky the pixels of a detector are."""

from rapid.processing.wcs.boresight import boresight_wcs
from rapid.processing.wcs.tangent import plane_to_sky, sky_to_plane
from rapid.processing.wcs.value import Wcs

__all__ = ["Wcs", "boresight_wcs", "plane_to_sky", "sky_to_plane"]
