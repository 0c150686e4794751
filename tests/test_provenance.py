import subprocess
import sys
from pathlib import Path

from gsrgnn.provenance import PACKAGE, code_hash, provenance, reached


def test_the_code_hash_follows_contents_and_names_and_no_caches(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = code_hash(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("compiled")
    assert code_hash(tmp_path) == first
    (tmp_path / "a.py").write_text("2")
    changed = code_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, changed, code_hash(tmp_path)}) == 3


def test_provenance_is_words_for_every_question():
    made = provenance()
    assert all(isinstance(value, str) and value for value in made.values())
    assert made["code hash"] == code_hash()
    assert made["CPU"] != "none"


def test_what_code_reaches_is_followed_through_packages_their_data_and_functions(tmp_path):
    package = tmp_path / "gsrgnn"
    for name, code in {
        "__init__.py": "",
        "table.csv": "1",
        "loop.py": "import torch\nfrom gsrgnn.data import load",
        "data/__init__.py": "def load(): from gsrgnn.data import maps",
        "data/files/a.npz": "",
        "data/unused.py": "",
        "data/maps.py": "import gsrgnn.loop\n'gsrgnn.data.named'",
        "data/named.py": "",
        "data/__pycache__/a.nbc": "",
        "other/__init__.py": "",
        "other/b.npz": "",
        "figures.py": "",
    }.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    found = {path.relative_to(package).as_posix() for path in reached("from gsrgnn import loop", package)}
    assert found == {
        "__init__.py",
        "table.csv",
        "loop.py",
        "data/__init__.py",
        "data/maps.py",
        "data/named.py",
        "data/files/a.npz",
    }
    assert reached("import os, gsrgnnx", package) == set()


def test_what_training_loads_is_reached_kernels_included():
    code = "from gsrgnn import kernels, training; kernels.on('cpu')"
    names = "import sys; print(*(m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'gsrgnn'))"
    loaded = subprocess.run([sys.executable, "-c", f"{code}; {names}"], capture_output=True, text=True, check=True)
    found = reached(code)
    assert {Path(path) for path in loaded.stdout.split()} <= found
    assert PACKAGE / "kernels" / "cpu" / "top_k.py" in found
    assert not {PACKAGE / f"{name}.py" for name in ("figures", "cli", "book", "sweep")} & found
