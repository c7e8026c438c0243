"""Reference catalogues: stars with known places and brightness, in shards of the sky.

A catalogue is a directory, or anything else with names and bytes: a ``manifest.json`` and one Parquet file for each
HEALPix pixel (nested) that has stars. A query reads only the shards it touches.
"""

from rapid.processing.refcat.catalogue import ReferenceCatalogue, Selection
from rapid.processing.refcat.manifest import MANIFEST_NAME, Manifest, Origin, Shard, decode_manifest, encode_manifest
from rapid.processing.refcat.places import julian_year, julian_year_of_mjd, separation
from rapid.processing.refcat.references import References, concatenate
from rapid.processing.refcat.shards import decode_shard, encode_shard, shard_name

__all__ = [
    "MANIFEST_NAME",
    "Manifest",
    "Origin",
    "ReferenceCatalogue",
    "References",
    "Selection",
    "Shard",
    "concatenate",
    "decode_manifest",
    "decode_shard",
    "encode_manifest",
    "encode_shard",
    "julian_year",
    "julian_year_of_mjd",
    "separation",
    "shard_name",
]
