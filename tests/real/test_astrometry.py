"""Reference catalogues and astrometry on real stars, against numbers that others found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from scipy.spatial import KDTree

from rapid.processing.astrometry import Astrometry, Detections, search_cone, solve
from rapid.processing.geometry import detectors
from rapid.processing.refcat import ReferenceCatalogue
from rapid.processing.refcat.places import in_polygon, separation
from rapid.processing.wcs import Wcs, boresight_wcs
from rapid.refcat import ingest, open_catalogue, read_table, recognise


@pytest.fixture(scope="session")
def golden(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "golden.json").read_text())
    return found


@pytest.fixture(scope="session")
def monster(shared_data: Path, golden: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> ReferenceCatalogue:
    place = tmp_path_factory.mktemp("monster") / "catalogue"
    ingest([shared_data / golden["monster"]["file"]], place, rows_of_a_shard=300)
    return open_catalogue(place)


@pytest.fixture(scope="session")
def sdss(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ReferenceCatalogue:
    place = tmp_path_factory.mktemp("sdss") / "catalogue"
    ingest(sorted((shared_data / "refcats/sdss_cfht_d3").glob("90*.fits")), place, rows_of_a_shard=3000)
    return open_catalogue(place)


@pytest.fixture(scope="session")
def megacam(shared_data: Path) -> Detections:
    """Sources in one chip of a MegaCam exposure."""
    table = fits.getdata(shared_data / "refcats/sdss_cfht_d3/v695833-e0-c000.xy.fits")
    names = ("Centroid_x", "Centroid_y", "base_PsfFlux_instFlux")
    return Detections(*(np.asarray(table[name], dtype=np.float64) for name in names))


# --- the_monster -----------------------------------------------------------------------------------------------------


def test_the_monster_is_taken_in_whole(monster: ReferenceCatalogue, golden: dict[str, Any]) -> None:
    said = golden["monster"]
    assert monster.manifest.rows == said["rows"]
    assert monster.manifest.epochs == pytest.approx((2016.0, 2016.0), abs=1e-5)
    assert {"gaia_g", "latiss_r", "lsst_u"} <= set(monster.manifest.bands)
    inside = monster.polygon(said["vertices_deg"], year=2016.0)
    assert not inside.faults
    # stars on the very edge of the triangle fall on either side of vertices rounded to 0.04 arcsec
    assert len(inside.stars) == pytest.approx(said["rows"], abs=2)


@pytest.mark.parametrize(
    ("instrument", "name", "key"),
    [("LATISS", "R00_S00", "stars_in_latiss_field"), ("LSSTCam", "R22_S11", "stars_in_lsstcam_ccd")],
)
def test_star_counts_of_the_suggested_field(
    monster: ReferenceCatalogue, golden: dict[str, Any], instrument: str, name: str, key: str
) -> None:
    """The counts were made in boxes of 6.5 and 13.7 arcmin at an unspoken rotation: the detector differs by its rim."""
    corners = boresight_wcs(detectors(instrument)[name], *golden["monster"]["suggested_centre_deg"], 0.0).footprint
    found = monster.polygon(corners, year=2016.0)
    assert len(found.stars) == pytest.approx(golden["monster"][key], rel=0.06)


def test_the_monster_and_gaia_agree(shared_data: Path, monster: ReferenceCatalogue) -> None:
    table = shared_data / "refcats/the_monster/gaia_dr3_147175.fits"
    gaia = recognise(read_table(table.read_bytes(), name=table.name))
    ours = monster.cone(53.4, -28.25, 1.5, year=2016.0).stars
    order = np.argsort(ours.id)
    found = order[np.searchsorted(ours.id[order], gaia.id)]
    np.testing.assert_array_equal(ours.id[found], gaia.id)
    np.testing.assert_allclose(ours.magnitudes["gaia_g"][found], gaia.magnitudes["gaia_g"], atol=1e-4)
    np.testing.assert_array_equal(ours.pm_ra[found], gaia.pm_ra)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("instrument", "name"), [("LATISS", "R00_S00"), ("LSSTCam", "R22_S11"), ("LSSTCam", "R22_S01")]
)
def test_real_stars_are_recognised(monster: ReferenceCatalogue, instrument: str, name: str, seed: int) -> None:
    """Real stars to the 19th magnitude at the epoch of 2026, half of the detections spurious, pointing off by 2.5 arcmin."""
    chance = np.random.default_rng([seed, len(name)])
    detector = detectors(instrument)[name]
    rotator = 360.0 * chance.random()
    middle = boresight_wcs(detector, 53.4, -28.25, rotator).centre
    boresight = (
        53.4 + 53.4 - middle[0],
        -28.25 - 28.25 - middle[1],
    )  # so that the detector is about the middle of the shard
    said = boresight_wcs(detector, *boresight, rotator)
    true = said.moved(boresight[0] + 0.03, boresight[1] - 0.03, rotation=float(chance.uniform(-2.0, 2.0)))
    stars = monster.cone(*search_cone(said), year=2026.0).stars
    x, y = true.sky_to_pixel(stars.ra, stars.dec)
    seen = true.contains(stars.ra, stars.dec) & (stars.magnitudes["gaia_g"] < 19.5)
    n = int(seen.sum())
    flux = 10.0 ** (-0.4 * stars.magnitudes["gaia_g"][seen].astype(np.float64))
    found = solve(
        Detections(
            np.concatenate([x[seen] + chance.normal(0.0, 0.2, n), chance.random(n) * detector.width]),
            np.concatenate([y[seen] + chance.normal(0.0, 0.2, n), chance.random(n) * detector.height]),
            np.concatenate([flux, chance.permutation(flux)]),
        ),
        stars,
        said,
    )
    assert not found.reason
    assert separation(np.array([found.ra]), np.array([found.dec]), *true.centre)[0] * 3600.0 < 0.1
    assert found.n_matches > 0.9 * n


# --- CFHT and SDSS ---------------------------------------------------------------------------------------------------


def megacam_wcs(ra: float, dec: float, *, rotation: float = 0.0) -> Wcs:
    """A chip of MegaCam as one would guess it: 0.185 arcsec, x along right ascension, y against declination."""
    scale = 0.185 / 3600.0
    return Wcs(ra, dec, 1023.5, 2305.0, np.diag([scale, -scale]), (4611, 2048)).moved(ra, dec, rotation=rotation)


def check(found: Astrometry, sources: Detections, stars: Any, golden: dict[str, Any]) -> None:
    """Compare with what was found for the same two lists: 272 matches within 2.5 pixels, 244 within 1.5, 0.13 arcsec."""
    assert not found.reason
    assert found.wcs is not None
    assert found.degree >= 2
    apart = separation(np.array([found.ra]), np.array([found.dec]), *golden["centre_deg"])[0] * 3600.0
    assert apart < 0.6, "the centre is said to four digits and not to the pixel"
    assert found.scale == pytest.approx(golden["scale_arcsec"], rel=2e-3), "it changes by 0.9 % over the chip"
    x, y = found.wcs.sky_to_pixel(stars.ra, stars.dec)
    near = np.isfinite(x)
    distance, _ = KDTree(np.stack([x[near], y[near]], axis=-1)).query(np.stack([sources.x, sources.y], axis=-1))
    assert (distance < 2.5).sum() >= golden["matched_2p5px"] - 2
    assert (distance < 1.5).sum() >= golden["matched_1p5px"] - 2
    rms = found.scale * float(np.sqrt((distance[distance < 1.5] ** 2).mean()))
    assert rms < golden["rms_arcsec"] + 0.005
    assert found.n_matches >= golden["matched_1p5px"]
    assert found.rms_ra < 0.12
    assert found.rms_dec < 0.12


def test_cfht_is_found_in_the_whole_catalogue(
    sdss: ReferenceCatalogue, megacam: Detections, golden: dict[str, Any]
) -> None:
    """Nothing is known but the middle of the catalogue: a degree of sky and 15 000 stars and galaxies are searched."""
    said = golden["cfht_sdss"]
    stars = sdss.cone(215.6, 53.1, 1.0, year=2004.0).stars
    assert len(stars) == 15083
    assert len(megacam.x) == said["detections"]
    check(solve(megacam, stars, megacam_wcs(215.6, 53.1), max_offset=1800.0), megacam, stars, said)


@pytest.mark.parametrize("rotation", [-1.95, 0.7, 1.95])
@pytest.mark.parametrize("offset", [(0.08, 0.0), (-0.05, 0.03), (0.03, -0.045)])
def test_cfht_from_a_boresight_that_is_off(
    sdss: ReferenceCatalogue, megacam: Detections, golden: dict[str, Any], rotation: float, offset: tuple[float, float]
) -> None:
    said = golden["cfht_sdss"]
    ra, dec = said["centre_deg"]
    wcs = megacam_wcs(ra + offset[0], dec + offset[1], rotation=rotation)
    stars = sdss.cone(*search_cone(wcs), year=2004.0).stars
    found = solve(megacam, stars, wcs)
    check(found, megacam, stars, said)
    assert found.rotation == pytest.approx(-rotation, abs=0.2)


def test_cfht_in_another_part_of_the_sky_is_not_found(sdss: ReferenceCatalogue, megacam: Detections) -> None:
    """Real galaxies and stars cluster, and still no wrong solution comes of a field ten arcmin away."""
    for offset in (0.18, -0.18, 0.25, -0.3):
        wcs = megacam_wcs(215.5938, 53.0688 + offset)
        found = solve(megacam, sdss.cone(*search_cone(wcs), year=2004.0).stars, wcs)
        assert found.reason


def test_the_shard_of_the_monster_is_the_triangle_it_says(shared_data: Path, golden: dict[str, Any]) -> None:
    said = golden["monster"]
    stars = recognise(read_table((shared_data / said["file"]).read_bytes(), name="monster"))
    assert in_polygon(stars.ra, stars.dec, np.array(said["vertices_deg"])).mean() > 0.998
