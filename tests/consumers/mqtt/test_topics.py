"""What may be read, and what is said when it may not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiomqtt import Topic
from hypothesis import given
from hypothesis import strategies as st

from rapid.consumers.mqtt import Subscription, contract_filters
from rapid.errors import ConfigError

OBS_ID = "MC_O_20260112_000123"


@pytest.mark.parametrize(
    ("topic", "read"),
    [
        (f"summit/LSSTCam/file/{OBS_ID}/R22_S11", True),
        (f"summit/LSSTCam/exposure/started/{OBS_ID}", True),
        ("summit/LSSTCam/exposure/latest", True),
        ("summit/service/rapid/status", False),
        (f"summit/LSSTCam/result/{OBS_ID}/R22_S11", False),
        (f"other/LSSTCam/file/{OBS_ID}/R22_S11", False),
    ],
)
def test_the_filters_of_the_contract(topic: str, read: bool) -> None:
    assert any(Topic(topic).matches(each) for each in contract_filters("summit")) is read


def test_a_root_may_have_levels() -> None:
    assert contract_filters("a/b")[0] == "a/b/+/file/+/+"


@pytest.mark.parametrize("root", ["", "a//b", "/a", "a/", "a/+", "#", "$SYS", "a\0b", "x" * 65_536])
def test_a_root_that_cannot_be_is_named(root: str) -> None:
    with pytest.raises(ConfigError, match="is no topic; expected levels that are not empty"):
        contract_filters(root)
    with pytest.raises(ConfigError, match="is no topic"):
        Subscription(("a",), status_topic=root)


def test_a_session_that_is_not_kept_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected 1 s or more, found 0:00:00\.999"):
        Subscription(("a",), session=timedelta(milliseconds=999))
    assert Subscription(("a",), session=timedelta(seconds=1)).session == timedelta(seconds=1)


@pytest.mark.parametrize("wanted", ["#", "+", "a/+/#", "+/+", "$share/g/a", "/a", "a//+", "é/#"])
def test_filters_that_can_be(wanted: str) -> None:
    assert Subscription((wanted,)).filters == (wanted,)


@pytest.mark.parametrize("wanted", ["", "a+", "a/b+/c", "#/a", "a#", "a/#b", "a/#/b", "a\0", "x" * 65_536])
def test_a_filter_that_cannot_be_is_named(wanted: str) -> None:
    with pytest.raises(ConfigError, match="is no filter of topics"):
        Subscription(("good", wanted))


@given(st.text("ab/+#\0", max_size=6))
def test_filters_are_judged_as_the_library_does(wanted: str) -> None:
    """It would raise a ValueError in the middle of the night."""
    from aiomqtt.topic import Wildcard

    try:
        Wildcard(wanted)
        theirs = "\0" not in wanted
    except ValueError:
        theirs = False
    try:
        Subscription((wanted,))
        ours = True
    except ConfigError:
        ours = False
    assert ours == theirs


def test_what_else_is_needed_is_said() -> None:
    with pytest.raises(ConfigError, match="no topics to read"):
        Subscription(())
    with pytest.raises(ConfigError, match="needs an identifier"):
        Subscription(("a",), identifier="")
    for number in (0, 65_536):
        with pytest.raises(ConfigError, match=f"expected 1 to 65535, found {number}"):
            Subscription(("a",), receive_maximum=number)
