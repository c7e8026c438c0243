"""The manifest of a reference catalogue: what it holds, where it came from, and a digest of every shard."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from rapid.errors import BadFile
from rapid.processing.refcat.shards import DESCRIPTIONS

__all__ = ["FORMAT", "MANIFEST_NAME", "MAX_LEVEL", "VERSION", "Manifest", "Origin", "Shard"]
__all__ += ["decode_manifest", "encode_manifest"]

MANIFEST_NAME: Final = "manifest.json"
FORMAT: Final = "rapid reference catalogue"
VERSION: Final = 1

MAX_LEVEL: Final = 9
"""Pixels of 0.11 degrees, half an LSSTCam detector: smaller shards would only cost more openings."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard: number of stars, size [byte] and SHA-256 of its file."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Origin:
    """A file that was taken in: its name, SHA-256, what kind of table it is, and stars taken from it."""

    name: str
    sha256: str
    kind: str
    rows: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a catalogue holds.

    Attributes
    ----------
    name
        Short name, as ``the_monster_20250219``.
    level
        HEALPix level of the shards, nested: 12 * 4**level pixels cover the sky.
    epochs
        First and last epoch [Julian year].
    bands
        Of the magnitudes.
    origins
        The files it was made of.
    shards
        By number of the pixel. A pixel without a shard has no stars.
    """

    name: str
    level: int
    epochs: tuple[float, float]
    bands: tuple[str, ...]
    origins: tuple[Origin, ...]
    shards: Mapping[int, Shard]

    @property
    def rows(self) -> int:
        """Number of stars."""
        return sum(shard.rows for shard in self.shards.values())


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as JSON that explains itself."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": manifest.name,
        "frame": "ICRS",
        "healpix": {"level": manifest.level, "ordering": "nested"},
        "epochs": list(manifest.epochs),
        "rows": manifest.rows,
        "bands": list(manifest.bands),
        "columns": {name: {"unit": unit, "description": text} for name, (unit, text) in DESCRIPTIONS.items()},
        "origins": [asdict(origin) for origin in manifest.origins],
        "shards": {str(pixel): asdict(manifest.shards[pixel]) for pixel in sorted(manifest.shards)},
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def decode_manifest(content: bytes, *, name: str) -> Manifest:
    """Read a manifest; `name` is for messages.

    Raises
    ------
    BadFile
        If it is not one, is of another version, or contradicts itself.
    """
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadFile("the manifest is not JSON", subject=name, expected="JSON", found=str(error)) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or found.get("version") != VERSION:
        said = (found.get("format"), found.get("version")) if isinstance(found, dict) else type(found).__name__
        raise BadFile("not a manifest of ours", subject=name, expected=f"{FORMAT} {VERSION}", found=str(said))
    try:
        manifest = _manifest(found)
        fault = _fault(manifest, found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found_instead = f"{type(error).__name__} {error}"
        raise BadFile(
            "the manifest is damaged", subject=name, expected="all its entries", found=found_instead
        ) from error
    if fault:
        raise BadFile("the manifest contradicts itself", subject=name, expected=fault[0], found=fault[1])
    return manifest


def _manifest(found: Mapping[str, Any]) -> Manifest:
    first, last = found["epochs"]
    return Manifest(
        name=str(found["name"]),
        level=int(found["healpix"]["level"]),
        epochs=(float(first), float(last)),
        bands=tuple(str(band) for band in found["bands"]),
        origins=tuple(Origin(**origin) for origin in found["origins"]),
        shards={int(pixel): Shard(**shard) for pixel, shard in found["shards"].items()},
    )


def _fault(manifest: Manifest, found: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what was expected and what was found, where the two differ."""
    if found["healpix"]["ordering"] != "nested" or found["frame"] != "ICRS":
        return "nested pixels in ICRS", f"{found['healpix']['ordering']} in {found['frame']}"
    if not 0 <= manifest.level <= MAX_LEVEL:
        return f"level 0 to {MAX_LEVEL}", str(manifest.level)
    if not all(math.isfinite(epoch) for epoch in manifest.epochs):
        return "finite epochs", str(manifest.epochs)
    outside = [pixel for pixel in manifest.shards if not 0 <= pixel < 12 * 4**manifest.level]
    if outside:
        return f"pixels of level {manifest.level}", str(outside[0])
    if manifest.rows != found["rows"]:
        return f"{found['rows']} stars", f"{manifest.rows} in its shards"
    return None
