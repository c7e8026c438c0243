"""The sources of a frame as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rapid.errors import BadFile, InputError
from rapid.processing.catalogue.schema import Column, Schema
from rapid.processing.frame import Apertures, Sources
from rapid.processing.photometry import ZeroPoint

__all__ = ["SOURCES", "source_table", "sources_of"]

_MAGNITUDES: Final = 2.5 / np.log(10)


def _number(name: str, unit: str, description: str, *, optional: bool = False) -> Column:
    return Column(name, pa.float64(), unit, description, nullable=True, optional=optional)


_MEASURED: Final = (
    _number("x", "pix", "Column of the centre; that of the lower left pixel is 0"),
    _number("y", "pix", "Row of the centre"),
    _number("flux", "electron", "Flux above the sky"),
    _number("flux_error", "electron", "Standard error of flux"),
    _number("peak", "electron", "Brightest pixel above the sky"),
    _number("xx", "pix2", "Second moment along rows"),
    _number("yy", "pix2", "Second moment along columns"),
    _number("xy", "pix2", "Mixed second moment"),
    Column("saturated", pa.bool_(), description="Has saturated pixels"),
    Column("star", pa.bool_(), description="Was used for the point-spread function"),
    _number("x_error", "pix", "Standard error of x", optional=True),
    _number("y_error", "pix", "Standard error of y", optional=True),
    _number("xx_error", "pix2", "Standard error of xx", optional=True),
    _number("yy_error", "pix2", "Standard error of yy", optional=True),
    _number("xy_error", "pix2", "Standard error of xy", optional=True),
    _number("signal_to_noise", "", "Signal to noise under the profile of the source", optional=True),
    Column("blended", pa.bool_(), description="Was cut from a neighbour", optional=True),
    Column("reserved", pa.bool_(), description="Is a star kept from fits, to hold them against", optional=True),
)
"""The columns of `Sources`."""

_SCALARS: Final = ("sky_offset", "sky_noise")
"""What `Sources` says of the frame as a whole, in the metadata; left out where it is NaN."""

_MOST_APERTURES: Final = 16

_APERTURES: Final = (
    *(
        _number(f"{what}_{i}", "electron", f"{said} in the circle of radius {i} of the metadata", optional=True)
        for what, said in (("aperture_flux", "Flux"), ("aperture_flux_error", "Standard error of the flux"))
        for i in range(_MOST_APERTURES)
    ),
    _number("tophat_flux", "electron", "Flux in a circle less that of the annulus about it", optional=True),
    _number("tophat_flux_error", "electron", "Standard error of tophat_flux", optional=True),
)

_CALIBRATED: Final = (
    _number("ra", "deg", "ICRS right ascension", optional=True),
    _number("dec", "deg", "ICRS declination", optional=True),
    _number(
        "point_flux",
        "electron",
        "All the light, if it is a point source: tophat_flux and what misses it",
        optional=True,
    ),
    _number("point_flux_error", "electron", "Standard error of point_flux", optional=True),
    _number("magnitude", "mag", "Magnitude of point_flux by the zero point of the frame", optional=True),
    _number("magnitude_error", "mag", "Standard error of magnitude without that of the zero point", optional=True),
)

SOURCES: Final = Schema(
    "rapid sources",
    2,
    (
        Column("exposure_id", pa.int64(), description="Exposure"),
        Column("detector", pa.int32(), description="Number of the detector"),
        *_MEASURED,
        *_APERTURES,
        *_CALIBRATED,
    ),
)


def source_table(
    sources: Sources,
    *,
    exposure_id: int,
    detector: int,
    positions: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    point_flux: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    zero_point: ZeroPoint | None = None,
    exposure_time: float = np.nan,
    **notes: object,
) -> pa.Table:
    """Put sources into a table; what is not a finite number is null, and what nobody measured has no column.

    Parameters
    ----------
    positions
        (ra, dec) of the sources [ICRS deg], where the frame has an astrometric solution.
    point_flux
        All the light of point sources and its errors [electron] (`rapid.processing.comparison.total_flux`), where the profile
        of the stars is known.
    zero_point, exposure_time
        Give magnitudes, where the frame has a photometric solution: it holds for all the light, not for that of a region.
    notes
        What else is to be said of the frame, values that JSON can hold.

    Raises
    ------
    InputError
        If positions or fluxes are not as many as the sources, or there is a zero point and no `point_flux` to apply it to.
    """
    measured = {column.name: getattr(sources, column.name, None) for column in _MEASURED}
    columns = {name: _array(values) for name, values in measured.items() if values is not None}
    columns["exposure_id"] = pa.array(np.full(len(sources), exposure_id, np.int64))
    columns["detector"] = pa.array(np.full(len(sources), detector, np.int32))
    scalars = {name: getattr(sources, name) for name in _SCALARS if np.isfinite(getattr(sources, name))}
    notes |= {"reason": sources.reason, **scalars}
    if sources.apertures is not None:
        columns |= _aperture_columns(sources.apertures)
        notes |= {
            "radii": sources.apertures.radii.tolist(),
            "tophat_radius": float(sources.apertures.tophat_radius),
        }
    if positions is not None:
        columns |= _pair_columns(("ra", "dec"), positions, len(sources))
    if point_flux is not None:
        columns |= _pair_columns(("point_flux", "point_flux_error"), point_flux, len(sources))
    if zero_point is not None and not zero_point.reason:
        if point_flux is None:
            raise InputError("a zero point without fluxes to apply it to", expected="point_flux", found="None")
        columns |= _magnitude_columns(*point_flux, zero_point, exposure_time)
        notes |= {"zero_point": zero_point.value, "zero_point_error": zero_point.error, "exposure_time": exposure_time}
    return SOURCES.table(columns, notes)


def sources_of(table: pa.Table, *, subject: str = "") -> Sources:
    """Return the sources of a table, as they were; what is null is NaN.

    Raises
    ------
    BadFile
        If it is another table, or its metadata do not go with its columns.
    """
    notes = SOURCES.check(table, subject=subject)
    values: dict[str, Any] = {
        column.name: _values(table[column.name]) for column in _MEASURED if column.name in table.column_names
    }
    if "tophat_flux" in table.column_names or "radii" in notes:
        values["apertures"] = _apertures(table, notes, subject)
    for name in _SCALARS:
        number = _numbers([notes.get(name, np.nan)])
        values[name] = np.nan if number is None else float(number[0])
    return Sources(**values, reason=str(notes.get("reason", "")))


# --- columns ------------------------------------------------------------------------------------------------------


def _array(values: NDArray[Any]) -> pa.Array:
    if values.dtype.kind == "b":
        return pa.array(values)
    values = np.asarray(values, np.float64)
    return pa.array(values, mask=~np.isfinite(values))


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column as a read-only array, with NaN for null."""
    if pa.types.is_boolean(column.type):
        values = column.to_numpy()
    else:
        values = column.combine_chunks().cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    values = np.array(values)
    values.flags.writeable = False
    return values


def _aperture_columns(apertures: Apertures) -> dict[str, pa.Array]:
    if len(apertures.radii) > _MOST_APERTURES:
        raise InputError("too many apertures", expected=str(_MOST_APERTURES), found=str(len(apertures.radii)))
    return {
        **{f"aperture_flux_{i}": _array(fluxes) for i, fluxes in enumerate(apertures.flux.T)},
        **{f"aperture_flux_error_{i}": _array(errors) for i, errors in enumerate(apertures.flux_error.T)},
        "tophat_flux": _array(apertures.tophat_flux),
        "tophat_flux_error": _array(apertures.tophat_flux_error),
    }


def _pair_columns(
    names: tuple[str, str], pair: tuple[NDArray[np.float64], NDArray[np.float64]], size: int
) -> dict[str, pa.Array]:
    if any(values.shape != (size,) for values in pair):
        found = " and ".join(str(values.shape) for values in pair)
        raise InputError(f"{' and '.join(names)} of other sources", expected=f"shape ({size},)", found=found)
    return {name: _array(values) for name, values in zip(names, pair, strict=True)}


def _magnitude_columns(
    flux: NDArray[np.float64], flux_error: NDArray[np.float64], zero_point: ZeroPoint, exposure_time: float
) -> dict[str, pa.Array]:
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = zero_point.value - 2.5 * np.log10(flux / exposure_time)
        error = _MAGNITUDES * flux_error / flux
    return {"magnitude": _array(magnitude), "magnitude_error": _array(np.where(np.isfinite(magnitude), error, np.nan))}


def _apertures(table: pa.Table, notes: Mapping[str, object], subject: str) -> Apertures:
    radii, tophat_radius = _numbers(notes.get("radii")), _numbers([notes.get("tophat_radius")])
    if radii is None or tophat_radius is None:
        found = f"{notes.get('radii')} and {notes.get('tophat_radius')}"
        raise BadFile("apertures without radii", subject=subject, expected="lists of numbers", found=found[:200])
    names = [f"{what}_{i}" for what in ("aperture_flux", "aperture_flux_error") for i in range(len(radii))]
    here = {column.name for column in _APERTURES} & set(table.column_names)
    if here != {*names, "tophat_flux", "tophat_flux_error"}:
        raise BadFile(
            "fluxes of other apertures", subject=subject, expected=", ".join(names), found=", ".join(sorted(here))
        )
    half = len(radii)
    return Apertures(
        radii=radii,
        flux=_matrix(table, names[:half]),
        flux_error=_matrix(table, names[half:]),
        tophat_radius=float(tophat_radius[0]),
        tophat_flux=_values(table["tophat_flux"]),
        tophat_flux_error=_values(table["tophat_flux_error"]),
    )


def _matrix(table: pa.Table, names: list[str]) -> NDArray[np.float64]:
    matrix = np.empty((table.num_rows, len(names)))
    for place, name in enumerate(names):
        matrix[:, place] = _values(table[name])
    matrix.flags.writeable = False
    return matrix


def _numbers(items: object) -> NDArray[np.float64] | None:
    """Return a list of numbers as a read-only array, or None if it is none."""
    if not isinstance(items, list) or not all(type(item) in {float, int} for item in items):
        return None
    numbers = np.array(items, np.float64)
    numbers.flags.writeable = False
    return numbers
