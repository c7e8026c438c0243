"""What is taken in comes out again: all stars, once, in shards that are not too large."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rapid.errors import BadFile, ConfigError, NotAvailable
from rapid.processing.refcat import MANIFEST_NAME, shard_name
from rapid.processing.refcat.places import separation
from rapid.refcat import ingest, open_catalogue


def write_csv(path: Path, ra: np.ndarray, dec: np.ndarray, **columns: np.ndarray) -> Path:
    values = {"ra": ra, "dec": dec, **columns}
    rows = "\n".join(",".join(f"{value:.12g}" for value in row) for row in zip(*values.values(), strict=True))
    path.parent.mkdir(exist_ok=True)
    path.write_text(",".join(values) + "\n" + rows + "\n")
    return path


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Two tables of one crowded field and a thin rest of the sky; a hundred stars are in both, with another band."""
    chance = np.random.default_rng(1)
    ra = np.concatenate([chance.uniform(50.0, 51.0, 900), chance.uniform(0.0, 360.0, 300)])
    dec = np.concatenate([chance.uniform(-30.0, -29.0, 900), chance.uniform(-90.0, 90.0, 300)])
    mag = chance.uniform(10.0, 20.0, 1200)
    one = write_csv(tmp_path / "in" / "one.csv", ra[:700], dec[:700], mag_r=mag[:700])
    other = write_csv(tmp_path / "in" / "other.csv", ra[600:], dec[600:], mag_g=mag[600:] + 1.0)
    return [one, other]


def test_all_stars_come_out_again(tables: list[Path], tmp_path: Path) -> None:
    read: list[Path] = []
    made = ingest(tables, tmp_path / "out", rows_of_a_shard=200, on_file=read.append)
    assert read == [*tables, *tables]
    assert made.doubles == 100
    assert made.manifest.rows == 1200
    assert made.manifest.bands == ("g", "r")
    assert [origin.rows for origin in made.manifest.origins] == [700, 600]
    assert max(shard.rows for shard in made.manifest.shards.values()) <= 200

    catalogue = open_catalogue(tmp_path / "out")
    assert catalogue.manifest == made.manifest
    whole = [catalogue.cone(ra, dec, 90.0, year=2026.0) for ra, dec in ((10.0, 90.0), (10.0, -90.0))]
    assert all(not half.faults for half in whole)
    assert sum(len(half.stars) for half in whole) == 1200
    field = catalogue.cone(50.5, -29.5, 0.75, year=2026.0).stars
    both = np.isfinite(field.magnitudes["g"]) & np.isfinite(field.magnitudes["r"])
    assert both.sum() > 80
    np.testing.assert_allclose(field.magnitudes["g"][both] - field.magnitudes["r"][both], 1.0, atol=1e-5)


def test_the_level_is_the_coarsest_that_will_do(tables: list[Path], tmp_path: Path) -> None:
    coarse = ingest(tables, tmp_path / "coarse").manifest
    assert coarse.level == 0
    fine = ingest(tables, tmp_path / "fine", rows_of_a_shard=100).manifest
    coarser = open_catalogue(tmp_path / "fine")
    per_parent: dict[int, int] = {}
    for pixel, shard in coarser.manifest.shards.items():
        per_parent[pixel // 4] = per_parent.get(pixel // 4, 0) + shard.rows
    assert max(shard.rows for shard in fine.shards.values()) <= 100 < max(per_parent.values())


def test_one_spot_on_the_sky_ends_at_the_deepest_level(tmp_path: Path) -> None:
    ra = 80.0 + 1e-4 * np.arange(50)
    made = ingest([write_csv(tmp_path / "spot.csv", ra, np.zeros(50))], tmp_path / "out", rows_of_a_shard=1)
    assert made.manifest.level == 9


def test_the_same_tables_give_the_same_bytes(tables: list[Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        ingest(tables, tmp_path / name, name="stars", rows_of_a_shard=300)
    one, other = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("a", "b")
    )
    assert one == other
    assert len(one) > 2


def test_brightest_stars_come_first(tables: list[Path], tmp_path: Path) -> None:
    ingest(tables[:1], tmp_path / "out")
    catalogue = open_catalogue(tmp_path / "out")
    for pixel in catalogue.manifest.shards:
        assert np.all(np.diff(catalogue.shard(pixel).magnitudes["r"]) >= 0.0)


def test_a_table_without_stars_does_no_harm(tables: list[Path], tmp_path: Path) -> None:
    bias = tmp_path / "in" / "bias.json"
    bias.write_text(json.dumps({"stars": [], "begin_tai": "2026-01-01T00:00:00", "filter": "empty_1"}))
    made = ingest([bias, *tables], tmp_path / "out").manifest
    assert [origin.rows for origin in made.origins] == [0, 700, 600]
    assert made.rows == 1200
    assert made.bands == ("g", "r")


def test_close_doubles_stay_two(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "pair.csv", np.array([10.0, 10.0]), np.array([0.0, 0.5 / 3600.0]))
    made = ingest([table], tmp_path / "out")
    assert (made.manifest.rows, made.doubles) == (2, 0)


def test_a_star_three_times_over_is_one(tmp_path: Path) -> None:
    paths = [
        write_csv(
            tmp_path / f"{band}.csv",
            np.array([10.0, 30.0]),
            np.array([5.0, 6.0]),
            **{f"mag_{band}": np.array([15.0, 16.0])},
        )
        for band in "gri"
    ]
    made = ingest(paths, tmp_path / "out")
    assert (made.manifest.rows, made.doubles) == (2, 4)
    star = open_catalogue(tmp_path / "out").cone(10.0, 5.0, 0.01, year=2026.0).stars
    assert [float(star.magnitudes[band][0]) for band in "gri"] == [15.0] * 3


def test_stars_move_to_the_epoch_asked_for(tmp_path: Path) -> None:
    columns = {"pm_ra": np.array([1000.0]), "pm_dec": np.array([-500.0]), "epoch": np.array([2016.0])}
    ingest([write_csv(tmp_path / "fast.csv", np.array([0.0001]), np.array([60.0]), **columns)], tmp_path / "out")
    star = open_catalogue(tmp_path / "out").cone(0.0, 60.0, 0.1, year=2026.0).stars
    assert star.dec[0] == pytest.approx(60.0 - 5.0 / 3600.0, abs=2e-7), "a great circle leaves the parallel by 0.4 mas"
    assert separation(star.ra, star.dec, 0.0001, 60.0)[0] * 3600.0 == pytest.approx(np.hypot(10.0, 5.0), abs=1e-6)


def test_nothing_is_left_of_one_that_failed(tables: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "in" / "bad.csv"
    bad.write_text("ra,dec\n1,2\n")
    files = [*tables, bad]

    def spoil(path: Path) -> None:
        if path == bad:
            bad.write_text("other,columns\n1,2\n")

    with pytest.raises(BadFile, match=r"bad.csv: not the columns of a star catalogue"):
        ingest(files, tmp_path / "out", on_file=spoil)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_what_cannot_be_written_or_read(tables: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tables"):
        ingest([], tmp_path / "out")
    with pytest.raises(ConfigError, match="has something in it already; expected a directory that is not there"):
        ingest(tables, tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="has something in it already"):
        ingest(tables, tmp_path / "file")
    with pytest.raises(NotAvailable, match="the catalogue cannot be written"):
        ingest(tables, tmp_path / "file" / "out")
    with pytest.raises(NotAvailable, match=r"gone\.csv: the file cannot be read: No such file"):
        ingest([tmp_path / "gone.csv"], tmp_path / "out")
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps({"stars": [], "begin_tai": "2026-01-01T00:00:00", "filter": "x"}))
    with pytest.raises(ConfigError, match="there is no star in any of the tables"):
        ingest([empty], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_directory_is_filled(tables: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert ingest(tables[:1], tmp_path / "out").manifest.name == "out"
    assert (tmp_path / "out" / MANIFEST_NAME).is_file()


def test_a_damaged_shard_is_told_and_the_rest_works(tables: list[Path], tmp_path: Path) -> None:
    made = ingest(tables, tmp_path / "out", rows_of_a_shard=200).manifest
    fullest = max(made.shards, key=lambda pixel: made.shards[pixel].rows)
    broken = tmp_path / "out" / shard_name(made.level, fullest)
    broken.write_bytes(broken.read_bytes()[:-100])
    found = open_catalogue(tmp_path / "out").cone(50.5, -29.5, 0.9, year=2026.0)
    assert len(found.faults) == 1
    assert f"Npix{fullest}.parquet: the shard is damaged" in found.faults[0]
    assert len(found.stars) > 100


def test_a_directory_that_is_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=r"manifest\.json: the file cannot be read"):
        open_catalogue(tmp_path)
    (tmp_path / MANIFEST_NAME).write_text("{}")
    with pytest.raises(BadFile, match="not a manifest of ours"):
        open_catalogue(tmp_path)
