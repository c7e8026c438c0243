"""The line under a picture says what is known, and leaves out what is not."""

from __future__ import annotations

import math

from rapid.study import _caption
from tests.support.studies import make_info


def test_what_nobody_told_is_left_out() -> None:
    info = make_info(object="UNKNOWN", exposure_time=math.nan)
    assert _caption(info) == "LATISS 2026-03-15 seq 51 · science · SDSSr_65mm~empty"
    assert _caption(make_info()).endswith(" · 30 s · HD 1")
