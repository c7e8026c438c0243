"""``rapid refcat``: make a catalogue, look into it, and be told of damage."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rapid.processing.refcat import shard_name
from tests.support.daemon import rapid

TABLE = "ra,dec,epoch,pm_ra,pm_dec,mag_r,mag_error_r\n10,20,2016,360000,0,15.5,0.01\n10.01,20,2016,0,0,16.5,\n"


def tell(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = rapid("refcat", *words, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("refcat")
    (place / "tables").mkdir()
    (place / "tables" / "stars.csv").write_text(TABLE)
    (place / "tables" / "notes.txt").write_text("not a table")
    done = tell("ingest", place / "out", place / "tables", "--name", "two stars")
    assert done.stdout == f"2 stars in 1 shards of level 0 in {place / 'out'}\n"
    return place / "out"


def test_what_a_catalogue_holds(catalogue: Path) -> None:
    shown = tell("show", catalogue).stdout
    assert "two stars: 2 stars, epochs 2016.00" in shown
    assert "1 of 12 shards of level 0 have stars" in shown
    assert "bands r" in shown
    assert "from stars.csv (CSV), 2 stars" in shown
    summary = json.loads(tell("show", catalogue, "--json").stdout)
    assert summary["rows"] == 2
    assert summary["bands"] == ["r"]


def test_the_stars_of_a_cone_at_an_epoch(catalogue: Path) -> None:
    stars = json.loads(tell("show", catalogue, "--at", "10", "20", "0.005", "--json").stdout)
    assert [star["r"] for star in stars] == [15.5]
    there = json.loads(tell("show", catalogue, "--at", "11.064", "20", "0.005", "--year", "2026", "--json").stdout)
    assert [star["id"] for star in there] == [0]
    assert there[0]["ra"] == pytest.approx(10.0 + 1.0 / 0.9397, abs=1e-3)
    listed = tell("show", catalogue, "--at", "10.005", "20", "0.1").stdout.splitlines()
    assert listed[0] == "2 stars"
    assert listed[1] == "10.000000 20.000000  r 15.5"


def test_damage_is_told(catalogue: Path, tmp_path: Path) -> None:
    assert "all 1 shards are as they were written" in tell("show", catalogue, "--check").stdout
    for path in catalogue.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(catalogue)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (pixel,) = (int(path.stem.removeprefix("Npix")) for path in tmp_path.rglob("*.parquet"))
    (tmp_path / shard_name(0, pixel)).write_bytes(b"spoiled")
    assert "the shard is damaged" in tell("show", tmp_path, "--check", code=1).stderr
    assert "the shard is damaged" in tell("show", tmp_path, "--at", "10", "20", "1", code=1).stderr
    tell("show", tmp_path)


def test_how_it_ends_when_something_is_wrong(catalogue: Path, tmp_path: Path) -> None:
    assert "has something in it already" in tell("ingest", catalogue, catalogue, code=2).stderr
    assert "no tables in these directories" in tell("ingest", tmp_path / "out", tmp_path, code=2).stderr
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "not the columns of a star catalogue" in tell("ingest", tmp_path / "out", tmp_path, code=1).stderr
    assert "cannot be read" in tell("ingest", tmp_path / "out", tmp_path / "gone.fits", code=3).stderr
    assert "cannot be read" in tell("show", tmp_path, code=3).stderr
    assert "not a cone on the sky" in tell("show", catalogue, "--at", "10", "95", "1", code=1).stderr
