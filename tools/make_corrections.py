"""Make the table of corrections of single exposures that the package ships.

    python tools/make_corrections.py CORRECTIONS ... [--table TABLE]

Each CORRECTIONS is a JSON object of obs_id to the cards to replace, as the observatory's obs_lsst package keeps them in
``corrections``, one file an exposure. What several exposures share is written once, with the first and last seq_num of
each run; a card with a value of its own for each exposure is written as pairs of seq_num and value; what is neither
stands by itself. Some are filed under five digits of seq_num instead of six, and are for the same exposures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).resolve().parent.parent / "rapid/processing/data/corrections.json"
_SOURCE = "Corrections of single exposures published with the observatory's obs_lsst package (corrections), 2026-04"
_DAY = len("AT_O_20260315")

Corrections = Mapping[str, Mapping[str, Any]]


def main() -> None:
    """Write the table of all inputs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corrections", nargs="+", type=Path)
    parser.add_argument("--table", type=Path, default=_TABLE)
    arguments = parser.parse_args()
    given: dict[str, Mapping[str, Any]] = {}
    for path in arguments.corrections:
        given |= json.loads(path.read_text(encoding="utf-8"))
    arguments.table.write_text(table_text(given), encoding="utf-8")


def table_text(given: Corrections) -> str:
    """Turn corrections into the table, one set of cards, one day of a card, or one exposure on a line."""
    by_cards: dict[str, list[str]] = {}
    for obs_id in sorted(given):
        by_cards.setdefault(_text(given[obs_id]), []).append(obs_id)
    alone = [(obs_ids[0], json.loads(cards)) for cards, obs_ids in by_cards.items() if len(obs_ids) == 1]
    same = [_text([json.loads(cards), _runs(obs_ids)]) for cards, obs_ids in by_cards.items() if len(obs_ids) > 1]
    each = [f"{_text(card)}:{_block(days)}" for card, days in _by_card(alone)]
    single = [f"{_text(obs_id)}:{_text(cards)}" for obs_id, cards in alone if len(cards) > 1]
    parts = [f'"source":{_text(_SOURCE)}', f'"same":[\n{_lines(same)}]', f'"each":{{\n{_lines(each)}}}']
    return _lines([*parts, f'"single":{{\n{_lines(single)}}}']).join(["{\n", "}\n"])


def _by_card(alone: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, Mapping[str, list[Any]]]]:
    """Group what is one card of one exposure by card and day."""
    rows = sorted((next(iter(cards)), *_split(obs_id), cards) for obs_id, cards in alone if len(cards) == 1)
    for card, of_card in groupby(rows, key=lambda row: row[0]):
        days = groupby(of_card, key=lambda row: row[1])
        yield card, {day: [[seq_num, cards[card]] for _, _, seq_num, cards in of_day] for day, of_day in days}


def _runs(obs_ids: Iterable[str]) -> dict[str, list[list[int]]]:
    runs: dict[str, list[list[int]]] = {}
    for day, seq_num in map(_split, obs_ids):
        of_day = runs.setdefault(day, [])
        if of_day and of_day[-1][1] == seq_num - 1:
            of_day[-1][1] = seq_num
        else:
            of_day.append([seq_num, seq_num])
    return runs


def _split(obs_id: str) -> tuple[str, int]:
    return obs_id[:_DAY], int(obs_id[_DAY + 1 :])


def _block(days: Mapping[str, Any]) -> str:
    return "{\n" + _lines(f"{_text(day)}:{_text(rows)}" for day, rows in days.items()) + "}"


def _lines(entries: Iterable[str]) -> str:
    return ",\n".join(entries)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


if __name__ == "__main__":
    main()
