"""The layers of the house hold, and whoever breaks one is told which."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT_IMPORTS = Path(sysconfig.get_path("scripts")) / "lint-imports"

LAYERS = "The house is built in layers, and siblings are strangers"
NUMERIC = "The core is numeric: no bus, no web, no database, no plotting, no concurrency"
DISK = "One module of the core touches the disk"
FOUND = "Nobody imports an analysis: they are found by entry point"
VERIFYING = "Calibration verification uses the core and nothing else of the service"
ALONE = "Nobody imports calibration verification: it stands alone"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the package with its contracts, to be broken."""
    for package in ("rapid", "calib_verify"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.fits", "data")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(place: Path) -> subprocess.CompletedProcess[str]:
    # the script, not `python -m`: it puts the directory it runs in first, so that a copy is checked and not the original
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(place), "COLUMNS": "200"},
    )


def broken(output: str) -> set[str]:
    """Return the names of the contracts that a run found broken."""
    return {name for line in output.splitlines() for name, mark, _ in [line.partition(" BROKEN")] if mark}


def test_every_contract_is_kept() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
    named = {contract["name"] for contract in contracts()}
    assert named == {LAYERS, NUMERIC, DISK, FOUND, VERIFYING, ALONE}


@pytest.mark.parametrize(
    ("where", "what", "contract"),
    [
        pytest.param("rapid/processing/bad.py", "import sqlalchemy", NUMERIC, id="database in the core"),
        pytest.param("rapid/processing/bad.py", "import asyncio", NUMERIC, id="concurrency in the core"),
        pytest.param("rapid/processing/bad.py", "from rapid.events import FileArrived", LAYERS, id="bus in the core"),
        pytest.param("rapid/processing/bad.py", "import pathlib", DISK, id="disk in the core"),
        pytest.param("rapid/analyses/bad.py", "import matplotlib.pyplot", NUMERIC, id="plotting in an analysis"),
        pytest.param("rapid/analyses/bad.py", "from rapid.ports import Row", LAYERS, id="service in an analysis"),
        pytest.param("rapid/ledger/bad.py", "from rapid.tv import keys", LAYERS, id="display in the ledger"),
        pytest.param("rapid/consumers/bad.py", "import rapid.ledger", LAYERS, id="ledger in a consumer"),
        pytest.param("rapid/pipeline/bad.py", "import rapid.workers", LAYERS, id="workers in the pipeline"),
        pytest.param("rapid/errors.py", "import rapid.ports", LAYERS, id="ports in the errors"),
        pytest.param("rapid/tv/bad.py", "import rapid.analyses", FOUND, id="analysis in the display"),
        pytest.param(
            "rapid/app/line.py", "from rapid.analyses import monitor", FOUND, id="analysis in the composition"
        ),
        pytest.param("rapid/attic.py", "import json", LAYERS, id="room without a place"),
        pytest.param("calib_verify/bad.py", "import rapid.ledger", VERIFYING, id="ledger in the verification"),
        pytest.param("rapid/app/line.py", "import calib_verify", ALONE, id="verification in the composition"),
    ],
)
def test_a_bad_import_is_caught(copy: Path, where: str, what: str, contract: str) -> None:
    (copy / "rapid/analyses/monitor.py").touch()
    (copy / "rapid/tv/keys.py").touch()
    with (copy / where).open("a") as file:
        file.write(f"\n{what}\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert broken(done.stdout) == {contract}


def test_every_room_is_named_in_the_layers() -> None:
    layers = next(contract for contract in contracts() if contract["name"] == LAYERS)
    named = {room.strip(" ()") for layer in layers["layers"] for room in layer.split("|")}
    rooms = {
        path.stem for path in (ROOT / "rapid").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"__init__"} <= named


def test_only_the_composition_root_reads_the_environment() -> None:
    readers = {path.relative_to(ROOT).as_posix() for path in (ROOT / "rapid").rglob("*.py") if reads_environment(path)}
    assert readers <= {"rapid/config.py"}


def test_there_is_one_net_for_every_exception() -> None:
    nets = [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"
        for path in sorted((ROOT / "rapid").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    ]
    assert not nets, "use rapid.errors.Net, and see there where"
    spread = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "rapid").rglob("*.py")
        if any(
            isinstance(node, ast.Call) and spelled(node.func) == "Net" for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert spread <= {"rapid/workers.py", "rapid/study.py", "rapid/pipeline/dispatch.py"}


def test_the_core_can_be_imported_without_the_service() -> None:
    code = "import sys, rapid.processing, rapid.analyses; print(sorted(set(sys.modules) & {'sqlalchemy', 'fastapi', 'obstore'}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def contracts() -> list[dict[str, object]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return settings["tool"]["importlinter"]["contracts"]


def reads_environment(path: Path) -> bool:
    """Tell whether a module looks a variable up; to set one for the processes it starts is another thing."""
    reading = {"os.getenv", "os.environ.get", "os.environ[]", "os.environ.items", "dict(os.environ)"}
    return bool(reading & {spelled(node) for node in ast.walk(ast.parse(path.read_text()))})


def spelled(node: ast.AST) -> str:
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{spelled(node.value)}.{node.attr}"
        case ast.Subscript(ctx=ast.Load()):
            return f"{spelled(node.value)}[]"
        case ast.Call(args=[argument]):
            return f"{spelled(node.func)}({spelled(argument)})"
    return ""


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler catches `Exception` (or more) and does not raise it again."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {node.id for node in caught if isinstance(node, ast.Name)}
    wide = handler.type is None or names & {"Exception", "BaseException"}
    return bool(wide) and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
