"""Make a catalogue in shards of the tables of others."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hpgeom
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from rapid.errors import ConfigError, NotAvailable
from rapid.processing.refcat import (
    MANIFEST_NAME,
    Manifest,
    Origin,
    References,
    Shard,
    concatenate,
    decode_shard,
    encode_manifest,
    encode_shard,
    shard_name,
)
from rapid.processing.refcat.manifest import MAX_LEVEL
from rapid.processing.refcat.places import unit_vectors
from rapid.processing.refcat.shards import digest
from rapid.refcat.directory import read_bytes
from rapid.refcat.recognition import recognise
from rapid.refcat.tables import read_table

__all__ = ["ROWS_OF_A_SHARD", "Ingested", "ingest"]

ROWS_OF_A_SHARD: Final = 20_000
"""Most stars of a shard, where the level permits: 2 MB that are read in some milliseconds."""

_SAME_PLACE: Final = np.radians(0.02 / 3600.0)
"""Two entries this close are one star, as from tables that overlap: nothing on the ground tells stars so close apart."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What was made: the manifest, and the number of entries that were another's double."""

    manifest: Manifest
    doubles: int


def ingest(
    files: Sequence[Path],
    out: Path,
    *,
    name: str = "",
    epoch: float | None = None,
    rows_of_a_shard: int = ROWS_OF_A_SHARD,
    on_file: Callable[[Path], None] | None = None,
) -> Ingested:
    """Make a catalogue of tables of stars.

    Files are read one at a time, twice: once to count stars, which decides the level, once to share them out. The catalogue
    appears whole or not at all.

    Parameters
    ----------
    files
        Tables, see `recognise`. A star that is in several is taken once, with the magnitudes of all.
    out
        Directory that is not there yet, or empty.
    name
        Of the catalogue; that of `out` unless given.
    epoch
        See `recognise`.
    rows_of_a_shard
        Most stars of a shard, where the level permits.
    on_file
        Called each time a file has been read, twice for each.

    Raises
    ------
    ConfigError
        If there are no files, no stars in them, or `out` has something in it already.
    BadFile
        If a table is damaged or has no columns that are known.
    NotAvailable
        If a file cannot be read, or `out` not be written.
    """
    _check(files, out)
    told = on_file or _tell_nobody
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            parts, whole = Path(scratch) / "parts", Path(scratch) / "whole"
            origins, level = _count(files, epoch, rows_of_a_shard, told)
            for index, path in enumerate(files):
                _share_out(recognise(read_table(read_bytes(path), name=path.name), epoch=epoch), level, index, parts)
                told(path)
            made = _assemble(parts, whole, level=level, name=name or out.name, origins=origins)
            if out.exists():
                out.rmdir()
            shutil.move(whole, out)
    except OSError as error:
        raise NotAvailable(f"{out}: the catalogue cannot be written: {error.strerror or error}") from error
    return made


def _check(files: Sequence[Path], out: Path) -> None:
    if not files:
        raise ConfigError("no tables to make a catalogue of")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        msg = f"{out} has something in it already; expected a directory that is not there yet, or empty"
        raise ConfigError(msg)


def _count(
    files: Iterable[Path], epoch: float | None, rows_of_a_shard: int, told: Callable[[Path], None]
) -> tuple[tuple[Origin, ...], int]:
    """Read all files once; return what they are, and the coarsest level at which no shard is too large."""
    counts = np.zeros(12 * 4**MAX_LEVEL, dtype=np.int64)
    origins = []
    for path in files:
        content = read_bytes(path)
        table = read_table(content, name=path.name)
        stars = recognise(table, epoch=epoch)
        origins.append(Origin(path.name, digest(content), table.kind, len(stars)))
        np.add.at(counts, _pixels(stars, MAX_LEVEL), 1)
        told(path)
    if not counts.any():
        raise ConfigError("there is no star in any of the tables")
    fits = (level for level in range(MAX_LEVEL) if _fullest(counts, level) <= rows_of_a_shard)
    return tuple(origins), next(fits, MAX_LEVEL)


def _fullest(counts: NDArray[np.int64], level: int) -> int:
    """Stars of the fullest pixel; in the nested order the pixels of a finer level follow one another."""
    return int(counts.reshape(12 * 4**level, -1).sum(axis=1).max())


def _pixels(stars: References, level: int) -> NDArray[np.int64]:
    return np.asarray(hpgeom.angle_to_pixel(2**level, stars.ra, stars.dec), dtype=np.int64)


def _share_out(stars: References, level: int, index: int, parts: Path) -> None:
    """Write the stars of one file into a part for each pixel."""
    pixels = _pixels(stars, level)
    order = np.argsort(pixels, kind="stable")
    numbers, starts = np.unique(pixels[order], return_index=True)
    ends = [*starts[1:], len(order)][: len(starts)]
    for number, start, end in zip(numbers.tolist(), starts, ends, strict=True):
        folder = parts / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index:06d}").write_bytes(encode_shard(stars.chosen(order[start:end])))


def _assemble(parts: Path, whole: Path, *, level: int, name: str, origins: tuple[Origin, ...]) -> Ingested:
    shards: dict[int, Shard] = {}
    bands: set[str] = set()
    first, last, doubles = np.inf, -np.inf, 0
    for folder in sorted(parts.iterdir(), key=lambda folder: int(folder.name)):
        files = sorted(folder.iterdir())
        stars, dropped = _without_doubles(
            concatenate([decode_shard(file.read_bytes(), name=file.name) for file in files])
        )
        content = encode_shard(stars)
        pixel = int(folder.name)
        target = whole / shard_name(level, pixel)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        shards[pixel] = Shard(len(stars), len(content), digest(content))
        bands |= stars.magnitudes.keys()
        first, last = min(first, float(stars.epoch.min())), max(last, float(stars.epoch.max()))
        doubles += dropped
    manifest = Manifest(name, level, (first, last), tuple(sorted(bands)), origins, shards)
    (whole / MANIFEST_NAME).write_bytes(encode_manifest(manifest))
    return Ingested(manifest, doubles)


def _without_doubles(stars: References) -> tuple[References, int]:
    """Keep one entry of each star, with the magnitudes of all of them; brightest first. Return how many went."""
    pairs = KDTree(unit_vectors(stars.ra, stars.dec)).query_pairs(_SAME_PLACE, output_type="ndarray")
    first = np.arange(len(stars))
    for one, other in sorted(map(tuple, pairs.tolist())):
        first[other] = first[one]
    double = np.flatnonzero(first != np.arange(len(stars)))
    merged = _with_magnitudes_of(stars, double, first[double])
    order = np.argsort(np.nan_to_num(merged.brightness(), nan=np.inf), kind="stable")
    kept = np.setdiff1d(np.arange(len(stars)), double)
    return merged.chosen(order[np.isin(order, kept)]), len(double)


def _with_magnitudes_of(stars: References, double: NDArray[np.intp], first: NDArray[np.intp]) -> References:
    """Give stars the magnitudes that only their doubles have."""
    columns = stars.columns()
    for band in stars.magnitudes:
        lacking = np.isnan(stars.magnitudes[band][first]) & np.isfinite(stars.magnitudes[band][double])
        for column in (f"mag_{band}", f"mag_error_{band}"):
            values = columns[column].copy()
            values[first[lacking]] = values[double[lacking]]
            columns[column] = values
    return References(
        **{name: values for name, values in columns.items() if not name.startswith("mag_")},
        magnitudes={band: columns[f"mag_{band}"] for band in stars.magnitudes},
        magnitude_errors={band: columns[f"mag_error_{band}"] for band in stars.magnitudes},
    )


def _tell_nobody(path: Path) -> None:
    """Take no notice of a file that was read."""
    del path
