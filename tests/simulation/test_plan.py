from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import ConfigError
from rapid.simulation.plan import NightPlan, builtin_plan, builtin_plans, load_plan
from rapid.simulation.schedule import READOUT, make_schedule

HEAD = "name: mine\nbegins: 2024-06-24T22:30:00\nsequences:\n"


def refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_plan(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_full_night_has_everything() -> None:
    planned = builtin_plan("night").exposures()
    kinds = [exposure.kind for exposure in planned]
    assert [kinds.count(kind) for kind in ("bias", "dark", "flat")] == [10, 5, 10]
    assert kinds.count("spectrum") >= 3
    assert kinds.count("focus") >= 7
    assert len({exposure.filter for exposure in planned if exposure.kind == "science"}) >= 3
    incidents = {incident.kind for exposure in planned for incident in exposure.incidents}
    assert incidents == {"clouds", "dead_amplifier", "truncated_file"}
    assert max(e.seeing for e in planned if e.target) > 1.5 * min(e.seeing for e in planned if e.target)


def test_the_demo_is_over_in_five_minutes() -> None:
    plan = builtin_plan("demo")
    night = make_schedule(plan.exposures(), plan.begins)
    assert 60 <= len(night) <= 80
    assert timedelta(minutes=4) < night[-1].complete - plan.begins < timedelta(minutes=6)
    assert max(exposure.plan.exposure_time for exposure in night) <= 5.0
    assert {i.kind for e in night for i in e.plan.incidents} == {"clouds", "dead_amplifier", "truncated_file"}


def test_the_short_night_has_each_kind() -> None:
    planned = builtin_plan("short").exposures()
    assert len(planned) <= 14
    assert {e.kind for e in planned} == {"bias", "dark", "flat", "science", "focus", "spectrum"}


@pytest.mark.parametrize("name", builtin_plans())
@pytest.mark.parametrize("hour", [0, 6, 12, 18])
def test_a_builtin_night_may_begin_at_any_time(name: str, hour: int) -> None:
    night = make_schedule(builtin_plan(name).exposures(), datetime(2026, 3, 1, hour, tzinfo=UTC))
    assert all(e.at_begin.elevation > 30 for e in night if e.at_begin)


def test_trends_and_incidents_are_laid_out(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        HEAD
        + """
  - kind: science
    count: 3
    exposure_time: 10
    filter: SDSSr_65mm
    overhead: 30
    pause: 2
    seeing: [2.0, 1.0]
    target: {name: here, ra: 210, dec: -30}
    incidents: [{kind: clouds, exposures: [2], transmission: 0.5}, {kind: dead_amplifier, amplifier: C00}]
"""
    )
    planned = load_plan(path).exposures()
    assert [e.seeing for e in planned] == [2.0, 1.5, 1.0]
    assert [e.wait for e in planned] == [30.0, 2.0, 2.0]
    assert [[i.kind for i in e.incidents] for e in planned] == [
        ["dead_amplifier"],
        ["clouds", "dead_amplifier"],
        ["dead_amplifier"],
    ]
    assert [(e.number, e.place, e.of) for e in planned] == [(1, 1, 3), (2, 2, 3), (3, 3, 3)]


SPECTRUM = "kind: spectrum, count: 1, exposure_time: 1, filter: empty_1"
STAR = "{name: a, dec: 1, ra: 2, magnitude: 8}"


@pytest.mark.parametrize(
    ("sequence", "complaint"),
    [
        ("{kind: bias}", "sequences[0].count: Field required"),
        ("{kind: bias, count: 0}", "sequences[0].count: Input should be greater than or equal to 1; found 0"),
        (
            "{kind: bias, count: 2, exposure_time: 3}",
            "sequences[0].exposure_time: Extra inputs are not permitted; found 3",
        ),
        (
            "{kind: arc, count: 2}",
            "sequences[0]: Input tag 'arc' found using 'kind' does not match any of the expected tags",
        ),
        ("{kind: dark, count: 1, exposure_time: long}", "sequences[0].exposure_time: Input should be a valid number"),
        (
            "{kind: flat, count: 1, exposure_time: 1, level: 9, filter: SDSSq}",
            "sequences[0].filter: no such filter: 'SDSSq'; known are",
        ),
        ("{kind: bias, count: 1, incidents: [{kind: hail}]}", "sequences[0].incidents[0]: Input tag 'hail'"),
        (
            "{kind: bias, count: 1, incidents: [{kind: clouds, transmission: 1.5}]}",
            "sequences[0].incidents[0].transmission: Input should be less than 1",
        ),
        (
            "{kind: bias, count: 1, incidents: [{kind: dead_amplifier, amplifier: C18}]}",
            "sequences[0].incidents[0].amplifier: no such amplifier: 'C18'",
        ),
        (
            "{kind: bias, count: 2, incidents: [{kind: truncated_file, exposures: [3]}]}",
            "incidents[0].exposures names exposure 3, the sequence has 2",
        ),
        (
            "{kind: science, count: 1, exposure_time: 1, filter: SDSSr_65mm, target: {name: a, dec: 1}}",
            "sequences[0].target: give either ra or hour_angle",
        ),
        (
            f"{{{SPECTRUM}, target: {{name: a, dec: 1, ra: 2}}}}",
            "sequences[0]: target.magnitude is needed",
        ),
        (
            f"{{{SPECTRUM}, focus: 0.1, target: {STAR}}}",
            "sequences[0]: focus must be 0",
        ),
        (
            f"{{{SPECTRUM}, disperser: ronchi, target: {STAR}}}",
            "sequences[0].disperser: no such disperser: 'ronchi'; known are holo4_003",
        ),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, sequence: str, complaint: str) -> None:
    assert complaint in refusal(tmp_path, f"{HEAD}  - {sequence}\n")


LSST = "instrument: LSSTCam\n" + HEAD


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            LSST + "  - {kind: flat, count: 1, exposure_time: 1, level: 9, filter: SDSSr_65mm}\n",
            "sequences[0].filter: LSSTCam has no SDSSr_65mm; it has u_24, g_6, r_57",
        ),
        (
            HEAD + "  - {kind: bias, count: 1}\n  - {kind: flat, count: 1, exposure_time: 1, level: 9, filter: r_57}\n",
            "sequences[1].filter: LATISS has no r_57; it has",
        ),
        (
            LSST + f"  - {{kind: spectrum, count: 1, exposure_time: 1, filter: r_57, target: {STAR}}}\n",
            "sequences[0].kind: LSSTCam has no disperser",
        ),
        (
            LSST + "  - {kind: bias, count: 1, incidents: [{kind: missing_detector, detector: R22_S33}]}\n",
            "LSSTCam has no such detector; expected R01_S00 ... R44_SW1; found 'R22_S33'",
        ),
        (
            "detectors: [R22_S11]\n" + HEAD + "  - {kind: bias, count: 1}\n",
            "LATISS has no such detector; expected R00_S00; found 'R22_S11'",
        ),
        (
            "effects: {crosstalk: 2}\n" + HEAD + "  - {kind: bias, count: 1}\n",
            "effects.crosstalk: Input should be less than or equal to 0.01; found 2",
        ),
    ],
)
def test_a_plan_is_held_to_its_camera(tmp_path: Path, text: str, complaint: str) -> None:
    assert complaint in refusal(tmp_path, text)


def test_the_night_of_lsstcam_has_what_goes_wrong_with_detectors() -> None:
    plan = builtin_plan("lsstcam")
    incidents = {incident.kind for exposure in plan.exposures() for incident in exposure.incidents}
    assert incidents == {"missing_detector", "dead_amplifier", "dead_detector", "clouds", "truncated_file"}
    assert {exposure.filter for exposure in plan.exposures() if exposure.kind == "bias"} == {"r_57"}


def test_every_wrong_field_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, f"{HEAD}  - {{kind: bias, count: -1}}\n  - {{kind: dark, count: 1}}\ncolour: red\n")
    assert [line.split(": ")[1] for line in message.splitlines()] == [
        "sequences[0].count",
        "sequences[1].exposure_time",
        "colour",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: [", "not YAML"),
        ("- 1\n- 2\n", "expected a mapping with name, begins and sequences; found list"),
        ("", "expected a mapping with name, begins and sequences; found NoneType"),
        ("name: a\nbegins: soon\nsequences: [{kind: bias, count: 1}]\n", "begins: Input should be a valid datetime"),
        ("name: a\nbegins: 2024-01-01T00:00:00\nsequences: []\n", "sequences: Tuple should have at least 1 item"),
        (f"instrument: DECam\n{HEAD}  - {{kind: bias, count: 1}}\n", "instrument: Input should be 'LATISS', 'LSSTCam'"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    assert complaint in refusal(tmp_path, text)


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_plan(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_plan(tmp_path / "binary.yaml")


def test_an_unknown_builtin_plan_lists_those_there_are() -> None:
    with pytest.raises(
        ConfigError,
        match="no plan is called 'nite'; those that come with the package are comcam, demo, lsstcam, night, short",
    ):
        builtin_plan("nite")


@given(st.lists(st.tuples(st.integers(1, 4), st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=5))
def test_exposures_never_overlap(runs: list[tuple[int, float, float]]) -> None:
    sequences = [{"kind": "dark", "count": n, "exposure_time": seconds, "overhead": wait} for n, seconds, wait in runs]
    plan = NightPlan.model_validate({"name": "x", "begins": "2024-06-24T22:30:00", "sequences": sequences})
    night = make_schedule(plan.exposures(), plan.begins)
    assert night[0].begin >= plan.begins
    for before, after in pairwise(night):
        assert after.begin >= before.end + READOUT
        assert after.seq_num == before.seq_num + 1
