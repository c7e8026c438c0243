"""The project itself: what is packed, what is pinned, and what its commands do."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BASH = "/bin/bash"


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, env=os.environ | environment
    )


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{BASH}\n{text}\n")
    path.chmod(0o755)
    return path


# --- what is packed ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that builds with the installed backend, as a front end does, without a network."""
    place = tmp_path_factory.mktemp("dist")

    def built(hook: str) -> Path:
        code = f"import hatchling.build as backend; print(backend.{hook}({str(place)!r}))"
        done = run(sys.executable, "-c", code)
        assert done.returncode == 0, done.stderr
        return place / done.stdout.split()[-1]

    return built


def of_the_package() -> set[str]:
    every = (path for package in ("rapid", "calib_verify") for path in (ROOT / package).rglob("*"))
    files = (path for path in every if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_the_wheel_holds_the_package_with_all_its_data_and_nothing_else(build: Callable[[str], Path]) -> None:
    with zipfile.ZipFile(build("build_wheel")) as wheel:
        names = set(wheel.namelist())
        (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "rapid = rapid.cli:main" in wheel.read(entry_points).decode()
        assert "calib-verify = calib_verify.cli:main" in wheel.read(entry_points).decode()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        assert "License-Expression: BSD-3-Clause" in wheel.read(metadata).decode()
    assert {name for name in names if ".dist-info/" not in name} == of_the_package()
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_data_of_every_kind_is_in_the_package() -> None:
    files = of_the_package()
    for pattern in (
        r"rapid/py\.typed",
        r"rapid/processing/data/latiss\.json",
        r"rapid/tv/web/.*\.(html|css|js)",
        r"rapid/ledger/.*versions/.*\.py",
        r"rapid/simulation/.*\.ya?ml",
        r"calib_verify/policy/data/.*\.yaml",
    ):
        assert any(re.fullmatch(pattern, name) for name in files), pattern


def test_the_source_archive_can_build_test_and_run_itself(build: Callable[[str], Path]) -> None:
    with tarfile.open(build("build_sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {
        "Makefile",
        "constraints.txt",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        ".ci/run",
        "tools/make-venv",
        "tools/install-system-parts",
        "tests/conftest.py",
        "rapid/__init__.py",
        "deploy/Dockerfile",
    }


def test_the_entry_points_lead_somewhere() -> None:
    found = importlib.metadata.distribution("rapid-summit").entry_points
    assert {(point.group, point.name) for point in found} >= {
        ("console_scripts", "rapid"),
        ("console_scripts", "calib-verify"),
        ("rapid.analyses", "monitor"),
        ("rapid.analyses", "imexam"),
        ("rapid.analyses", "quicklook"),
    }
    for point in found:
        thing = point.load()
        assert callable(thing) or callable(thing.run), point


# --- what is pinned ----------------------------------------------------------------------------------------------


def pins() -> dict[str, tuple[Version, list[str]]]:
    """Read the constraints: name to version and hashes."""
    text = (ROOT / "constraints.txt").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        requirement, *hashes = line.split(" --hash=")
        parsed = Requirement(requirement.strip())
        (pin,) = parsed.specifier
        assert pin.operator == "=="
        found[canonical(parsed.name)] = (Version(pin.version), [each.strip() for each in hashes])
    return found


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_pin_has_hashes_and_no_address() -> None:
    for name, (_, hashes) in pins().items():
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), name
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    assert "index" not in re.sub(r"--hash=\S+", "", text)


def test_the_pins_satisfy_what_the_project_asks_for() -> None:
    asked = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]
    build_system = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pinned = pins()
    for requirement in map(Requirement, [*asked, *build_system]):
        name = canonical(requirement.name)
        assert name in pinned, f"{requirement} is not in constraints.txt; run `make constraints`"
        assert pinned[name][0] in requirement.specifier, f"{requirement}: {pinned[name][0]} is pinned"


def test_a_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "tiny_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny_thing.py", "")
        file.writestr("tiny_thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n")
        file.writestr(
            "tiny_thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr("tiny_thing-1.0.dist-info/RECORD", "")
    constraints = tmp_path / "constraints.txt"
    install = (Path(sysconfig.get_path("scripts")) / "uv", "pip", "install", "--no-cache", "--no-index", "--find-links")
    install = (*install, tmp_path, "--target", tmp_path / "target", "--constraints", constraints, "tiny-thing")

    constraints.write_text(f"tiny-thing==1.0 --hash=sha256:{'0' * 64}\n")
    refused = run(*install)
    assert refused.returncode != 0
    assert "Hash mismatch" in refused.stderr
    assert not (tmp_path / "target" / "tiny_thing.py").exists()

    import hashlib

    constraints.write_text(f"tiny-thing==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    taken = run(*install)
    assert taken.returncode == 0, taken.stderr
    assert (tmp_path / "target" / "tiny_thing.py").exists()


# --- what its commands do ----------------------------------------------------------------------------------------


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def test_what_the_pages_tell_people_to_type_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    typed = {
        (page.name, target)
        for page in pages
        for target in re.findall(r"`make ([a-z-]+)|^ *make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    wanted = {(page, first or second) for page, (first, second) in typed}
    assert ("README.md", "demo") in wanted
    assert not [each for each in wanted if each[1] not in make_targets()]


def test_the_links_between_the_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    broken = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert not broken


def test_make_alone_shows_the_targets_and_starts_nothing() -> None:
    done = run("make", "--no-print-directory")
    assert done.returncode == 0
    shown = set(re.findall(r"^  make (\S+)", done.stdout, flags=re.MULTILINE))
    assert shown >= {"demo", "test", "lint", "bench", "soak", "setup", "constraints"}
    assert shown <= make_targets()


@pytest.mark.parametrize(
    ("broken", "called", "code"), [("", "lint test", 0), ("lint", "lint", 2), ("test", "lint test", 2)]
)
def test_ci_lints_then_tests_and_fails_with_either(tmp_path: Path, broken: str, called: str, code: int) -> None:
    script(tmp_path / "bin/make", f'echo "$1" >> {tmp_path}/called; [[ $1 == "{broken}" ]] && exit 2; exit 0')
    done = run(BASH, ROOT / ".ci/run", cwd=tmp_path, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert done.returncode == code
    assert (tmp_path / "called").read_text().split() == called.split()


# --- what is installed beside Python -----------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a directory of programs that is a whole machine: bash's needs, no browser, no apt."""
    for name in ("env", "id", "cat"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    script(tmp_path / "bin/id", "echo 0")
    return tmp_path


def system_parts(machine: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(BASH, ROOT / "tools/install-system-parts", PATH=str(machine / "bin"), **{"CI": ""} | environment)


def test_a_machine_that_has_everything_is_left_alone(machine: Path) -> None:
    for name in ("chromium-browser", "systemd-analyze", "mosquitto", "mvn", "java"):
        script(machine / "bin" / name, "exit 0")
    script(machine / "bin/apt-get", "exit 99")
    done = system_parts(machine, CI="true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_missing_is_installed_by_apt(machine: Path) -> None:
    names = ("chromium", "systemd-analyze", "mosquitto", "mvn", "java")
    programs = " ".join(str(machine / "bin" / name) for name in names)
    script(
        machine / "bin/apt-get",
        f'echo "$@" >> {machine}/apt; [[ $2 == install ]] || exit 0\n'
        f'for x in {programs}; do echo "#!{BASH}" > $x; /bin/chmod +x $x; done',
    )
    done = system_parts(machine, CI="true")
    assert done.returncode == 0, done.stderr
    update, install = (machine / "apt").read_text().splitlines()
    assert update == "-qq update"
    assert install.startswith("-qq install --yes --no-install-recommends")
    assert {"chromium", "systemd", "maven", "default-jre-headless"} <= set(install.split())


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("false", 0), ("true", 1)])
@pytest.mark.parametrize("apt", ["none", "broken"])
def test_what_cannot_be_installed_is_an_error_in_ci_only(machine: Path, ci: str, code: int, apt: str) -> None:
    if apt == "broken":
        script(machine / "bin/apt-get", "exit 100")
    done = system_parts(machine, CI=ci)
    assert done.returncode == code
    assert "system parts missing" in done.stderr
    assert "chromium" in done.stderr
    assert ("CI may skip nothing" in done.stderr) == bool(code)


def fetch_kafka(machine: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    for name in ("dirname", "mkdir", "mktemp", "chmod", "mv", "rm", "sed", "touch"):
        (machine / "bin" / name).symlink_to(f"/usr/bin/{name}")
    jars = {"RAPID_KAFKA_JARS": str(machine / "cache/kafka")}
    return run(BASH, ROOT / "tools/fetch-kafka", PATH=str(machine / "bin"), **{"CI": ""} | jars | environment)


def test_the_broker_is_fetched_once(machine: Path) -> None:
    script(
        machine / "bin/mvn",
        f'echo "$@" >> {machine}/called; for x in "$@"; do y=${{x#*Directory=}}; done; touch "$y/a.jar"',
    )
    done = fetch_kafka(machine, CI="true")
    assert done.returncode == 0, done.stderr
    assert "dependency:copy-dependencies" in (machine / "called").read_text()
    assert [path.name for path in (machine / "cache").rglob("*")] == ["kafka", "a.jar"]
    again = run(BASH, ROOT / "tools/fetch-kafka", PATH="/usr/bin:/bin", RAPID_KAFKA_JARS=str(machine / "cache/kafka"))
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
@pytest.mark.parametrize("maven", ["none", "broken"])
def test_a_broker_that_cannot_be_fetched_is_an_error_in_ci_only(machine: Path, ci: str, code: int, maven: str) -> None:
    if maven == "broken":
        script(machine / "bin/mvn", "exit 1")
    done = fetch_kafka(machine, CI=ci)
    assert done.returncode == code
    assert ("CI may skip nothing" in done.stderr) == bool(code)
    assert not list((machine / "cache").glob("*"))


def test_an_old_python_is_refused_in_words(tmp_path: Path) -> None:
    script(tmp_path / "python", '[[ $1 == --version ]] && echo "Python 3.9.2"; [[ $1 == -c ]] && exit 1; exit 0')
    done = run(BASH, ROOT / "tools/make-venv", tmp_path / "venv", PYTHON=str(tmp_path / "python"))
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "Python 3.9.2" in done.stderr


def test_a_machine_without_python_is_told_what_to_do(tmp_path: Path) -> None:
    done = run(BASH, ROOT / "tools/make-venv", tmp_path / "venv", PYTHON="python-that-is-not-there")
    assert done.returncode == 1
    assert "install Python 3.11 or newer" in done.stderr


# --- the rules every test is held to -----------------------------------------------------------------------------

RULES = """
import asyncio, pytest
{body}
"""


def run_pytest(tmp_path: Path, body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a test file of one test under the project's own conftest."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(RULES.format(body=body))
    options = ("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", f"pythonpath={ROOT}", "--rootdir", tmp_path)
    return run(sys.executable, "-m", "pytest", "-q", *options, tmp_path, cwd=tmp_path, **{"CI": ""} | environment)


LEAK = """
async def test_leaves_a_task():
    asyncio.get_running_loop().create_task(asyncio.sleep(60), name="forgotten")
"""
TIDY = """
async def test_ends_its_task():
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()

async def test_waits_for_its_task():
    await asyncio.create_task(asyncio.sleep(0))

def test_without_a_loop():
    pass
"""


def test_a_test_that_leaves_a_task_behind_fails(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, LEAK)
    assert done.returncode == 1
    assert "asyncio tasks were left behind" in done.stdout
    assert "forgotten" in done.stdout


def test_tests_that_tidy_up_pass(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, TIDY)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


SKIP = "def test_it():\n    pytest.skip('no broker here')"
SKIP_FILE = "pytest.importorskip('a_module_that_is_not_there')"
XFAIL = "@pytest.mark.xfail(reason='known', strict=True)\ndef test_it():\n    assert False"
REAL = "def test_it(shared_data):\n    pass"


@pytest.mark.parametrize(
    ("body", "ci", "code", "shown"),
    [
        pytest.param(SKIP, "", 0, "1 skipped", id="skip at home"),
        pytest.param(SKIP, "true", 1, "CI is set, so nothing may be skipped", id="skip in CI"),
        pytest.param(SKIP_FILE, "true", 2, "CI is set, so nothing may be skipped", id="skipped file in CI"),
        pytest.param(XFAIL, "true", 0, "1 xfailed", id="expected failure in CI"),
        pytest.param(REAL, "true", 0, "1 skipped", id="no real files in CI"),
    ],
)
def test_ci_skips_nothing_but_real_files(tmp_path: Path, body: str, ci: str, code: int, shown: str) -> None:
    place = tmp_path / "a" / "b"  # so that ../shared/data is not there
    place.mkdir(parents=True)
    done = run_pytest(place, body, CI=ci, RAPID_SHARED_DATA="")
    assert done.returncode == code, done.stdout
    assert shown in done.stdout


def test_real_files_that_were_promised_must_be_there(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, REAL, RAPID_SHARED_DATA=str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "RAPID_SHARED_DATA names" in done.stdout
