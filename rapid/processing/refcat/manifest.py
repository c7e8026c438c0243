"""The manifest of a reference catalogue: what it holds, where it came from, and a digest of every shard."""

from __future__ import annotations

import json
import math
import re
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

_ENTRIES: Final = ("name", "healpix", "epochs", "bands", "origins", "shards", "rows", "frame")

_SHA256: Final = re.compile("[0-9a-f]{64}")

_PIXEL: Final = re.compile("0|[1-9][0-9]{0,8}")

_SHOWN: Final = 80
"""Characters of a wrong entry that a message shows."""


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
    if not isinstance(found, dict) or not _is_ours(found):
        said = (found.get("format"), found.get("version")) if isinstance(found, dict) else type(found).__name__
        raise BadFile("not a manifest of ours", subject=name, expected=f"{FORMAT} {VERSION}", found=str(said))
    try:
        manifest = _manifest(found)
    except BadFile as error:
        raise BadFile(error.what, subject=name, expected=error.expected, found=error.found) from None
    fault = _fault(manifest, found)
    if fault:
        raise BadFile("the manifest contradicts itself", subject=name, expected=fault[0], found=fault[1])
    return manifest


def _is_ours(found: Mapping[str, Any]) -> bool:
    version = found.get("version")
    return found.get("format") == FORMAT and type(version) is int and version == VERSION


def _manifest(found: Mapping[str, Any]) -> Manifest:
    """Take a manifest apart; every entry has the type it should have, or `BadFile` names it."""
    name, healpix, epochs, bands, origins, shards, _, _ = _parts(found, "the manifest", *_ENTRIES)
    level, _ = _parts(healpix, "healpix", "level", "ordering")
    _natural(found["rows"], "rows")
    return Manifest(
        name=_text(name, "name"),
        level=_natural(level, "healpix.level"),
        epochs=_epochs(epochs),
        bands=tuple(_word(band, "bands") for band in _list(bands, "bands")),
        origins=tuple(_origin(origin) for origin in _list(origins, "origins")),
        shards={_pixel(pixel): _shard(shard, f"shards.{pixel}") for pixel, shard in _mapping(shards, "shards").items()},
    )


def _origin(found: object) -> Origin:
    name, sha256, kind, rows = _parts(found, "origins", "name", "sha256", "kind", "rows")
    return Origin(
        _word(name, "origins.name"),
        _digest(sha256, "origins.sha256"),
        _word(kind, "origins.kind"),
        _natural(rows, "origins.rows"),
    )


def _shard(found: object, place: str) -> Shard:
    rows, size, sha256 = _parts(found, place, "rows", "bytes", "sha256")
    return Shard(
        _natural(rows, f"{place}.rows"), _natural(size, f"{place}.bytes", least=1), _digest(sha256, f"{place}.sha256")
    )


def _pixel(found: str) -> int:
    # one spelling for one number: "7" and "07" would be the same shard twice
    if not _PIXEL.fullmatch(found):
        raise _damaged("shards by number of the pixel", found)
    return int(found)


def _epochs(found: object) -> tuple[float, float]:
    epochs = _list(found, "epochs")
    if len(epochs) != 2 or not all(type(epoch) in (int, float) for epoch in epochs):
        raise _damaged("epochs of two numbers", found)
    try:
        first, last = map(float, epochs)
    except OverflowError:
        raise _damaged("finite epochs", found) from None
    if not (math.isfinite(first) and math.isfinite(last) and first <= last):
        raise _damaged("finite epochs, the first one first", found)
    return first, last


def _natural(found: object, place: str, *, least: int = 0) -> int:
    # not isinstance: true and false are integers to it
    if type(found) is not int or found < least:
        raise _damaged(f"{place} an integer, {least} or more", found)
    return found


def _text(found: object, place: str) -> str:
    if not isinstance(found, str):
        raise _damaged(f"{place} a text", found)
    return found


def _word(found: object, place: str) -> str:
    if not _text(found, place):
        raise _damaged(f"{place} not empty", found)
    return _text(found, place)


def _digest(found: object, place: str) -> str:
    if not isinstance(found, str) or not _SHA256.fullmatch(found):
        raise _damaged(f"{place} of 64 hexadecimal digits", found)
    return found


def _list(found: object, place: str) -> list[Any]:
    if not isinstance(found, list):
        raise _damaged(f"{place} a list", found)
    return found


def _mapping(found: object, place: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _damaged(f"{place} with entries by name", found)
    return found


def _parts(found: object, place: str, *names: str) -> list[Any]:
    entries = _mapping(found, place)
    for name in names:
        if name not in entries:
            raise _damaged(f"{place} with {name}", list(entries))
    return [entries[name] for name in names]


def _damaged(expected: str, found: object) -> BadFile:
    said = ascii(found)
    return BadFile(
        "the manifest is damaged", expected=expected, found=said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."
    )


def _fault(manifest: Manifest, found: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what was expected and what was found, where the two differ."""
    if found["healpix"]["ordering"] != "nested" or found["frame"] != "ICRS":
        return "nested pixels in ICRS", f"{found['healpix']['ordering']} in {found['frame']}"
    if not 0 <= manifest.level <= MAX_LEVEL:
        return f"level 0 to {MAX_LEVEL}", str(manifest.level)
    if len(set(manifest.bands)) != len(manifest.bands):
        return "bands that differ", ", ".join(manifest.bands)
    outside = [pixel for pixel in manifest.shards if not 0 <= pixel < 12 * 4**manifest.level]
    if outside:
        return f"pixels of level {manifest.level}", str(outside[0])
    if manifest.rows != found["rows"]:
        return f"{found['rows']} stars", f"{manifest.rows} in its shards"
    return None
