"""What is found in a directory, and what is refused or passed over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rapid.consumers.scan import Seen, look_again, look_at, look_everywhere, passed_over
from rapid.errors import NotAvailable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


def write(root: Path, name: str | bytes, body: bytes = b"raw") -> Path:
    path = root / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, ns=(0, 1_700_000_000_000_000_001))
    return path


def test_raw_files_are_found_at_any_depth(root: Path) -> None:
    for name in ("a.fits", "LATISS/20240624/x/b.fits.fz", "n/c.fits.gz"):
        write(root, name)
    look = look_everywhere(root)
    assert look.files == {
        name: Seen(name, 3, 1_700_000_000_000_000_001)
        for name in ("a.fits", "LATISS/20240624/x/b.fits.fz", "n/c.fits.gz")
    }
    assert (look.refused, look.unread) == ({}, {})


@pytest.mark.parametrize(
    "name",
    [
        "a.json", "a.fit", "a.FITS", "fits", "a.fits.tmp", "a.fits.part", ".a.fits", ".snapshot/a.fits", "night.tmp/a.fits",
        "night.part/deep/a.fits", "a.fits~", "a.fits#1", "a.fits.bak", "not-utf8-\udcff.json", "new\nline.txt",
    ],
)  # fmt: skip
def test_what_is_no_raw_file_is_passed_over(root: Path, name: str) -> None:
    path = write(root, name)
    everywhere, here = look_everywhere(root), look_at(root, {str(path)})
    assert (everywhere.files, everywhere.refused) == ({}, {})
    assert (here.files, here.refused) == ({}, {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"not-utf8-\xff.fits", "printable characters"),
        (b"night-\xff/a.fits", "printable characters"),
        (b"new\nline.fits", "printable characters"),
        (b"escape\x1b[2J.fits", "printable characters"),
        (b"back\\slash.fits", "no backslash"),
        (b"/".join([b"d" * 200] * 5) + b"/" + b"n" * 50 + b".fits", "1 to 1024 characters; found 1060"),
    ],
)
def test_a_name_that_cannot_be_a_key_is_refused(root: Path, name: bytes, reason: str) -> None:
    path = write(root, name)
    for look in (look_everywhere(root), look_at(root, {str(path)})):
        assert look.files == {}
        assert list(look.refused) == [os.fsdecode(name)]
        assert reason in look.refused[os.fsdecode(name)]


def test_of_what_was_known_the_missing_is_gone(root: Path) -> None:
    write(root, "here.fits")
    write(root, b"refused-\xff.fits")
    known = {"here.fits", "gone.fits", "refused-\udcff.fits", "gone-\udcff.fits"}
    assert look_everywhere(root, known).gone == {"gone.fits", "gone-\udcff.fits"}
    assert look_everywhere(root).gone == set()


def test_links_that_lead_out_are_refused(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "outside/secret.fits")
    (root / "file.fits").symlink_to(tmp_path / "outside" / "secret.fits")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "nowhere.fits").symlink_to(tmp_path / "no" / "such.fits")
    (root / "harmless.txt").symlink_to("/etc/hostname")
    everywhere = look_everywhere(root)
    assert everywhere.files == {}
    assert set(everywhere.refused) == {"file.fits", "folder", "nowhere.fits"}
    assert all("a link leads out of the directory" in reason for reason in everywhere.refused.values())
    through = look_at(root, {str(root / "folder" / "secret.fits"), str(root / "file.fits")})
    assert (through.files, set(through.refused)) == ({}, {"file.fits"})


def test_links_inside_to_what_is_found_anyway_are_passed_over(root: Path) -> None:
    write(root, "night/a.fits")
    (root / "alias.fits").symlink_to(root / "night" / "a.fits")
    (root / "today").symlink_to(root / "night")
    (root / "endless").symlink_to(root)
    (root / "loop.fits").symlink_to(root / "loop.fits")
    (root / "dangling.fits").symlink_to(root / "nothing.fits")
    look = look_everywhere(root)
    assert set(look.files) == {"night/a.fits"}
    assert look.refused == {}
    paths = [root / "today" / "a.fits", root / "endless" / "alias.fits", root / "alias.fits"]
    assert look_at(root, {str(path) for path in paths}).files == {}


def test_links_to_raws_that_are_kept_under_a_hash_are_followed(root: Path) -> None:
    write(root, ".objects/12/ab.fits")
    write(root, "objects/3f2a")
    (root / "a.fits").symlink_to(root / ".objects" / "12" / "ab.fits")
    (root / "b.fits").symlink_to(root / "objects" / "3f2a")
    assert set(look_everywhere(root).files) == {"a.fits", "b.fits"}


def test_a_root_that_is_a_link_is_a_root(root: Path, tmp_path: Path) -> None:
    write(root, "night/a.fits")
    link = tmp_path / "current"
    link.symlink_to(root)
    assert set(look_everywhere(link).files) == {"night/a.fits"}
    assert set(look_at(link, {str(link / "night" / "a.fits")}).files) == {"night/a.fits"}


def test_what_is_no_regular_file_is_refused(root: Path) -> None:
    os.mkfifo(root / "pipe.fits")
    (root / "folder.fits").mkdir()
    look = look_everywhere(root)
    assert (look.files, list(look.refused)) == ({}, ["pipe.fits"])
    assert "expected a regular file" in look.refused["pipe.fits"]


def test_a_path_is_looked_at_with_all_below_it(root: Path) -> None:
    for name in ("a/1.fits", "a/b/2.fits", "c/3.fits"):
        write(root, name)
    look = look_at(root, {str(root / "a"), str(root / "c" / "3.fits"), str(root / "no.fits")})
    assert set(look.files) == {"a/1.fits", "a/b/2.fits", "c/3.fits"}
    assert (look.folders, look.gone) == ({"a"}, {"no.fits"})


def test_paths_elsewhere_are_not_looked_at(root: Path, tmp_path: Path) -> None:
    outside = write(tmp_path, "outside.fits")
    look = look_at(root, {str(outside), f"{root}/../outside.fits"})
    assert (look.files, look.refused, look.gone, look.folders) == ({}, {}, set(), set())


def test_the_root_itself_can_be_looked_at(root: Path) -> None:
    write(root, "a.fits")
    assert set(look_at(root, {str(root)}).files) == {"a.fits"}


def test_a_missing_root_is_not_available(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=r"the directory .*/no is not there"):
        look_everywhere(tmp_path / "no")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotAvailable, match="is not there"):
        look_everywhere(tmp_path / "file")


def test_a_directory_that_cannot_be_read_is_told_and_the_others_are_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "open/a.fits")
    write(root, "shut/b.fits")
    scan = os.scandir

    def guarded(path: Path) -> object:
        if path.name == "shut":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    look = look_everywhere(root)
    assert set(look.files) == {"open/a.fits"}
    assert look.unread == {"shut": "Permission denied"}


def test_looking_again_sees_the_change_or_nothing(root: Path) -> None:
    path = write(root, "a.fits")
    assert look_again(root, "a.fits") == Seen("a.fits", 3, 1_700_000_000_000_000_001)
    path.write_bytes(b"longer")
    changed = look_again(root, "a.fits")
    assert changed is not None
    assert changed.size == 6
    path.unlink()
    assert look_again(root, "a.fits") is None


def test_the_root_is_not_passed_over() -> None:
    assert not passed_over(".")
    assert passed_over("..x")
