"""pyproject.toml, requirements.lock and environment.yml agree; no file names a machine or a registry."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())


def lock_lines():
    return [
        line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")
    ]


def locked():
    pins = (Requirement(line) for line in lock_lines())
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


def test_the_lock_holds_nothing_but_one_pin_a_package():
    pin = re.compile(r'[\w.-]+==[\w.]+(; sys_platform == "linux")?')
    assert [line for line in lock_lines() if not pin.fullmatch(line)] == []
    assert len(locked()) == len(lock_lines())


def test_the_lock_satisfies_every_dependency():
    extras = PROJECT["optional-dependencies"]
    wanted = [Requirement(text) for text in PROJECT["dependencies"] + extras["dev"] + extras["cuda"]]
    pins = {str(want): locked().get(canonicalize_name(want.name)) for want in wanted}
    assert [want for want, pin in pins.items() if pin is None] == []
    assert [want for want, pin in pins.items() if not Requirement(want).specifier.contains(pin)] == []


def test_the_book_stays_with_jupyter_book_1():
    wanted = [Requirement(text) for text in PROJECT["dependencies"]]
    (jupyter_book,) = [want for want in wanted if want.name == "jupyter-book"]
    assert not jupyter_book.specifier.contains("2.0.0")


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
        if path.suffix in {".png", ".npz", ".npy", ".gz", ".xz"} or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if match := names.search(line):
                found.append(f"{name}:{number}: {match[0]}")
    assert found == []
