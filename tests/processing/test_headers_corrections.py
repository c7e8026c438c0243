"""The table of corrections of single exposures: nothing is lost in it, and its maker and its reader agree."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.processing.headers.corrections import corrections, expanded

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_corrections", ROOT / "tools/make_corrections.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_an_exposure_without_any_has_none() -> None:
    assert not corrections("AT_O_20260315_000051")
    assert not corrections("")


def test_runs_end_where_they_end() -> None:
    changed = [seq_num for seq_num in range(130, 190) if corrections(f"AT_O_20190308_{seq_num:06d}")]
    assert changed == list(range(139, 181))


def test_nobody_can_change_the_table() -> None:
    with pytest.raises(TypeError):
        corrections("AT_O_20190308_000139")["DAYOBS"] = "20190309"  # type: ignore[index]
    with pytest.raises(TypeError):
        corrections("AT_O_20260315_000051")["DAYOBS"] = "20190309"  # type: ignore[index]


cards = st.dictionaries(
    st.sampled_from(["ROTPA", "IMGTYPE", "REASON", "EXPTIME"]),
    st.one_of(st.sampled_from(["BIAS", "FLAT"]), st.floats(-360, 360), st.integers(0, 5)),
    min_size=1,
)
obs_ids = st.builds(
    "{}_O_{}_{:06d}".format, st.sampled_from(["AT", "MC"]), st.sampled_from([20200101, 20200102]), st.integers(1, 12)
)


@given(wanted=st.dictionaries(obs_ids, cards))
def test_what_is_written_is_what_is_read(maker: ModuleType, wanted: dict[str, dict[str, object]]) -> None:
    table = json.loads(maker.table_text(wanted))
    assert {obs_id: dict(found) for obs_id, found in expanded(table)} == wanted
