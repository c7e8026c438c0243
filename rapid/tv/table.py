"""The table of a night in RubinTV's own form: one object a night, one member an exposure.

``{"51": {"Exposure time": 30.0, "Filter": "SDSSr_65mm", "_Filter": "r_color", "@imexam": "✖", ...}, ...}``

RubinTV's conventions: ``_{label}`` is the style of a cell, ``@{channel}`` the text where a picture is missing, a
nested object a cell that opens. Numbers stay numbers; what is missing is left out, never written as a word.
Its clock reads ``Date begin`` (TAI) and ``Exposure time`` [s]; those, and whatever else RubinTV knows, are the labels
that the core gives its columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from rapid.gather.product import WHOLE
from rapid.ports import JsonValue, State

__all__ = ["night_table"]

Entry = Mapping[str, JsonValue]
Columns = Mapping[str, Mapping[str, str]]

FILTER_COLUMN = "filter"
_FILTER = re.compile(r"(?:SDSS)?(?P<band>[ugrizy])(?:_.*)?")
"""A filter whose name says its band: ``SDSSr_65mm`` on LATISS, ``r_57`` on LSSTCam."""

NO_PICTURE = "✖"
"""What stands where a picture could not be made."""

DEFAULT_CHANNELS = ("imexam", "monitor")
"""Channels of a failed exposure on a night where nothing has succeeded yet."""

SHOWN_STATES = frozenset({State.DONE, State.FAILED})
"""An exposure that is still to be done is not in RubinTV's table yet; a superseded one has a successor there."""


def night_table(columns: Columns, entries: Sequence[Entry]) -> dict[str, dict[str, JsonValue]]:
    """Write a night as RubinTV reads it.

    The detectors of an exposure share its line, unless the exposure has one of its own that sums them up. A column on
    which the detectors of every exposure agree is a plain cell; any other opens to one value a detector, on every line,
    so that a column keeps one form through the night.

    Parameters
    ----------
    columns
        Name to {label, unit, description, type, group}.
    entries
        Table entries as `rapid.ports.Ledger.night` gives them, in any order.
    """
    shown = sorted((entry for entry in entries if entry["state"] in SHOWN_STATES), key=_place)
    labels = _labels(columns, shown)
    lines = _by_exposure(shown)
    split = {name for name in labels if any(_disagree(line, name) for line in lines.values())}
    channels = sorted({name for entry in shown for name in _mapping(entry, "channels")}) or list(DEFAULT_CHANNELS)
    return {str(seq_num): _line(line, labels, split, channels) for seq_num, line in lines.items()}


def _place(entry: Entry) -> tuple[int, str]:
    return cast("int", entry["seq_num"]), str(entry["detector_name"])


def _by_exposure(entries: Iterable[Entry]) -> dict[int, list[Entry]]:
    lines: dict[int, list[Entry]] = {}
    for entry in entries:
        lines.setdefault(cast("int", entry["seq_num"]), []).append(entry)
    return {seq_num: [entry for entry in line if _is_whole(entry)] or line for seq_num, line in lines.items()}


def _is_whole(entry: Entry) -> bool:
    """Tell the line that sums up an exposure's detectors from theirs."""
    return entry["detector_name"] == WHOLE


def _labels(columns: Columns, entries: Iterable[Entry]) -> dict[str, str]:
    """Give every column a label of its own: two that would share one are told apart by their names."""
    names = dict.fromkeys(columns) | dict.fromkeys(sorted({name for e in entries for name in _mapping(e, "cells")}))
    wanted = {name: columns.get(name, {}).get("label") or name for name in names}
    counted = list(wanted.values())
    return {name: label if counted.count(label) == 1 else f"{label} ({name})" for name, label in wanted.items()}


def _disagree(line: Sequence[Entry], name: str) -> bool:
    values = [value for entry in line if (value := _mapping(entry, "cells").get(name)) is not None]
    return any(type(value) is not type(values[0]) or value != values[0] for value in values)


def _line(
    line: Sequence[Entry], labels: Mapping[str, str], split: set[str], channels: Sequence[str]
) -> dict[str, JsonValue]:
    written: dict[str, JsonValue] = {}
    for name, label in labels.items():
        values = {
            str(entry["detector_name"]): value
            for entry in line
            if (value := _mapping(entry, "cells").get(name)) is not None
        }
        if not values:
            continue
        written[label] = values if name in split else next(iter(values.values()))
        if style := _style(line, name):
            written[f"_{label}"] = style
    return written | _failures(line, channels)


def _style(line: Sequence[Entry], name: str) -> str | None:
    """Colour a filter, and a value that is there with a note of why to doubt it; nothing else."""
    if name == FILTER_COLUMN:
        named = _FILTER.fullmatch(str(_mapping(line[0], "cells").get(name)))
        return f"{named['band']}_color" if named else None
    return "warning" if any(name in _mapping(entry, "notes") for entry in line) else None


def _failures(line: Sequence[Entry], channels: Sequence[str]) -> dict[str, JsonValue]:
    pictured = {channel for entry in line for channel in _mapping(entry, "channels")}
    failed = [entry for entry in line if entry["state"] == State.FAILED]
    raised = {name for entry in line for name in _mapping(entry, "failures")}
    without = (set(channels) if failed else raised & set(channels)) - pictured
    marks: dict[str, JsonValue] = {f"@{channel}": NO_PICTURE for channel in sorted(without)}
    reasons = {str(entry["detector_name"]): str(entry["error"]) for entry in failed}
    reasons |= {
        name: str(why) for entry in line if _is_whole(entry) for name, why in _mapping(entry, "failures").items()
    }
    if reasons:
        marks["Failure"] = next(iter(reasons.values())) if len(reasons) == 1 else reasons
    return marks


def _mapping(entry: Entry, name: str) -> Mapping[str, JsonValue]:
    return cast("Mapping[str, JsonValue]", entry.get(name) or {})
