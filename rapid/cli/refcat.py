"""``rapid refcat``: make a reference catalogue of the tables of others, and look into one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rapid.cli.options import AsJson
from rapid.cli.text import shown
from rapid.errors import ConfigError, InputError, NotAvailable

if TYPE_CHECKING:
    from rapid.processing.refcat import Manifest, ReferenceCatalogue, Selection

__all__ = ["add_to"]

_console = Console(stderr=True)
_refcat = typer.Typer(no_args_is_help=True, help="Reference catalogues: stars with known places and brightness.")

_SUFFIXES = (".fits", ".fit", ".fits.gz", ".csv", ".csv.gz", ".ecsv", ".parquet", ".json")
_SHOWN = 20

Catalogue = Annotated[Path, typer.Argument(help="Directory of the catalogue.")]


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.add_typer(_refcat, name="refcat")


@_refcat.command("ingest")
def ingest_tables(
    out: Annotated[Path, typer.Argument(help="Directory of the new catalogue: not there yet, or empty.")],
    tables: Annotated[list[Path], typer.Argument(help="Tables of stars, or directories of them.")],
    *,
    name: Annotated[str, typer.Option(help="Of the catalogue; that of the directory unless given.")] = "",
    epoch: Annotated[
        float | None, typer.Option(help="Julian year of the places, where the tables do not say.", min=1800, max=2200)
    ] = None,
    rows: Annotated[int | None, typer.Option(help="Most stars of a shard [20000].", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Make a catalogue in shards of the sky of tables of stars.

    Known are Rubin's reference catalogues as `the_monster` (FITS), tables with the columns of the Gaia archive, tables with
    ra, dec [deg], pm_ra, pm_dec [mas/yr], epoch [yr] and mag_BAND, and the truth files of `rapid simulate`. They may be
    FITS, Parquet or CSV, also gzipped. A star that is in several of them is taken once.

    Examples: `rapid refcat ingest CATALOGUE the_monster/*.fits`, `rapid refcat ingest CATALOGUE NIGHT/truth`
    """
    from rapid.refcat.ingest import ROWS_OF_A_SHARD, ingest

    files = _files(tables)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console) as progress:
        bar = progress.add_task("reading", total=2 * len(files))
        made = ingest(
            files,
            out,
            name=name,
            epoch=epoch,
            rows_of_a_shard=rows or ROWS_OF_A_SHARD,
            on_file=lambda _: progress.advance(bar),
        )
    if as_json:
        typer.echo(json.dumps(_summary(made.manifest) | {"doubles": made.doubles}))
        return
    typer.echo(
        f"{made.manifest.rows} stars in {len(made.manifest.shards)} shards of level {made.manifest.level} in {out}"
    )
    if made.doubles:
        typer.echo(f"{made.doubles} entries were of stars that are there already")


@_refcat.command("show")
def show(
    catalogue: Catalogue,
    *,
    at: Annotated[
        tuple[float, float, float] | None, typer.Option(help="Stars of a cone: RA DEC RADIUS, degrees.")
    ] = None,
    year: Annotated[float, typer.Option(help="Julian year to which stars are moved.", min=1800, max=2200)] = 2016.0,
    check: Annotated[bool, typer.Option(help="Read every shard and tell which are damaged.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what a catalogue holds, list the stars of a cone, or check every shard.

    Exit code 1 when a shard that was asked for is damaged or gone.

    Examples: `rapid refcat show CATALOGUE`, `rapid refcat show CATALOGUE --at 53.4 -28.25 0.1`
    """
    from rapid.refcat import open_catalogue

    opened = open_catalogue(catalogue, cache_bytes=0)
    faults: tuple[str, ...] = ()
    if at is not None:
        selection = opened.cone(*at, year=year)
        faults = selection.faults
        _print_stars(selection, as_json=as_json)
    elif as_json:
        typer.echo(json.dumps(_summary(opened.manifest)))
    else:
        _print_summary(opened.manifest)
    if check:
        faults += _damaged(opened)
    for fault in faults:
        typer.secho(shown(fault), err=True, fg=typer.colors.RED)
    if faults:
        raise typer.Exit(1)
    if check:
        typer.echo(f"all {len(opened.manifest.shards)} shards are as they were written", err=as_json)


def _files(places: list[Path]) -> list[Path]:
    """Name the tables of files and directories, in order."""
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += sorted(path for path in place.rglob("*") if path.is_file() and path.name.endswith(_SUFFIXES))
        else:
            files.append(place)
    if not files:
        raise ConfigError("no tables in these directories; expected names that end in " + ", ".join(_SUFFIXES))
    return files


def _damaged(catalogue: ReferenceCatalogue) -> tuple[str, ...]:
    faults = []
    for pixel in catalogue.manifest.shards:
        try:
            catalogue.shard(pixel)
        except (InputError, NotAvailable) as error:
            faults.append(str(error))
    return tuple(faults)


def _summary(manifest: Manifest) -> dict[str, object]:
    return {
        "name": manifest.name,
        "rows": manifest.rows,
        "level": manifest.level,
        "shards": len(manifest.shards),
        "bytes": sum(shard.bytes for shard in manifest.shards.values()),
        "epochs": list(manifest.epochs),
        "bands": list(manifest.bands),
        "origins": [{"name": origin.name, "kind": origin.kind, "rows": origin.rows} for origin in manifest.origins],
    }


def _print_summary(manifest: Manifest) -> None:
    size = sum(shard.bytes for shard in manifest.shards.values())
    typer.echo(f"{shown(manifest.name)}: {manifest.rows} stars, epochs {_span(manifest.epochs)}, {size / 1e6:.1f} MB")
    typer.echo(f"{len(manifest.shards)} of {12 * 4**manifest.level} shards of level {manifest.level} have stars")
    typer.echo("bands " + shown(", ".join(manifest.bands) or "none"))
    for origin in manifest.origins[:_SHOWN]:
        typer.echo(f"from {shown(origin.name)} ({shown(origin.kind)}), {origin.rows} stars")
    if len(manifest.origins) > _SHOWN:
        typer.echo(f"and {len(manifest.origins) - _SHOWN} more tables")


def _print_stars(selection: Selection, *, as_json: bool) -> None:
    """Print the brightest stars of a cone; as JSON all of them."""
    import numpy as np

    stars = selection.stars.chosen(np.argsort(np.nan_to_num(selection.stars.brightness(), nan=np.inf), kind="stable"))
    rows = [
        {
            "id": int(stars.id[i]),
            "ra": round(float(stars.ra[i]), 9),
            "dec": round(float(stars.dec[i]), 9),
            **{band: round(float(v[i]), 4) for band, v in stars.magnitudes.items() if np.isfinite(v[i])},
        }
        for i in range(len(stars) if as_json else min(len(stars), _SHOWN))
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    typer.echo(f"{len(stars)} stars")
    for row in rows:
        bands = "  ".join(f"{key} {value}" for key, value in row.items() if key not in {"id", "ra", "dec"})
        typer.echo(f"{row['ra']:.6f} {row['dec']:.6f}  {bands}")


def _span(epochs: tuple[float, float]) -> str:
    first, last = (f"{epoch:.2f}" for epoch in epochs)
    return first if first == last else f"{first} to {last}"
