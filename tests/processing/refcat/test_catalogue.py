"""A query gives all stars of the field and no others, from the shards it touches only, and lives with damaged ones."""

from __future__ import annotations

from collections.abc import Iterable

import healpy
import hpgeom
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.errors import BadFile, InputError, NotAvailable
from rapid.processing.refcat import (
    Manifest,
    ReferenceCatalogue,
    References,
    Shard,
    encode_shard,
    separation,
    shard_name,
)
from rapid.processing.refcat.places import in_polygon
from rapid.processing.refcat.shards import digest
from tests.support.fields import references_at

LEVEL = 3
N = 6000


class Shelf:
    """Contents by name, which counts what was fetched."""

    def __init__(self, stars: References, level: int = LEVEL) -> None:
        pixels = hpgeom.angle_to_pixel(2**level, stars.ra, stars.dec)
        self.contents = {int(pixel): encode_shard(stars.chosen(pixels == pixel)) for pixel in np.unique(pixels)}
        self.by_name = {shard_name(level, pixel): content for pixel, content in self.contents.items()}
        shards = {
            pixel: Shard(int((pixels == pixel).sum()), len(content), digest(content))
            for pixel, content in self.contents.items()
        }
        epochs = (float(stars.epoch.min()), float(stars.epoch.max()))
        self.manifest = Manifest("test", level, epochs, ("r",), (), shards)
        self.fetched: list[str] = []

    def fetch(self, name: str) -> bytes:
        self.fetched.append(name)
        if name not in self.by_name:
            raise NotAvailable(f"{name}: gone")
        return self.by_name[name]


def sphere(n: int = N, **columns: np.ndarray) -> References:
    chance = np.random.default_rng(1)
    ra, dec = 360.0 * chance.random(n), np.degrees(np.arcsin(chance.uniform(-1.0, 1.0, n)))
    return references_at(ra, dec, **columns)


SKY = sphere()
SHELF = Shelf(SKY)
CATALOGUE = ReferenceCatalogue(SHELF.manifest, SHELF.fetch)


def ids(values: Iterable[int]) -> list[int]:
    return sorted(int(value) for value in values)


@settings(max_examples=60, deadline=None)
@given(
    ra=st.floats(-10.0, 370.0),
    dec=st.one_of(st.floats(-90.0, 90.0), st.sampled_from([-90.0, 90.0])),
    radius=st.floats(0.01, 40.0),
)
def test_a_cone_has_all_its_stars_and_no_others(ra: float, dec: float, radius: float) -> None:
    found = CATALOGUE.cone(ra, dec, radius, year=2026.0)
    expected = separation(SKY.ra, SKY.dec, ra, dec) <= radius
    assert ids(found.stars.id) == ids(np.flatnonzero(expected))
    assert found.faults == ()


@settings(max_examples=40, deadline=None)
@given(ra=st.floats(0.0, 360.0), dec=st.floats(-90.0, 90.0), size=st.floats(0.1, 20.0), turn=st.floats(0.0, 360.0))
def test_a_polygon_has_all_its_stars_and_no_others(ra: float, dec: float, size: float, turn: float) -> None:
    rotated = square(ra, dec, size, turn)
    found = CATALOGUE.polygon(rotated, year=2026.0)
    assert ids(found.stars.id) == ids(np.flatnonzero(in_polygon(SKY.ra, SKY.dec, rotated)))


def square(ra: float, dec: float, size: float, turn: float) -> np.ndarray:
    """Corners of a square of a half diagonal [deg], turned, about a place."""
    rotator = healpy.Rotator(rot=(ra, dec, turn), inv=True)
    angle = np.radians(size)
    vectors = [(np.cos(angle), np.sin(angle) * c, np.sin(angle) * s) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    lon, lat = healpy.vec2ang(np.array([rotator(vector) for vector in vectors]), lonlat=True)
    return np.stack([lon, lat], axis=-1)


def test_pixels_are_those_of_healpix() -> None:
    np.testing.assert_array_equal(
        hpgeom.angle_to_pixel(2**LEVEL, SKY.ra, SKY.dec),
        healpy.ang2pix(2**LEVEL, SKY.ra, SKY.dec, nest=True, lonlat=True),
    )


def test_only_the_shards_that_are_touched_are_read() -> None:
    shelf = Shelf(SKY)
    ra, dec = hpgeom.pixel_to_angle(2**LEVEL, 200)
    catalogue = ReferenceCatalogue(shelf.manifest, shelf.fetch)
    catalogue.cone(float(ra), float(dec), 0.5, year=2026.0)
    assert shelf.fetched == [shard_name(LEVEL, 200)]
    catalogue.polygon([(ra - 1, dec), (ra, dec + 1), (ra + 1, dec), (ra, dec - 1)], year=2026.0)
    assert shelf.fetched == [shard_name(LEVEL, 200)], "kept from the first query"


def test_memory_of_the_shards_kept_is_bounded() -> None:
    shelf = Shelf(SKY)
    one = ReferenceCatalogue(shelf.manifest, shelf.fetch).shard(0).nbytes
    catalogue = ReferenceCatalogue(shelf.manifest, shelf.fetch, cache_bytes=4 * one)
    for pixel in range(40):
        catalogue.shard(pixel)
        assert catalogue.cached_bytes <= 4 * one
    assert catalogue.cached_bytes > one
    shelf.fetched.clear()
    catalogue.shard(39)
    assert not shelf.fetched
    catalogue.shard(0)
    assert shelf.fetched


def test_the_shard_used_last_stays_longest() -> None:
    shelf = Shelf(SKY)
    sizes = [ReferenceCatalogue(shelf.manifest, shelf.fetch).shard(pixel).nbytes for pixel in (0, 1, 2)]
    catalogue = ReferenceCatalogue(shelf.manifest, shelf.fetch, cache_bytes=sum(sizes) - 1)
    for pixel in (0, 1, 0, 2):
        catalogue.shard(pixel)
    shelf.fetched.clear()
    catalogue.shard(0)
    assert not shelf.fetched
    catalogue.shard(1)
    assert len(shelf.fetched) == 1


def test_a_shard_too_large_for_the_cache_is_used_and_not_kept() -> None:
    catalogue = ReferenceCatalogue(SHELF.manifest, SHELF.fetch, cache_bytes=10)
    assert len(catalogue.shard(5)) > 0
    assert catalogue.cached_bytes == 0


def test_damage_costs_the_stars_of_its_shard_only() -> None:
    shelf = Shelf(SKY)
    ra, dec = (float(corner[0]) for corner in hpgeom.boundaries(2**LEVEL, 200, 1))
    touched = [int(pixel) for pixel in hpgeom.query_circle(2**LEVEL, ra, dec, 2.0, inclusive=True)]
    broken, gone, *_ = touched
    content = shelf.by_name[shard_name(LEVEL, broken)]
    shelf.by_name[shard_name(LEVEL, broken)] = content[:-1] + bytes([content[-1] ^ 255])
    del shelf.by_name[shard_name(LEVEL, gone)]
    catalogue = ReferenceCatalogue(shelf.manifest, shelf.fetch)

    found = catalogue.cone(ra, dec, 2.0, year=2026.0)
    assert len(found.faults) == 2
    assert any(f"Npix{broken}.parquet: the shard is damaged" in fault for fault in found.faults)
    assert any(f"Npix{gone}.parquet: gone" in fault for fault in found.faults)
    pixels = hpgeom.angle_to_pixel(2**LEVEL, SKY.ra, SKY.dec)
    whole = (separation(SKY.ra, SKY.dec, ra, dec) <= 2.0) & ~np.isin(pixels, [broken, gone])
    assert ids(found.stars.id) == ids(np.flatnonzero(whole))
    with pytest.raises(BadFile, match="damaged"):
        catalogue.shard(broken)


def test_a_star_that_left_its_shard_is_found() -> None:
    """Barnard's star moves a degree in 350 years: asked for at another epoch it is in another pixel."""
    ra, dec = (np.array([float(v)]) for v in (np.atleast_1d(269.45)[0], 4.69))
    star = references_at(ra, dec, pm_ra=np.array([-802.0]), pm_dec=np.array([10362.0]), epoch=np.array([2016.0]))
    shelf = Shelf(star, level=9)
    catalogue = ReferenceCatalogue(shelf.manifest, shelf.fetch)
    there = star.at(2116.0)
    assert hpgeom.angle_to_pixel(512, there.ra, there.dec) != hpgeom.angle_to_pixel(512, ra, dec)
    found = catalogue.cone(float(there.ra[0]), float(there.dec[0]), 0.001, year=2116.0)
    assert len(found.stars) == 1
    assert found.stars.epoch[0] == 2116.0
    assert len(catalogue.cone(float(ra[0]), float(dec[0]), 0.001, year=2116.0).stars) == 0


def test_a_field_without_stars() -> None:
    shelf = Shelf(references_at(np.array([10.0]), np.array([10.0])))
    found = ReferenceCatalogue(shelf.manifest, shelf.fetch).cone(200.0, -60.0, 1.0, year=2026.0)
    assert len(found.stars) == 0
    assert shelf.fetched == []


@pytest.mark.parametrize(
    ("cone", "year"),
    [
        ((np.nan, 0.0, 1.0), 2026.0),
        ((0.0, 91.0, 1.0), 2026.0),
        ((0.0, 0.0, 0.0), 2026.0),
        ((0.0, 0.0, 91.0), 2026.0),
        ((0.0, 0.0, 1.0), np.nan),
    ],
)
def test_what_is_no_cone_is_refused(cone: tuple[float, float, float], year: float) -> None:
    with pytest.raises(InputError, match="not a cone on the sky; expected degrees, radius up to 90; found ra"):
        ReferenceCatalogue(SHELF.manifest, SHELF.fetch).cone(*cone, year=year)


@pytest.mark.parametrize(
    "corners", [[(0.0, 0.0)] * 2, [0.0, 1.0, 2.0], [(0.0, 0.0), (1.0, np.nan), (1.0, 1.0)], [(0.0, 95.0)] * 3]
)
def test_what_is_no_polygon_is_refused(corners: object) -> None:
    with pytest.raises(InputError, match="not a polygon on the sky; expected three or more"):
        ReferenceCatalogue(SHELF.manifest, SHELF.fetch).polygon(corners, year=2026.0)
