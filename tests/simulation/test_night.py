"""A night on disk: its files, its pace, its truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from rapid.errors import ConfigError, NotAvailable, TruncatedFile
from rapid.processing.fits import read_raw
from rapid.processing.geometry import detectors
from rapid.simulation.night import SimulatedExposure, simulate
from rapid.simulation.pace import Pace
from rapid.simulation.plan import NightPlan
from tests.support.nights import AssembledExposure, read_assembled

DETECTOR = detectors("LATISS")["R00_S00"]

Find = Callable[..., list[SimulatedExposure]]


def plan_of(*sequences: dict[str, object]) -> NightPlan:
    return NightPlan.model_validate({"name": "x", "begins": "2024-06-24T22:30:00", "sequences": sequences})


BIASES = plan_of({"kind": "bias", "count": 2, "pause": 5})
MIXED = plan_of(
    {"kind": "bias", "count": 1},
    {
        "kind": "science",
        "count": 1,
        "exposure_time": 3,
        "filter": "SDSSr_65mm",
        "target": {"name": "a", "hour_angle": 0.5, "dec": -40, "magnitude": 9},
    },
)


class FakeClock:
    """Time passes only in `sleep`."""

    def __init__(self, begin: datetime) -> None:
        self.time = begin
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.time += max(timedelta(seconds=seconds), timedelta(microseconds=1))


# --- the files -----------------------------------------------------------------------------------------------------


def test_files_are_where_the_camera_puts_them(
    night: tuple[SimulatedExposure, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.getbasetemp() / "short_night"
    for exposure in night:
        assert exposure.key == f"LATISS/{exposure.day_obs}/{exposure.obs_id}/{exposure.obs_id}_R00_S00.fits"
        assert exposure.path == out / exposure.key
        assert exposure.path.stat().st_size == exposure.size
        assert exposure.truth == out / "truth" / "LATISS" / str(exposure.day_obs) / f"{exposure.obs_id}.json"
    found = {path for path in out.rglob("*") if path.is_file()}
    wanted = {p for e in night for p in (e.path, e.path.with_suffix(".json"), e.truth)}
    assert found == wanted
    assert [exposure.seq_num for exposure in night] == list(range(1, len(night) + 1))


@pytest.mark.parametrize("kind", ["bias", "dark", "flat", "science", "focus", "spectrum"])
def test_a_file_is_what_the_camera_writes(find: Find, kind: str) -> None:
    with fits.open(find(kind)[0].path, checksum=True, disable_image_compression=True) as hdus:
        hdus.verify("exception")
        names = ["PRIMARY", *(a.extname for a in DETECTOR.amplifiers), "REB_COND", "CONFIG_COND"]
        assert [hdu.name for hdu in hdus] == names
        for number, hdu in enumerate(hdus[1:17], start=1):
            header = hdu.header
            assert (header["ZCMPTYPE"], header["ZTILE1"], header["ZTILE2"]) == ("RICE_1", 576, 1)
            assert (header["ZVAL1"], header["ZVAL2"], header["ZBITPIX"]) == (32, 4, 32)
            assert (header["ZNAXIS1"], header["ZNAXIS2"], header["CHANNEL"]) == (576, 2048, number)
            assert header["TFORM1"].startswith("1PB(")
        for hdu in hdus[17:]:
            assert [hdu.header[card] for card in ("NAXIS1", "NAXIS2", "TFIELDS")] == [0, 0, 0]
        for hdu in hdus:
            assert hdu.verify_checksum() == 1
            assert hdu.verify_datasum() == 1


def test_images_are_32_bit_as_astropy_sees_them(find: Find) -> None:
    with fits.open(find("flat")[0].path, checksum=True) as hdus:
        for hdu in hdus[1:17]:
            assert hdu.data.shape == (2048, 576)
            assert hdu.data.dtype == np.dtype(">i4") or hdu.data.dtype == np.int32
            assert 0 <= hdu.data.min() < hdu.data.max() <= 262143


def test_the_core_reads_the_same_pixels(find: Find) -> None:
    exposure = find("science")[0]
    raw = read_raw(exposure.path.read_bytes(), name=exposure.path.name)
    with fits.open(exposure.path) as hdus:
        for number in (1, 9, 16):
            np.testing.assert_array_equal(raw.segments[number - 1], hdus[number].data)


def test_a_truncated_file_simply_ends(night: tuple[SimulatedExposure, ...]) -> None:
    (exposure,) = (e for e in night if "truncated_file" in e.incidents)
    assert exposure.size == exposure.path.stat().st_size < 0.7 * night[0].size
    with pytest.raises(TruncatedFile):
        read_raw(exposure.path.read_bytes(), name=exposure.path.name)
    assert json.loads(exposure.path.with_suffix(".json").read_text())["OBSID"] == exposure.obs_id
    assert json.loads(exposure.truth.read_text())["incidents"] == [{"kind": "truncated_file", "keep": 0.6}]


# --- the truth -----------------------------------------------------------------------------------------------------


def lonely_stars(exposure: AssembledExposure, *, at_least: float, apart: float) -> list[dict[str, float]]:
    """List stars of the truth that are bright, unsaturated, away from edges, amplifier borders and each other."""
    stars = exposure.truth["stars"]
    chosen = []
    for star in stars:
        inside = 120 < star["x"] < 3950 and 120 < star["y"] < 3880 and abs(star["y"] - 2000) > 120
        alone = all(
            np.hypot(star["x"] - other["x"], star["y"] - other["y"]) > apart or other["flux"] < 0.005 * star["flux"]
            for other in stars
            if other is not star
        )
        if inside and alone and star["flux"] > at_least and not star["saturated"]:
            chosen.append(star)
    return chosen


def photometry(image: np.ndarray, x: float, y: float, radius: float) -> tuple[float, float, float]:
    """Sum the light within a circle over the sky around it, and find its middle with a Gaussian weight."""
    half = int(radius * 2)
    i0, j0 = round(x) - half, round(y) - half
    cut = image[j0 : j0 + 2 * half + 1, i0 : i0 + 2 * half + 1]
    j, i = np.indices(cut.shape)
    r = np.hypot(i + i0 - x, j + j0 - y)
    cut = cut - np.median(cut[(r > 1.5 * radius) & (r < 2 * radius)])
    found_x, found_y = x, y
    for _ in range(8):
        weight = cut * np.exp(-((i + i0 - found_x) ** 2 + (j + j0 - found_y) ** 2) / (2 * 5.0**2))
        found_x += 2 * float((weight * (i + i0 - found_x)).sum() / weight.sum())
        found_y += 2 * float((weight * (j + j0 - found_y)).sum() / weight.sum())
    return float(cut[r < radius].sum()), found_x, found_y


@pytest.mark.parametrize("incidents", [(), ("clouds",)])
def test_stars_are_where_and_as_bright_as_the_truth_says(find: Find, incidents: tuple[str, ...]) -> None:
    exposure = read_assembled(find("science", *incidents)[0])
    first, second = (read_assembled(bias).image for bias in find("bias"))
    image = exposure.image - 0.5 * (first + second)
    radius, sky = 35.0, exposure.truth["sky"]
    stars = lonely_stars(exposure, at_least=2e4, apart=120.0)
    assert len(stars) >= 4
    scale = sky["fwhm_px"] / (2 * np.sqrt(2 ** (1 / sky["beta"]) - 1))
    inside = 1 - (1 + (radius / scale) ** 2) ** (1 - sky["beta"])
    pixel = 1.5 * 10.0**2 + sky["sky_electron_per_px"]  # read noise of this and of the mean bias
    for star in stars:
        flux, x, y = photometry(image, star["x"], star["y"], radius)
        error = np.sqrt(np.pi * radius**2 * pixel * 1.1 + star["flux"])
        assert flux == pytest.approx(star["flux"] * inside, abs=4 * error + 0.005 * star["flux"])
        centring = 1.5 * np.sqrt(np.pi * 10.0**2 * pixel) / star["flux"] * 10.0
        assert (x, y) == pytest.approx((star["x"], star["y"]), abs=4 * centring + 0.02)


def test_magnitudes_and_zero_point_give_the_flux(find: Find) -> None:
    for exposure in find("science") + find("science", "clouds"):
        truth = json.loads(exposure.truth.read_text())
        for star in truth["stars"][:20]:
            expected = (
                10 ** (-0.4 * (star["magnitude"] - truth["sky"]["zero_point"]))
                * truth["exposure_time"]
                * star["illumination"]
            )
            assert star["flux"] == pytest.approx(expected, rel=1e-3)


def test_clouds_take_their_share(find: Find) -> None:
    clear, cloudy = (json.loads(find("science", *incidents)[0].truth.read_text()) for incidents in ((), ("clouds",)))
    assert cloudy["sky"]["transmission"] == 0.35
    loss = clear["sky"]["zero_point"] - cloudy["sky"]["zero_point"]
    assert loss == pytest.approx(-2.5 * np.log10(0.35), abs=0.01)


def test_sky_level_is_that_of_the_truth(find: Find) -> None:
    exposure = read_assembled(find("science")[0])
    sample = exposure.image[500:1500, 100:4000]
    kept = sample[np.abs(sample - np.median(sample)) < 30]
    dark = 0.03 * exposure.truth["dark_time"]
    assert kept.mean() - dark == pytest.approx(exposure.truth["sky"]["sky_electron_per_px"], abs=0.4)


def test_stars_are_as_wide_as_the_truth_says(find: Find) -> None:
    for found in (find("science")[0], *find("focus")):
        exposure = read_assembled(found)
        star = max(lonely_stars(exposure, at_least=3e5, apart=60.0), key=lambda s: s["flux"])
        j, i = np.indices((101, 101)) - 50
        x, y = round(star["x"]), round(star["y"])
        cut = exposure.image[y - 50 : y + 51, x - 50 : x + 51]
        r = np.hypot(i + x - star["x"], j + y - star["y"])
        core = cut[r < 1.5].mean()
        above = np.count_nonzero(cut[r < 45] > core / 2)
        assert 2 * np.sqrt(above / np.pi) == pytest.approx(exposure.truth["sky"]["fwhm_px"], rel=0.08)


def test_focus_is_best_in_the_middle(find: Find) -> None:
    widths = [json.loads(exposure.truth.read_text())["sky"]["fwhm_px"] for exposure in find("focus")]
    assert widths[1] < 0.8 * min(widths[0], widths[2])


def test_a_saturated_star_is_said_to_be(find: Find) -> None:
    exposure = read_assembled(find("spectrum")[0])
    star = exposure.truth["stars"][0]
    assert star["saturated"]
    peak = exposure.image[round(star["y"]), round(star["x"])]
    assert peak > 140000
    assert (star["x"], star["y"]) == pytest.approx((2000, 700), abs=400)  # within the pointing error
    assert exposure.truth["spectrum"]["x0"] == pytest.approx(star["x"], abs=1e-3)


def test_pointing_error_is_in_the_pixels_and_not_in_the_header(find: Find) -> None:
    truth = json.loads(find("science")[0].truth.read_text())
    header = fits.getheader(find("science")[0].path)
    east, north = truth["sky"]["pointing_error_arcsec"]
    assert 1.0 < np.hypot(east, north) < 60.0
    assert (truth["sky"]["boresight_dec"] - header["DECSTART"]) * 3600 == pytest.approx(north, abs=1e-3)
    shift = (truth["sky"]["boresight_ra"] - header["RASTART"]) * 3600 * np.cos(np.radians(header["DECSTART"]))
    assert shift == pytest.approx(east, abs=1e-2)


def test_truth_of_amplifiers(night: tuple[SimulatedExposure, ...]) -> None:
    truth = json.loads(night[0].truth.read_text())
    for amplifier in DETECTOR.amplifiers:
        assert truth["amplifiers"][amplifier.name]["gain"] == amplifier.gain
        assert truth["amplifiers"][amplifier.name]["read_noise"] == amplifier.read_noise
    assert truth["stars"] == []
    assert truth["sky"] is None


# --- repeatability -------------------------------------------------------------------------------------------------


def contents(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): sha256(path.read_bytes()).hexdigest() for path in out.rglob("*") if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    simulate(MIXED, tmp_path / "a", seed=3)
    simulate(MIXED, tmp_path / "b", seed=3)
    simulate(MIXED, tmp_path / "c", seed=4)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert all(a[name] != c[name] for name in a)


def test_processes_change_nothing(tmp_path: Path) -> None:
    seen: list[str] = []
    simulate(MIXED, tmp_path / "one", seed=3)
    done = simulate(MIXED, tmp_path / "two", seed=3, processes=2, on_exposure=lambda e: seen.append(e.obs_id))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert seen == [exposure.obs_id for exposure in done] == ["AT_O_20240624_000001", "AT_O_20240624_000002"]


def test_another_start_is_another_night(tmp_path: Path) -> None:
    done = simulate(BIASES, tmp_path, seed=1, start=datetime(2025, 1, 2, 3, tzinfo=UTC))
    assert [e.obs_id for e in done] == [f"AT_O_20250101_{n:06d}" for n in (1, 2)]


# --- pace ----------------------------------------------------------------------------------------------------------


def test_in_real_time_a_file_is_complete_two_seconds_after_its_end(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC))
    done = simulate(BIASES, tmp_path, seed=1, pace=1.0, clock=clock)
    for exposure in done:
        header = fits.getheader(exposure.path)
        end = datetime.fromisoformat(header["DATE-END"]).replace(tzinfo=UTC) - timedelta(seconds=37)
        assert exposure.written_at - end == timedelta(seconds=2)
    assert done[0].begin == datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC)
    assert len(clock.slept) == 2


def test_a_night_may_go_faster(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC))
    start = datetime(2024, 6, 24, 22, 30, tzinfo=UTC)
    done = simulate(BIASES, tmp_path, seed=1, start=start, pace=10.0, clock=clock)
    assert done[0].begin == start
    for exposure in done:
        wall = exposure.written_at - datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC)
        assert wall * 10 - (exposure.complete - start) == pytest.approx(timedelta(0), abs=timedelta(microseconds=20))


def test_at_once_nobody_waits(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC))
    simulate(BIASES, tmp_path, seed=1, clock=clock)
    assert clock.slept == []


def test_exposures_are_made_ahead_of_their_time(tmp_path: Path) -> None:
    """While the first waits for its time, the others are made: their hidden files are there before it appears."""
    plan = plan_of({"kind": "bias", "count": 3, "overhead": 600, "pause": 600})
    hidden: list[int] = []

    def look(_: SimulatedExposure) -> None:
        hidden.append(len(list(tmp_path.rglob(".*.fits.part"))))

    simulate(
        plan, tmp_path, seed=1, pace=1.0, clock=FakeClock(datetime(2026, 11, 22, 18, tzinfo=UTC)), on_exposure=look
    )
    assert hidden == [2, 1, 0]


def test_a_second_night_on_a_day_goes_on_with_the_numbers(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC))
    first = simulate(BIASES, tmp_path, seed=1, pace=1.0, clock=clock)
    second = simulate(BIASES, tmp_path, seed=1, pace=1.0, clock=clock)
    assert [e.seq_num for e in first + second] == [1, 2, 3, 4]


def test_the_sidecar_is_there_before_the_file_and_nothing_hidden_stays(tmp_path: Path) -> None:
    def look(exposure: SimulatedExposure) -> None:
        sidecar = exposure.path.with_suffix(".json").stat()
        assert sidecar.st_ctime_ns <= exposure.path.stat().st_ctime_ns

    simulate(BIASES, tmp_path, seed=1, on_exposure=look)
    assert not list(tmp_path.rglob(".*"))


def test_who_breaks_off_leaves_nothing_half_done(tmp_path: Path) -> None:
    plan = plan_of({"kind": "bias", "count": 3, "overhead": 600, "pause": 600})

    def stop(_: SimulatedExposure) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(
            plan, tmp_path, seed=1, pace=1.0, clock=FakeClock(datetime(2026, 11, 22, 18, tzinfo=UTC)), on_exposure=stop
        )
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert len([name for name in names if name.endswith(".fits")]) == 1
    assert not [name for name in names if name.startswith(".")]


def test_pace_is_arithmetic() -> None:
    begin, wall = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    pace = Pace(2.0, begin, wall)
    assert pace.wait(begin + timedelta(seconds=60), wall) == 30.0
    assert pace.wait(begin + timedelta(seconds=60), wall + timedelta(seconds=40)) == -10.0
    assert replace(pace, factor=None).wait(begin + timedelta(days=1), wall) == 0.0


@pytest.mark.parametrize("pace", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_pace_is_refused(tmp_path: Path, pace: float) -> None:
    with pytest.raises(ConfigError, match="the pace is a positive factor"):
        simulate(BIASES, tmp_path, seed=1, pace=pace)


def test_no_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected at least 1 process; found 0"):
        simulate(BIASES, tmp_path, seed=1, processes=0)


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a seed of 0 or more; found -1"):
        simulate(BIASES, tmp_path, seed=-1)


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(NotAvailable, match=r"the simulated night cannot be written: .*file"):
        simulate(BIASES, tmp_path / "file", seed=1)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(path: Path, body: bytes) -> int:
        if len(body) > 1e6:
            raise OSError(28, "No space left on device")
        return write(path, body)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NotAvailable, match="No space left on device"):
        simulate(BIASES, tmp_path, seed=1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# --- catalogues ----------------------------------------------------------------------------------------------------


def field_plan(ra: float, dec: float) -> NightPlan:
    target = {"name": "field", "ra": ra, "dec": dec}
    plan = plan_of({"kind": "science", "count": 1, "exposure_time": 20, "filter": "SDSSr_65mm", "target": target})
    return plan.model_copy(update={"begins": datetime(2024, 11, 5, 4, 0, tzinfo=UTC)})


def test_stars_of_a_catalogue_are_drawn(tmp_path: Path) -> None:
    catalogue = tmp_path / "stars.csv"
    rows = [(53.40, -28.25, 13.0), (53.42, -28.23, 13.5), (53.37, -28.27, 14.0)]
    catalogue.write_text("ra,dec,mag\n" + "".join(f"{ra},{dec},{mag}\n" for ra, dec, mag in rows))
    (exposure,) = simulate(field_plan(53.40, -28.25), tmp_path / "out", seed=1, catalogue=catalogue)
    frame = read_assembled(exposure)
    assert sorted(star["ra"] for star in frame.truth["stars"]) == [53.37, 53.40, 53.42]
    for star in frame.truth["stars"]:
        flux, x, y = photometry(frame.image, star["x"], star["y"], 50.0)
        assert (x, y) == pytest.approx((star["x"], star["y"]), abs=0.15)
        assert flux == pytest.approx(star["flux"], rel=0.05)


def test_a_field_of_the_monster(tmp_path: Path, shared_data: Path) -> None:
    catalogue = shared_data / "refcats" / "the_monster" / "the_monster_20240904_147175.fits"
    (exposure,) = simulate(field_plan(53.40, -28.25), tmp_path, seed=1, catalogue=catalogue)
    truth = json.loads(exposure.truth.read_text())
    assert 30 < len(truth["stars"]) < 70


def test_a_catalogue_elsewhere_is_refused(tmp_path: Path) -> None:
    catalogue = tmp_path / "stars.csv"
    catalogue.write_text("ra,dec,mag\n10.0,10.0,12.0\n")
    with pytest.raises(ConfigError, match=r"stars.csv has no star in any field of the plan"):
        simulate(field_plan(53.40, -28.25), tmp_path / "out", seed=1, catalogue=catalogue)
    assert not (tmp_path / "out").exists()


def test_a_file_made_ahead_is_as_old_as_its_appearance(tmp_path: Path) -> None:
    """Latency is counted from the file's time, so that must not be when the simulation got round to making it."""
    plan = plan_of({"kind": "bias", "count": 2, "pause": 2.0})
    ages: list[float] = []
    simulate(
        plan, tmp_path, seed=1, pace=1.0, on_exposure=lambda one: ages.append(time.time() - one.path.stat().st_mtime)
    )
    assert len(ages) == 2
    assert max(ages) < 0.25
