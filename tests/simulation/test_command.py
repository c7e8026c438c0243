"""``rapid simulate`` as it is typed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rapid.cli import app
from rapid.cli.simulate import _told_begin
from rapid.errors import ConfigError

BIAS = """
name: bias
instrument: {camera}
begins: 2026-02-18T00:30:00
sequences: [{{kind: bias, count: 2}}]
"""


def typed(*arguments: str | Path, told: str | None = None) -> tuple[int, str, str]:
    words = ["simulate", *map(str, arguments)]
    done = CliRunner().invoke(app, words, input=told, env={"COLUMNS": "200", "TERM": "dumb"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.output


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(BIAS.format(camera="LSSTCam"))
    return path


def test_detectors_by_name_and_the_count_of_files(tmp_path: Path, plan: Path) -> None:
    out = tmp_path / "out"
    code, said, _ = typed("--night", plan, "--detectors", "R00_SW1, R00_SW0", out)
    assert (code, said.strip()) == (0, f"2 exposures, 4 raw files in {out}")
    names = sorted(path.name for path in out.rglob("*.fits"))
    assert names == [f"MC_O_20260217_{n:06d}_R00_{slot}.fits" for n in (1, 2) for slot in ("SW0", "SW1")]


def test_lines_of_json_name_the_detector(tmp_path: Path, plan: Path) -> None:
    code, said, _ = typed("--night", plan, "-i", "LSSTCam", "-d", "R00_SW0", "--json", tmp_path / "out")
    lines = [json.loads(line) for line in said.splitlines()]
    assert code == 0
    assert [(line["obs_id"], line["detector"]) for line in lines] == [
        ("MC_O_20260217_000001", "R00_SW0"),
        ("MC_O_20260217_000002", "R00_SW0"),
    ]
    assert all(Path(line["path"]).is_file() for line in lines)


def test_a_raft_is_all_its_detectors(plan: Path) -> None:
    from rapid.cli.simulate import _chosen
    from rapid.simulation.plan import load_plan

    loaded = load_plan(plan)
    assert _chosen(loaded, "R22") == tuple(f"R22_S{i}{j}" for i in range(3) for j in range(3))
    assert _chosen(loaded, "R00") == ("R00_SG0", "R00_SG1", "R00_SW0", "R00_SW1")
    assert _chosen(loaded, "") == ()
    assert len(_chosen(loaded, "all")) == 205


def test_an_unknown_detector_is_refused(tmp_path: Path, plan: Path) -> None:
    code, _, said = typed("--night", plan, "--detectors", "R22_S11,R22_S33", tmp_path / "out")
    assert code == 2
    assert "LSSTCam has no detector or raft 'R22_S33'; it has R01_S00 to R44_SW1" in " ".join(said.split())
    assert not (tmp_path / "out").exists()


def test_the_plan_must_be_of_the_camera(tmp_path: Path, plan: Path) -> None:
    with pytest.raises(ConfigError, match=r"the plan .*plan.yaml is for LSSTCam, not LATISS"):
        typed("--night", plan, "--instrument", "LATISS", tmp_path / "out")


@pytest.mark.parametrize(
    ("camera", "name"), [("LSSTCam", "lsstcam"), ("LSSTComCam", "comcam"), ("LATISS", "night"), (None, "night")]
)
def test_every_camera_has_a_night(camera: str | None, name: str) -> None:
    from rapid.cli.simulate import plan_of

    assert plan_of(None, camera).name == name


def test_an_attended_night_begins_when_it_is_told_and_is_ready_by_then(
    tmp_path: Path, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = datetime.now(UTC) + timedelta(seconds=0.5)
    order: list[str] = []

    def simulate(*_: object, start: datetime, **__: object) -> list[object]:
        assert start == begin <= datetime.now(UTC)
        order.append("night")
        return []

    monkeypatch.setattr("rapid.simulation.night.get_ready", lambda *_: order.append("ready"))
    monkeypatch.setattr("rapid.cli.simulate._told_begin", lambda told=_told_begin: order.append("told") or told())
    monkeypatch.setattr("rapid.cli.simulate._end_with_input", lambda: None)  # it would end this process
    monkeypatch.setattr("rapid.simulation.night.simulate", simulate)
    assert typed("--night", plan, "--attended", tmp_path / "out", told=f"{begin.isoformat()}\n")[0] == 0
    assert order == ["ready", "told", "night"]


@pytest.mark.parametrize("told", ["", "now\n"])
def test_what_is_no_begin_is_refused(tmp_path: Path, plan: Path, told: str) -> None:
    with pytest.raises(ConfigError, match=f"expected a time on standard input, .* found '{told.strip()}'"):
        typed("--night", plan, "--attended", tmp_path / "out", told=told)
