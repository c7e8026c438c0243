"""``python -m benchmarks``: find the benchmarks, run them, print one JSON line a figure."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks import GROUPS, Figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 when there was something and all of it ran, 1 when there was nothing."""
    asked = _parser().parse_args(arguments)
    wanted = tuple(asked.only or GROUPS)
    speak = Console(stderr=True)
    speak.print(f"[dim]{_machine()}")
    taken: list[Figure] = []
    for module in _modules(wanted):
        speak.print(f"[dim]{module.__name__} ...")
        for figure in _figures(module, wanted):
            print(json.dumps(figure.as_json(), allow_nan=False), flush=True)
            taken.append(figure)
    if not taken:
        speak.print(f"[red]nothing is measured yet in {', '.join(wanted)}")
        return 1
    speak.print(_table(taken))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="GROUP", help=f"one of {', '.join(GROUPS)}")
    return parser


def _modules(wanted: Sequence[str]) -> Iterator[ModuleType]:
    """Import the benchmarks that may have figures of the wanted groups, in order of name."""
    for found in sorted(pkgutil.iter_modules(benchmarks.__path__), key=lambda found: found.name):
        group = found.name.partition("_")[0]
        if found.name.startswith("_") or (group in GROUPS and group not in wanted):
            continue
        module = importlib.import_module(f"benchmarks.{found.name}")
        if hasattr(module, "figures"):
            yield module


def _figures(module: ModuleType, wanted: Sequence[str]) -> Iterator[Figure]:
    """Run a benchmark; it may give its figures as values or as plain mappings of the same names."""
    given: Iterable[Figure | Mapping[str, Any]] = module.figures()
    for each in given:
        figure = each if isinstance(each, Figure) else Figure(**each)
        if figure.group in wanted:
            yield figure


def _machine() -> str:
    """Say where this was measured, and whether the machine had other things to do."""
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    busy = f"; it was busy before we began (load {load:.1f})" if load > cores / 2 else ""
    return f"{platform.machine()}, {cores} cores, Python {platform.python_version()}{busy}"


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "value", "unit", "n", "peer", "ratio")
    for column in table.columns[1::2]:
        column.justify = "right"
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.3g}"
        table.add_row(figure.name, f"{figure.value:.4g}", figure.unit, str(figure.n), figure.peer or "", ratio)
    return table


if __name__ == "__main__":
    sys.exit(main())
