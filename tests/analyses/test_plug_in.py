"""A developer adds an analysis in one file: installed somewhere, it is found and runs like ours."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

from rapid.processing.analysis import ENTRY_POINT_GROUP, Analysis
from rapid.processing.findings import Finding
from tests.support.studies import Star, make_study

MODULE = '''
    """How many pixels of the frame are brighter than a thousand electrons."""

    from rapid.processing.findings import Finding, Result


    class BrightPixels:
        name = "bright_pixels"
        version = 1

        def applies(self, info):
            return info.observation_type == "science"

        def run(self, study):
            count = int((study.frame.image > 1000).sum())
            return Result((Finding("n_bright", count, "pixel", "Pixels brighter than 1000 electron", "Bright pixels"),))


    analysis = BrightPixels()
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "bright_pixels_of_tests.py").write_text(dedent(MODULE))
    metadata = tmp_path / "bright_pixels_of_tests-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bright-pixels-of-tests\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        f"[{ENTRY_POINT_GROUP}]\nbright_pixels = bright_pixels_of_tests:analysis\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("bright_pixels_of_tests", None)


def installed_analyses() -> dict[str, Analysis]:
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINT_GROUP)}


@pytest.mark.usefixtures("installed")
def test_an_analysis_added_in_one_file_is_found_and_runs() -> None:
    analyses = installed_analyses()
    added = analyses["bright_pixels"]
    assert isinstance(added, Analysis)
    study = make_study([Star(160, 120, 1e6)])
    assert added.applies(study.frame.info)
    (finding,) = added.run(study).findings
    assert finding == Finding(
        "n_bright",
        int((study.frame.image > 1000).sum()),
        "pixel",
        "Pixels brighter than 1000 electron",
        "Bright pixels",
    )
    assert finding.value


def test_ours_are_found_the_same_way() -> None:
    analyses = installed_analyses()
    assert {"monitor", "imexam", "quicklook"} <= set(analyses)
    assert "bright_pixels" not in analyses
    for name in ("monitor", "imexam", "quicklook"):
        assert isinstance(analyses[name], Analysis)
        assert analyses[name].name == name
