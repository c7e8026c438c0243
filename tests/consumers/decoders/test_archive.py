"""Where an archive begins, and what lies in it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.consumers.decoders import ANY_ARCHIVE, ArchivePlace
from rapid.consumers.decoders.archive import split_uri
from rapid.errors import BadMessage, ConfigError

PART = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.lists(PART, min_size=1, max_size=4).map("/".join))
def test_a_uri_is_split_as_it_was_put_together(name: str) -> None:
    assert split_uri(f"s3://raw/{quote(name)}") == ("raw", name)
    assert split_uri(f"file:///{quote(name)}") == ("", f"/{name}")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/data/a#b?c.fits", ("", "/data/a#b?c.fits")),
        ("LATISS/a#b?c.fits", (None, "LATISS/a#b?c.fits")),
        ("file://localhost/data/a.fits", ("", "/data/a.fits")),
        ("", (None, "")),
    ],
)
def test_a_plain_path_is_taken_as_it_is(uri: str, expected: tuple[str | None, str]) -> None:
    assert split_uri(uri) == expected


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://raw/a?versionId=1", "not a URI of an object; expected %3F for ? and %23 for #"),
        ("s3://raw/a#b", "not a URI of an object"),
        ("s3://raw/%FF", "not a URI; found"),
        ("//host/a", "not a place of an archive"),
        ("https://host/a", "not a place of an archive"),
    ],
)
def test_another_uri_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        split_uri(uri)
    assert reason in str(caught.value)


@pytest.mark.parametrize("url", ["", "data/raw", "memory:///x", "https://host/x", "s3://"])
def test_another_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="place of an archive"):
        ArchivePlace.of(url)


@settings(deadline=None)
@given(PART, st.lists(PART, min_size=1, max_size=4).map("/".join))
def test_keys_are_relative_to_the_prefix(prefix: str, name: str) -> None:
    place = ArchivePlace("raw", prefix)
    assert place.key_of("raw", f"{prefix}/{name}") == name
    assert place.key_of("tenant:raw", f"{prefix}/{name}") == name
    assert place.key_of("raw", f"{prefix}x/{name}") is None
    assert place.key_of("other", f"{prefix}/{name}") is None
    assert place.key_of(None, name) == name
    assert ANY_ARCHIVE.key_of("other", name) == name
