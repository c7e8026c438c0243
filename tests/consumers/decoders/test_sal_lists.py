"""SAL's lists between colons."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.consumers.decoders.sal_lists import join_list, split_list


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_characters="\\"), max_size=8), min_size=1).filter(
        lambda parts: parts != [""]
    )
)
def test_what_was_joined_is_split_again(parts: list[str]) -> None:
    assert split_list(join_list(tuple(parts))) == tuple(parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a:b", ("a", "b")),
        ("a::b:", ("a", "", "b", "")),
        (r"OBJECT:2026-01-13T05\:31\:02.417:0", ("OBJECT", "2026-01-13T05:31:02.417", "0")),
        (r"a\b:c\\d", (r"a\b", r"c\\d")),
        (r"\::\:", (":", ":")),
    ],
)
def test_a_list_is_split(text: str, parts: tuple[str, ...]) -> None:
    assert split_list(text) == parts
