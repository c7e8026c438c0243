"""A task becomes an outcome: on a simulated raw and on a real one, with an analysis of somebody else's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rapid import study
from rapid.errors import BadName, ConfigError, NotAvailable
from rapid.ports import Task
from rapid.processing.catalogue import FINDINGS, SOURCES, findings_of, read_parquet, sources_of
from rapid.study import analyses, study_task
from tests.support.daemon import rapid

SCIENCE = 6
"""Sequence number of a science exposure of the short night."""


def task_of(night: Path, seq_num: int) -> Task:
    (raw,) = night.glob(f"LATISS/*/*/*_{seq_num:06d}_R00_S00.fits")
    return Task(str(night), raw.relative_to(night).as_posix(), "a")


def plug_in(place: Path, name: str, code: str) -> None:
    """Install an analysis as pip would: one module, and the entry point that names it."""
    (place / f"{name}.py").write_text(code, encoding="utf-8")
    info = place / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[rapid.analyses]\n{name} = {name}:analysis\n", encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory whose packages are installed for the length of a test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    analyses.cache_clear()
    yield tmp_path
    analyses.cache_clear()
    for name in ("corner", "clumsy", "nothing"):
        sys.modules.pop(name, None)


CORNER = '''
"""The level of one corner."""

import numpy as np

from rapid.processing.findings import Finding, ImagePanel, Picture, Result


class Corner:
    name = "corner"
    version = 1

    def applies(self, info):
        return info.observation_type == "science"

    def run(self, study):
        corner = study.frame.image[:100, :100]
        finding = Finding("corner_level", float(np.median(corner)), "electron", "Median of the corner.", "Corner")
        panel = ImagePanel("Corner", np.clip(corner, 0, 255).astype(np.uint8))
        return Result((finding,), (Picture("corner", "Corner", (panel,)),), {"level": finding.value})


analysis = Corner()
'''

CLUMSY = """
class Clumsy:
    name = "clumsy"
    version = 1

    def applies(self, info):
        return True

    def run(self, study):
        study.frame.image[0, 0] = 1


analysis = Clumsy()
"""


def test_a_science_frame_becomes_row_and_pictures(night: Path) -> None:
    outcome = study_task(task_of(night, SCIENCE))
    row = outcome.row
    assert (row.camera, row.instrument, row.seq_num, row.detector_name) == ("auxtel", "LATISS", SCIENCE, "R00_S00")
    assert {picture.channel for picture in outcome.pictures} == {"monitor", "imexam"}
    assert 0.5 < row.cells["psf_fwhm"] < 2  # type: ignore[operator]
    assert row.uncertainties["psf_fwhm"] > 0
    assert set(outcome.columns) == set(row.cells)
    assert outcome.columns["psf_fwhm"]["unit"] == "arcsec"
    assert outcome.columns["psf_fwhm"]["type"] == "number"
    assert row.failures == {}
    assert outcome.shutter_closed_at.tzinfo is UTC
    json.dumps(dict(row.cells), allow_nan=False)


def test_a_science_frame_has_its_catalogues_and_a_bias_no_sources(night: Path) -> None:
    outcome = study_task(task_of(night, SCIENCE))
    assert [catalogue.name for catalogue in outcome.catalogues] == ["sources", "findings"]
    table = read_parquet(outcome.catalogues[0].body, SOURCES)
    assert table.num_rows == outcome.row.cells["n_sources"]
    assert sources_of(table).star.sum() >= outcome.row.cells["psf_star_count"]  # type: ignore[operator]
    assert outcome.seconds["catalogues"] > 0
    found = {finding.name: finding for finding in findings_of(read_parquet(outcome.catalogues[1].body, FINDINGS))}
    assert {name: finding.value for name, finding in found.items()} == outcome.row.cells
    assert {name: finding.reason for name, finding in found.items() if finding.reason} == outcome.row.notes
    assert (found["psf_fwhm"].unit, found["psf_fwhm"].n) == ("arcsec", outcome.row.cells["psf_star_count"])
    assert study_task(task_of(night, SCIENCE)).catalogues == outcome.catalogues, "a replay gives the same bytes"
    (of_bias,) = study_task(task_of(night, 1)).catalogues
    assert of_bias.name == "findings"
    assert read_parquet(of_bias.body, FINDINGS)["analysis"].to_pylist()[0] == "exposure"


def test_a_catalogue_that_cannot_be_made_is_named_and_spoils_nothing(
    night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_study: object) -> object:
        message = "too many columns"
        raise ValueError(message)

    monkeypatch.setattr(study, "catalogue_of", broken)
    outcome = study_task(task_of(night, SCIENCE))
    assert outcome.row.failures == {"catalogue of sources": "ValueError: too many columns"}
    assert [catalogue.name for catalogue in outcome.catalogues] == ["findings"]
    assert len(outcome.pictures) == 2
    assert outcome.row.cells["psf_fwhm"] is not None


def test_shutter_close_is_the_header_s_end_less_37_seconds(night: Path) -> None:
    outcome = study_task(task_of(night, SCIENCE))
    (sidecar,) = night.glob(f"LATISS/*/*/*_{SCIENCE:06d}_R00_S00.json")
    end = datetime.fromisoformat(json.loads(sidecar.read_text(encoding="utf-8"))["DATE-END"]).replace(tzinfo=UTC)
    assert (end - outcome.shutter_closed_at).total_seconds() == pytest.approx(37.0, abs=1e-3)


def test_a_bias_says_why_it_has_no_seeing(night: Path) -> None:
    row = study_task(task_of(night, 1)).row
    assert row.cells["psf_fwhm"] is None
    assert "bias" in row.notes["psf_fwhm"]


def test_a_developer_adds_an_analysis_in_one_file(site: Path, night: Path) -> None:
    plug_in(site, "corner", CORNER)
    outcome = study_task(task_of(night, SCIENCE))
    assert isinstance(outcome.row.cells["corner_level"], float)
    assert outcome.columns["corner_level"]["label"] == "Corner"
    assert outcome.columns["corner_level"]["group"] == "corner"
    (picture,) = [picture for picture in outcome.pictures if picture.channel == "corner"]
    assert picture.sidecar == {"level": outcome.row.cells["corner_level"]}
    assert picture.body.startswith((b"\x89PNG", b"\xff\xd8"))
    assert "corner_level" not in study_task(task_of(night, 1)).row.cells, "it does not apply to a bias"


def test_an_analysis_that_raises_is_named_and_spoils_nothing(site: Path, night: Path) -> None:
    plug_in(site, "clumsy", CLUMSY)
    row = study_task(task_of(night, SCIENCE)).row
    assert list(row.failures) == ["clumsy"]
    assert "read-only" in row.failures["clumsy"]
    assert row.cells["psf_fwhm"] is not None


def test_an_entry_point_that_is_no_analysis_is_told(site: Path) -> None:
    plug_in(site, "nothing", "analysis = 3\n")
    with pytest.raises(ConfigError, match="nothing = nothing:analysis is not an analysis"):
        analyses()


def test_a_file_that_is_gone(night: Path) -> None:
    with pytest.raises(NotAvailable, match="absent"):
        study_task(Task(str(night), "LATISS/absent.fits", "a"))


def test_a_key_that_climbs_out(night: Path) -> None:
    with pytest.raises(BadName, match="climbs out"):
        study_task(Task(str(night), "../absent.fits", "a"))


@pytest.mark.system
def test_a_real_latiss_raw_goes_through_replay_to_a_row(shared_data: Path, tmp_path: Path) -> None:
    told = rapid("replay", shared_data / "obs_lsst_raws" / "latiss", "--state", tmp_path, "--json")
    report = json.loads(told.stdout)
    assert (report["announced"], report["done"], report["failed"]) == (1, 1, {})
    (row_file,) = (tmp_path / "gallery").glob("rapid/auxtel/*/*/*/row.json")
    row = json.loads(row_file.read_text(encoding="utf-8"))
    assert (row["instrument"], row["day_obs"], row["seq_num"]) == ("LATISS", 20180920, 65)
    assert row["cells"]["dead_amplifiers"] == 16, "its pixels are all zero, and nothing was measured on them"
    assert row["cells"]["psf_fwhm"] is None


@pytest.mark.system
def test_a_night_in_a_bucket_is_replayed(night: Path, s3: object, tmp_path: Path) -> None:
    """Raws from S3, by range of one night; results to S3."""
    (raw,) = night.glob(f"LATISS/*/*/*_{SCIENCE:06d}_R00_S00.fits")
    key = raw.relative_to(night).as_posix()
    bucket = s3.bucket()  # type: ignore[attr-defined]
    s3.client().put_object(Bucket=bucket, Key=f"archive/{key}", Body=raw.read_bytes())  # type: ignore[attr-defined]
    options = "".join(f'{name} = "{value}"\n' for name, value in s3.options.items())  # type: ignore[attr-defined]
    config = tmp_path / "rapid.toml"
    config.write_text(
        f'[archive.options]\n{options}[gallery]\nurl = "s3://{bucket}/gallery"\n[gallery.options]\n{options}',
        encoding="utf-8",
    )
    night_word = key.split("/")[1]
    words = ("--night", night_word, "--instrument", "LATISS", "--config", config, "--state", tmp_path / "s", "--json")
    report = json.loads(rapid("replay", f"s3://{bucket}/archive", *words).stdout)
    assert (report["announced"], report["done"]) == (1, 1)
    listed = s3.client().list_objects_v2(Bucket=bucket, Prefix="gallery/")["Contents"]  # type: ignore[attr-defined]
    keys = {item["Key"] for item in listed}
    day = f"{night_word[:4]}-{night_word[4:6]}-{night_word[6:]}"
    assert f"gallery/auxtel/{day}/metadata.json" in keys
    assert f"gallery/auxtel/{day}/imexam/{SCIENCE:06d}/auxtel_imexam_{day}_{SCIENCE:06d}.png" in keys
