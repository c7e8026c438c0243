"""The catalogue that a worker keeps open: one made anew under it is used from the next exposure on."""

from __future__ import annotations

import shutil
from pathlib import Path

import hpgeom
import numpy as np
import pytest

from rapid import study
from rapid.errors import NotAvailable
from rapid.processing.refcat import MANIFEST_NAME, Manifest, Shard, encode_manifest, encode_shard, shard_name
from rapid.processing.refcat.shards import digest
from rapid.study import _LazyCatalogue  # what a task's frame is compared with
from tests.support.fields import references_at

RA, DEC, RADIUS = 10.0, 20.0, 8.0


def make(place: Path, *, level: int, n: int, seed: int) -> None:
    """Write a catalogue of stars spread over the field."""
    chance = np.random.default_rng(seed)
    stars = references_at(RA + chance.uniform(-4, 4, n), DEC + chance.uniform(-4, 4, n))
    pixels = hpgeom.angle_to_pixel(2**level, stars.ra, stars.dec)
    shards = {}
    for pixel in map(int, np.unique(pixels)):
        content = encode_shard(stars.chosen(pixels == pixel))
        path = place / shard_name(level, pixel)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        shards[pixel] = Shard(int((pixels == pixel).sum()), len(content), digest(content))
    epochs = (float(stars.epoch.min()), float(stars.epoch.max()))
    (place / MANIFEST_NAME).write_bytes(encode_manifest(Manifest("test", level, epochs, ("r",), (), shards)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    study._opened_catalogue.cache_clear()
    place = tmp_path / "catalogue"
    make(place, level=4, n=300, seed=1)
    return place


def opened(place: Path) -> _LazyCatalogue:
    return _LazyCatalogue(str(place), ())


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the names that are read from now on."""
    names: list[str] = []
    read = study.read

    def recorded(url: str, key: str, options: dict[str, str]) -> bytes:
        names.append(key)
        return read(url, key, options)

    monkeypatch.setattr(study, "read", recorded)
    return names


@pytest.mark.parametrize("level", [4, 3])
def test_a_catalogue_made_anew_is_used_without_a_restart(place: Path, level: int) -> None:
    near = opened(place).cone(RA, DEC, 0.5, year=2016.0)  # some shards are kept, others were never read
    assert not near.faults
    shutil.rmtree(place)
    make(place, level=level, n=500, seed=2)
    found = opened(place).cone(RA, DEC, RADIUS, year=2016.0)
    assert found.faults == ()
    assert len(found.stars) == 500


def test_damage_that_stays_is_told_and_the_manifest_read_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(opened(place).cone(RA, DEC, 0.5, year=2016.0).stars) < 300
    broken, *others = sorted(path for path in place.rglob("*.parquet"))
    broken.write_bytes(b"nothing")
    names = reads(monkeypatch)
    found = opened(place).cone(RA, DEC, RADIUS, year=2016.0)
    assert len(found.faults) == 1
    assert f"{broken.name}: the shard is damaged" in found.faults[0]
    assert 0 < len(found.stars) < 300
    assert names.count(MANIFEST_NAME) == 1
    assert all(names.count(str(path.relative_to(place))) <= 1 for path in others), "the sound ones are kept"


def test_a_sound_catalogue_is_opened_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = reads(monkeypatch)
    for _ in range(3):
        assert not opened(place).cone(RA, DEC, RADIUS, year=2016.0).faults
    assert names.count(MANIFEST_NAME) == 1


def test_without_its_manifest_the_shards_that_are_kept_still_serve(place: Path) -> None:
    whole = opened(place).cone(RA, DEC, RADIUS, year=2016.0)
    assert len(whole.stars) == 300
    shutil.rmtree(place)
    place.mkdir()
    assert len(opened(place).cone(RA, DEC, RADIUS, year=2016.0).stars) == 300
    study._opened_catalogue.cache_clear()
    with pytest.raises(NotAvailable):
        opened(place).cone(RA, DEC, RADIUS, year=2016.0)
    make(place, level=3, n=10, seed=3)
    assert len(opened(place).cone(RA, DEC, RADIUS, year=2016.0).stars) == 10


def test_a_shard_that_went_with_the_manifest_is_a_fault(place: Path) -> None:
    assert not opened(place).cone(RA, DEC, 0.5, year=2016.0).faults
    shutil.rmtree(place)
    place.mkdir()
    found = opened(place).cone(RA, DEC, RADIUS, year=2016.0)
    assert found.faults
    assert len(found.stars) > 0


def test_a_manifest_that_made_the_question_fail_is_read_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = study.ReferenceCatalogue
    cone, asked = catalogue.cone, []

    def failing_first(self: study.ReferenceCatalogue, *args: float, year: float) -> study.Selection:
        asked.append(self)
        if len(asked) == 1:
            gone = "gone"
            raise NotAvailable(gone)
        return cone(self, *args, year=year)

    monkeypatch.setattr(catalogue, "cone", failing_first)
    assert len(opened(place).cone(RA, DEC, RADIUS, year=2016.0).stars) == 300
    assert len(asked) == 2
    assert asked[0] is not asked[1]
