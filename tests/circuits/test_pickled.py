import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from small_design import NAME, object_array

from gsrgnn import circuits
from gsrgnn.circuits.pickled import read_objects

SENTINEL = "touched"


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def write(path, pickled, shape=()):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": shape})
    path.write_bytes(file.getvalue() + pickled)
    return path


def hostile(path):
    touch = f"touch {path}"
    return {
        "os.system": pickle.dumps(Call(os.system, touch)),
        "subprocess": pickle.dumps(Call(subprocess.check_call, touch.split())),
        "eval": pickle.dumps(Call(eval, f"open({str(path)!r}, 'w')")),
        "exec": pickle.dumps(Call(exec, f"open({str(path)!r}, 'w')")),
        "open": pickle.dumps(Call(open, str(path), "w")),
        "getattr": pickle.dumps(Call(getattr, Call(__import__, "os"), "system")),
        "numpy's save": pickle.dumps(Call(np.save, str(path), [0])),
        "numpy's load": pickle.dumps(Call(np.load, str(path), None, True)),
        "numpy.f2py": b"cnumpy.f2py\ncompile\n(Vx\ntR.",
        "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        "inst": f"(S'{touch}'\nios\nsystem\n.".encode(),
        "obj": f"(cos\nsystem\nS'{touch}'\no.".encode(),
        "extension": b"\x82\x01.",
        "persistent": b"Pos.system\n.",
        "inside an array": pickle.dumps(np.array([Call(os.system, touch)], dtype=object)),
        "inside a dict": pickle.dumps(np.array({"a": Call(os.system, touch)}, dtype=object)),
    }


@pytest.mark.parametrize("attack", hostile("x"))
@pytest.mark.parametrize("kind", ["node_attr", "pin_attr", "placement"])
def test_hostile_pickles_are_refused_and_not_run(design, tmp_path, attack, kind):
    sentinel = tmp_path / SENTINEL
    write(design[kind], hostile(sentinel)[attack])
    with pytest.raises(ValueError, match=f"{design[kind].name}.*download it again"):
        circuits.load(NAME, tmp_path)
    assert not sentinel.exists()


def test_the_attacks_are_live(tmp_path):
    """Plain unpickling does run them, so that their refusal above means something."""
    for attack in ("os.system", "eval", "inst", "inside an array"):
        sentinel = tmp_path / attack.replace(" ", "_")
        pickle.loads(hostile(sentinel)[attack])
        assert sentinel.exists(), attack


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
OBJECTS = b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R"
BENT = {
    "an array made with a shape of its own": b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.",
    "a huge array": ARRAY + b"J\xff\xff\xff\x7f\x85C\x01b\x87R.",
    "an array without state": ARRAY + b"K\x00\x85C\x01b\x87R.",
    "bytes for objects": ARRAY + b"K\x00\x85C\x01b\x87R(K\x01)" + OBJECTS + b"\x89C\x08aaaaaaaatb.",
    "a dtype of strings": b"cnumpy\ndtype\nX\x02\x00\x00\x00U9\x89\x88\x87R.",
    "an integer of another size": b"cnumpy.core.multiarray\nscalar\n" + OBJECTS.replace(b"O8", b"i8") + b"C\x01a\x86R.",
    "a memo index of four billion": b"\x80\x03]r\xff\xff\xff\xff.",
    "text of four gigabytes": b"\x80\x03X\xff\xff\xff\xffabc.",
    "the state of a list": b"\x80\x03]}b.",
    "the state of a function": b"\x80\x03cnumpy.core.multiarray\nscalar\n}b.",
    "a tuple a hundred thousand deep as a key": b"\x80\x03}" + b")" + b"\x85" * 100_000 + b"K\x01s.",
    "a list a hundred thousand deep": b"\x80\x03" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "a dict in which a name comes twice": b"\x80\x03}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00aK\x02u.",
    "a shape that doubles": b"\x80\x03"
    + ARRAY
    + b"K\x00\x85C\x01b\x87R(K\x01)"
    + b"q\x00h\x00\x86" * 40
    + OBJECTS
    + b"\x89]tb.",
    "a number": b"K\x01.",
    "nothing": b"",
}


@pytest.mark.parametrize("pickled", BENT.values(), ids=BENT)
def test_bent_pickles_are_refused(tmp_path, pickled):
    with pytest.raises(ValueError, match=r"bent\.npy.*download it again") as caught:
        read_objects(write(tmp_path / "bent.npy", pickled))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_each_pickle_protocol_is_read(tmp_path, protocol):
    rows = object_array([["a", "b", "c"], [1, [70_000, -1, 2**31 - 1], {"x": (1, 2.5, None, True)}]])
    path = write(tmp_path / "a.npy", pickle.dumps(rows, protocol), (2, 3))
    assert read_objects(path) == ((2, 3), rows.ravel().tolist())


def test_both_names_of_numpys_module(tmp_path):
    rows = object_array([["a", 1]])
    pickled = pickle.dumps(rows, 3)
    other = (b"numpy._core", b"numpy.core") if b"numpy._core" in pickled else (b"numpy.core", b"numpy._core")
    for each in (pickled, pickled.replace(*other)):
        assert read_objects(write(tmp_path / "a.npy", each, (1, 2))) == ((1, 2), ["a", 1])


@pytest.mark.parametrize("shape", [(2, 2), (3,), (1, 4), (-2, -1), (2,)])
def test_header_and_pickle_agree_on_the_shape(tmp_path, shape):
    with pytest.raises(ValueError, match="a.npy"):
        read_objects(write(tmp_path / "a.npy", pickle.dumps(object_array([["a", 1]]), 3), shape))


def test_a_file_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("gsrgnn.circuits.pickled.MAX_BYTES", 10)
    path = write(tmp_path / "a.npy", b"K\x01.")
    with pytest.raises(ValueError, match=r"a\.npy has \d+ bytes, of 10 allowed"):
        read_objects(path)


def test_reading_imports_nothing_that_a_file_names(tmp_path):
    with pytest.raises(ValueError, match="asks for 'this.s'"):
        read_objects(write(tmp_path / "a.npy", b"cthis\ns\n."))
    assert "this" not in sys.modules
