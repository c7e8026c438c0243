"""Files on a disk, from the command and from Python: what is said, and what the exit code tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import calib_verify
from calib_verify.cli import main
from calib_verify.verdicts import Outcome
from calib_verify.verify import raw_files
from rapid.errors import NotAvailable
from rapid.simulation.single import simulate_detector
from tests.support.raws import edited_header, fewer_segments, with_hdus

Tell = Callable[..., tuple[int, str, str]]


def name(number: int) -> str:
    return f"AT_O_20260217_{number:06d}_R00_S00.fits"


@pytest.fixture(scope="module")
def raws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of two biases, of which one amplifier is dead in the second, and two flats."""
    place = tmp_path_factory.mktemp("raws")
    for number, kind in ((1, "bias"), (2, "bias"), (3, "flat"), (4, "flat")):
        dead = {"C04": 9000.0} if number == 2 else None
        readout = simulate_detector("LATISS", "R00_S00", kind=kind, number=number, dead=dead)
        (place / name(number)).write_bytes(readout.files().fits)
    return place


@pytest.fixture(scope="module")
def night(raws: Path) -> Path:
    """What was measured of it."""
    kept = raws.parent / "night.jsonl"
    from calib_verify.files import write_measurements

    write_measurements(kept, calib_verify.measure(raws))
    return kept


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Run the command; return its exit code and what it said."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["calib-verify", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_a_directory_is_judged(raws: Path, tell: Tell) -> None:
    code, out, _ = tell("judge", raws, "--json")
    report = json.loads(out)
    bias, flat = report["runs"]
    assert (code, report["outcome"]) == (1, "FAIL")
    assert (bias["kind"], bias["outcome"]) == ("bias", "FAIL")
    assert (flat["kind"], flat["outcome"]) == ("flat", "PASS")
    assert {(one["criterion"], one["amplifier"]) for one in bias["verdicts"]} >= {("READ_NOISE", "C04")}
    assert {one["amplifier"] for one in bias["verdicts"]} == {"C04"}
    assert [exposure["outcome"] for exposure in bias["exposures"]] == ["PASS", "FAIL"]
    assert {"PAIR_GAIN", "PAIR_NOISE"} <= set(flat["exposures"][0]["frames"][0]["not_applied"])
    assert not {"PAIR_GAIN", "PAIR_NOISE"} & set(flat["exposures"][1]["frames"][0]["not_applied"])


def test_it_is_judged_again_without_its_pixels(night: Path, tell: Tell) -> None:
    code, out, _ = tell("judge", night)
    assert code == 1
    assert "FAIL" in out
    assert "READ_NOISE R00_S00 C04" in out
    code, out, _ = tell("judge", night, "--policy", "lsst-compat", "--json")
    bias, flat = json.loads(out)["runs"]
    assert (code, bias["outcome"], flat["outcome"]) == (0, "PASS", "PASS")
    code, out, _ = tell("judge", night, "--policy", "lsst-compat", "--correct", "one-sided-noise", "--json")
    bias, _ = json.loads(out)["runs"]
    assert (code, bias["outcome"], bias["policy"]) == (4, "WARN", "lsst-compat/1-one-sided-noise")
    assert bias["accepted"]["bad_exposures"] == []


def test_a_waiver_and_a_baseline_are_used(night: Path, tmp_path: Path, tell: Tell) -> None:
    waivers, usual = tmp_path / "waivers.yaml", tmp_path / "usual.json"
    waivers.write_text(
        "- {instrument: LATISS, detector: R00_S00, amplifier: C04, owner: me, reason: its board is out,"
        " issued: 2026-01-01, expires: 2026-03-01}\n"
    )
    code, out, _ = tell("baseline", night, "-o", usual, "--name", "February")
    assert (code, out.startswith("February: ")) == (0, True)
    code, out, _ = tell("judge", night, "--waivers", waivers, "--json")
    assert (code, json.loads(out)["outcome"]) == (0, "WAIVED")
    code, out, _ = tell("judge", night, "--waivers", waivers, "--baseline", usual, "--json")
    assert json.loads(out)["runs"][1]["baseline"] == "February"
    code, out, _ = tell("waivers", waivers, "--on", "2026-02-01")
    assert (code, "yes" in out) == (0, True)
    code, out, _ = tell("waivers", waivers, "--on", "2026-03-02", "--json")
    assert (code, json.loads(out)[0]["holds"]) == (4, False)


def test_a_run_that_is_too_short_is_no_pass(night: Path, tmp_path: Path, tell: Tell) -> None:
    flats = tmp_path / "flats.jsonl"
    flats.write_text("".join(line for line in night.read_text().splitlines(keepends=True) if '"kind": "flat"' in line))
    assert tell("judge", flats)[0] == 0
    code, out, _ = tell("judge", flats, "--expected", "20")
    assert code == 3
    assert "2 of 20 exposures are there" in out


def test_measuring_says_what_was_measured(raws: Path, tmp_path: Path, tell: Tell) -> None:
    kept = tmp_path / "one.jsonl"
    code, out, _ = tell("measure", raws / name(1), "-o", kept)
    assert code == 0
    assert len(kept.read_text().splitlines()) == 1
    for word in ("AT_O_20260217_000001", "read_noise", "overscan_correlation", "C17", "electron"):
        assert word in out


def test_files_that_cannot_be_used(raws: Path, tmp_path: Path, tell: Tell) -> None:
    """One amplifier is missing, one file is cut, one is no calibration, one is no FITS."""
    good = (raws / name(1)).read_bytes()
    (tmp_path / name(1)).write_bytes(with_hdus(good, fewer_segments))
    (tmp_path / name(2)).write_bytes((raws / name(2)).read_bytes()[:1_000_000])
    (tmp_path / name(5)).write_bytes(edited_header(good, lambda header: header.set("IMGTYPE", "ENGTEST")))
    (tmp_path / "note.fits").write_text("not FITS\x1b[31m")
    code, out, _ = tell("judge", tmp_path, "--json")
    report = json.loads(out)
    assert (code, report["outcome"]) == (1, "FAIL")
    assert [(one["file"], "not a calibration" in one["reason"]) for one in report["skipped"]] == [
        ("AT_O_20260217_000001", True)
    ]
    assert all(run["outcome"] == "FAIL" for run in report["runs"])
    reasons = " ".join(verdict["reason"] for run in report["runs"] for verdict in run["verdicts"])
    assert "note.fits" in reasons
    assert name(1) in reasons
    code, out, _ = tell("judge", tmp_path)
    assert "\x1b[31m" not in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["judge", "nowhere.fits"], 5, "nowhere.fits: the file cannot be read"),
        (["judge", "nowhere.jsonl"], 5, "cannot be read"),
        (["judge", ".", "--policy", "best"], 2, "no such policy"),
        (["judge", "."], 2, "no raw files and no measurements in ."),
        (["policies", "best"], 2, "no such policy"),
        (["waivers", "nowhere.yaml"], 5, "cannot be read"),
        (["waivers", "nowhere.yaml", "--on", "soon"], 2, "expected a day as 2026-03-15; found 'soon'"),
        (["judge", "broken.jsonl"], 2, "broken.jsonl:1: not JSON"),
        (["judge", "other.jsonl"], 2, "other.jsonl:1: not measurements of a frame"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Tell, words: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if "jsonl" in words[-1] and "nowhere" not in words[-1]:
        (tmp_path / "broken.jsonl").write_text("{")
        (tmp_path / "other.jsonl").write_text("{}\n")
    ended, _, said = tell(*words)
    assert ended == code
    assert message in said
    assert said.startswith("calib-verify: ")


def test_policies_are_listed_and_shown_whole(tell: Tell) -> None:
    code, out, _ = tell("policies")
    assert (code, "standard" in out, "lsst-compat" in out) == (0, True, True)
    _, out, _ = tell("policies", "lsst-compat")
    for word in ("NOISE", "READ_NOISE_CONSISTENT", "one-sided-noise", "verifyBias.py"):
        assert word in out
    _, out, _ = tell("policies", "--json")
    assert {one["name"] for one in json.loads(out)} == {"standard", "lsst-compat"}


@pytest.mark.parametrize("command", ["measure", "judge", "baseline", "policies", "waivers"])
def test_help_teaches(tell: Tell, command: str) -> None:
    code, out, _ = tell(command, "--help")
    assert code == 0
    assert len(out.splitlines()) > 8
    assert "--json" in out or command == "baseline"


def test_the_whole_help_tells_the_exit_codes(tell: Tell) -> None:
    _, out, _ = tell("--help")
    assert "Exit codes: 0 PASS or WAIVED, 1 FAIL" in " ".join(out.split())


def test_directories_are_searched_for_raws_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    kept = ["night/MC_C_20260315_000001_R22_S11.fits", "night/MC_C_20260315_000002_R22_S11.fits.fz", "b.fits.gz"]
    for name in [*kept, "night/MC_C_20260315_000001_R00_SG0_guider.fits", "note.txt", "night/a.json"]:
        (tmp_path / name).touch()
    found = raw_files([tmp_path, tmp_path / kept[0]])
    assert {path.relative_to(tmp_path).as_posix() for path in found} == set(kept)
    assert len(found) == 3
    assert raw_files(str(tmp_path / "note.txt")) == [tmp_path / "note.txt"]


def test_python_has_the_same_verdict(raws: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    report = calib_verify.verify(
        [raws / name(1), raws / name(1)],
        policy="standard",
        progress=lambda path, done, of: seen.append((path.name, done, of)),
    )
    assert report.outcome is Outcome.PASS
    assert seen == [(name(1), 1, 1)]
    with pytest.raises(NotAvailable):
        calib_verify.verify(raws / "nowhere.fits")
