"""pyproject.toml, requirements.lock and environment.yml agree; no file names a machine or a registry."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
HEADER, PINS = (
    [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("#") is comment]
    for comment in (True, False)
)
LOCKED = ["book", "dev", "cuda"]  # extras
MINORS = [f"3.{n}" for n in range(40) if SpecifierSet(PROJECT["requires-python"]).contains(f"3.{n}.0")]
PYTHONS = [f"{minor}.{patch}" for minor in MINORS for patch in (0, 2, 20)]
MACHINES = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]
SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}


def environment(python, machine):
    system, processor = machine
    return default_environment() | {
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": system,
        "platform_system": SYSTEMS[system],
        "os_name": "nt" if system == "win32" else "posix",
        "platform_machine": processor,
        "extra": "",
    }


def holding(texts, where):
    """The requirements among `texts` whose marker is true there."""
    parsed = (Requirement(text) for text in texts)
    return [one for one in parsed if one.marker is None or one.marker.evaluate(where)]


def locked(where):
    """Versions by package that pip installs from the lock there."""
    pins = holding(PINS, where)
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(versions) == len(pins), "two pins of one package hold at once"
    return versions


def unmet(needs, versions):
    have = {need: versions.get(canonicalize_name(need.name)) for need in needs}
    return [str(need) for need, version in have.items() if not version or version not in need.specifier]


@pytest.fixture(scope="module")
def installed():
    """What the locked versions say of themselves, where this environment has them."""
    found = {}
    for name, version in locked(default_environment()).items():
        try:
            if (here := distribution(name)).version.partition("+")[0] == version:
                found[name] = here
        except PackageNotFoundError:
            pass
    assert len(found) > len(PINS) / 2, "this environment is not the lock's"
    return found


def test_the_lock_holds_pins_alone_and_the_command_that_makes_it():
    pin = re.compile(r"[a-z\d-]+==[a-z\d.]+( ; [A-Za-z\d_.'<>=!() ]+)?")  # 2.13.0+cpu would shut out a CUDA build
    assert [line for line in PINS if not pin.fullmatch(line)] == []
    command = HEADER[-1].removeprefix("#").split()
    assert command[:3] == ["uv", "pip", "compile"]
    assert {"--universal", *LOCKED, "pyproject.toml", "requirements.lock"} <= set(command)
    assert command[command.index("--python-version") + 1] == MINORS[0]


@pytest.mark.parametrize("machine", MACHINES, ids="-".join)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_satisfies_every_dependency(python, machine):
    wanted = [need for extra in LOCKED for need in PROJECT["optional-dependencies"][extra]]
    where = environment(python, machine)
    assert unmet(holding(PROJECT["dependencies"] + wanted, where), locked(where)) == []


@pytest.mark.parametrize("python", PYTHONS)
def test_every_locked_version_takes_every_supported_python(python, installed):
    takes = {name: SpecifierSet(here.metadata.get("Requires-Python", "")) for name, here in installed.items()}
    there = locked(environment(python, MACHINES[0]))
    assert [name for name in takes if name in there and python not in takes[name]] == []


@pytest.mark.parametrize("machine", MACHINES, ids="-".join)
@pytest.mark.parametrize("python", [PYTHONS[0], PYTHONS[-1]])
def test_what_a_locked_version_needs_is_locked(python, machine, installed):
    where = environment(python, machine)
    versions = locked(where)
    left_to_torch = PYPROJECT["tool"]["uv"]["pip"]["no-emit-package"]
    needs = [
        need
        for name, here in installed.items()
        if name in versions
        for need in holding(here.requires or [], where)
        if need.name not in left_to_torch
    ]
    assert len(needs) > len(versions)
    assert unmet(needs, versions) == []


def test_the_cuda_compiler_is_of_the_locked_toolkit():
    versions = locked(environment(PYTHONS[0], MACHINES[0]))
    toolkit = {version for name, version in versions.items() if name.startswith(("nvidia-", "cuda-toolkit"))}
    assert {".".join(version.split(".")[:2]) for version in toolkit} == {"13.0"}


def test_make_takes_the_supported_pythons():
    (line,) = re.findall(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line.split() == MINORS


def test_the_book_stays_with_jupyter_book_1():
    wanted = [Requirement(text) for text in PROJECT["optional-dependencies"]["book"]]
    (jupyter_book,) = [want for want in wanted if want.name == "jupyter-book"]
    assert not jupyter_book.specifier.contains("2.0.0")


@pytest.mark.parametrize("module", ["gsrgnn", "gsrgnn.cli"])
def test_importing_the_library_imports_none_of_the_book_s_packages(module):
    code = f"import sys, {module}; print(*sys.modules); gsrgnn.circuits.load"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in ran.stdout.split()}
    book = {canonicalize_name(Requirement(text).name) for text in PROJECT["optional-dependencies"]["book"]}
    modules = {top for top, names in packages_distributions().items() if book & set(map(canonicalize_name, names))}
    assert len(modules) >= len(book)
    assert imported & modules == set()
    assert imported & {"gsrgnn", "torch_geometric", "pandas", "sklearn"} == {"gsrgnn"}  # nor what takes long
    assert "torch._dynamo" not in ran.stdout.split()


def test_the_library_is_forbidden_whatever_the_book_brings():
    (contract,) = (
        contract
        for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("The library draws nothing")
    )
    distributions = packages_distributions()
    forbidden = {canonicalize_name(distributions[module][0]) for module in contract["forbidden_modules"]}
    book = {canonicalize_name(Requirement(text).name) for text in PROJECT["optional-dependencies"]["book"]}
    never_imported = {"sphinx-mathjax-offline", "sphinx-revealjs"}  # files for a page
    draws_nothing = {"scikit-image"}  # a measure of `evaluation`, which says what to install where it is missing
    assert forbidden == book - never_imported - draws_nothing | {"sphinx", "typer"}


def test_conda_installs_the_locked_versions_on_a_supported_python():
    *conda, pip = ENVIRONMENT["dependencies"]
    assert pip == {"pip": ["-r requirements.lock", "-e ."]}
    versions = dict(dependency.split("=") for dependency in conda if dependency != "pip")
    assert SpecifierSet(PROJECT["requires-python"]).contains(versions.pop("python"))
    assert versions == {}, "everything but Python comes from the lock"


def test_no_tracked_file_names_a_registry_or_a_place_on_this_machine():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode != 0 or not tracked.stdout:
        pytest.skip("not a git checkout with files in it")
    names = re.compile(
        rf"{re.escape(str(ROOT.parent))}/|/home/\w|/Users/\w|/root/"  # a checkout's place, somebody's home
        r"|pypi\.(org|python)|pythonhosted|anaconda\.(org|com)|download\.pytorch|--(extra-)?index-url|--find-links"
    )
    found = []
    for name in filter(None, tracked.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".png", ".npz", ".npy", ".gz", ".xz", ".safetensors"} or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if match := names.search(line):
                found.append(f"{name}:{number}: {match[0]}")
    assert found == []
