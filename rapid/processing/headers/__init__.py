"""From the cards of a raw file, or of the JSON file beside it, to an `ExposureInfo`.

The rules are those of the observatory's own header translators (obs_lsst), camera by camera: what is known of single
exposures is corrected first (`corrections`), then what was wrong between two dates, and what remains is read. A card that
is missing, undefined or unreadable is None all along.
"""

from rapid.processing.headers.properties import standard_properties
from rapid.processing.headers.sidecar import read_sidecar, translate_sidecar
from rapid.processing.headers.translation import corrected, instruments, translate

__all__ = ["corrected", "instruments", "read_sidecar", "standard_properties", "translate", "translate_sidecar"]
