"""RISC-V cores that ship with the package: netlists, placements and simulated congestion.

`riscv_data/origins.json` says of each where it comes from, under which licence, and how it was made
(`gsrgnn.circuits.synthesis`, `placement`, `congestion`); `riscv_data/LICENSES.txt` holds the licences. An `.npz`
file holds, for N cells, P pins, T cell types and a die of W x H gcells:

- cell, net: unsigned [P], one entry a pin; type: uint8 [N], rows of
- types: text [T], names in `library`'s manner; sizes: float64 [T, 2], widths and heights in gcells
- box: uint16 [N, 4], the gcells covered; horizontal, vertical: float32 [W, H], overflow over capacity
- capacity: float64 [2], wires a gcell has room for each way; share: float64, of cells with a label above 0
"""

import hashlib
import io
import json
import os
import re
import warnings
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from gsrgnn.circuits.congestion import Congestion
from gsrgnn.circuits.netlist import Netlist

FOLDER = Path(__file__).parent / "riscv_data"
ORIGINS = "origins.json"
MAX_BYTES = 64 * 2**20  # of a file's arrays together, decompressed
_FIELDS = {  # kind of number, dimensions
    "cell": ("u", 1),
    "net": ("u", 1),
    "type": ("u", 1),
    "types": ("U", 1),
    "sizes": ("f", 2),
    "box": ("u", 2),
    "horizontal": ("f", 2),
    "vertical": ("f", 2),
    "capacity": ("f", 1),
    "share": ("f", 0),
}
_MEND = "install gsrgnn again, or make it with `gsrgnn data build`"


def names() -> list[str]:
    """The circuits that ship: "riscv/picorv32" and so on, smallest first."""
    return list(origins())


def origins(folder: str | os.PathLike[str] = FOLDER) -> dict[str, dict[str, Any]]:
    """What `folder`'s origins.json says, a dict by circuit: its origin, licence, how it was made, its counts."""
    file = Path(folder) / ORIGINS
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}: {_MEND}")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        records = {name: found[name] for name in sorted(found, key=lambda name: found[name]["cells"])}
        named = all(re.fullmatch(r"riscv/[a-z0-9-]+", name) for name in records)
        whole = named and all(len(record["sha256"]) == 64 for record in records.values())
    except Exception as error:  # damaged bytes and missing keys fail in many ways
        raise ValueError(f"{file} is damaged ({type(error).__name__}: {error}): {_MEND}") from error
    _require(whole, file, "a circuit without a name or a checksum")
    return records


def path(name: str, folder: str | os.PathLike[str] = FOLDER) -> Path:
    """The file of the circuit `name` ("riscv/picorv32"). ValueError lists the names if it is none of them."""
    known = origins(folder)
    if name not in known:
        raise ValueError(f"no circuit {name!r} in {folder}: there are {', '.join(known)}")
    return Path(folder) / f"{name.removeprefix('riscv/')}.npz"


def read(name: str, folder: str | os.PathLike[str] = FOLDER) -> tuple[Netlist, Congestion]:
    """The circuit `name` as (Netlist, Congestion). Files are checked before and after they are unpacked.

    ValueError if there is no such circuit, or naming the file that is not as origins.json has it or whose numbers
    make no netlist; FileNotFoundError if it is missing.
    """
    file = path(name, folder)
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}: {_MEND}")
    _require(file.stat().st_size <= MAX_BYTES, file, f"more than {MAX_BYTES:,} bytes")
    packed = file.read_bytes()
    expected = origins(folder)[name]["sha256"]
    _require(hashlib.sha256(packed).hexdigest() == expected, file, f"other bytes than {ORIGINS} has the checksum of")
    arrays = unpack(packed, file)
    _check(arrays, file)
    types, of_cell = arrays["types"].tolist(), arrays["type"]
    netlist = Netlist(
        name=name,
        cell=arrays["cell"].astype(np.int64),
        net=arrays["net"].astype(np.int64),
        cell_type=[types[i] for i in of_cell],
        box=arrays["box"].astype(np.int64),
        grid=arrays["horizontal"].shape,
        size=arrays["sizes"][of_cell],
    )
    maps = arrays["horizontal"], arrays["vertical"]
    return netlist, Congestion(*maps, tuple(arrays["capacity"].tolist()), float(arrays["share"]))


def unpack(packed: bytes, file: object) -> dict[str, np.ndarray]:
    """The arrays in the bytes of an `.npz` file, by name; `file` is what an error calls it.

    Nothing is unpickled, and no room is made beyond `MAX_BYTES` and what the archive truly holds. Members are stored or
    deflated, as NumPy writes them: `zipfile` unpacks bzip2 and LZMA without a bound.
    """
    try:
        entries = packed.count(b"PK\1\2")
        if entries > 2 * len(_FIELDS):  # before a directory of millions is read
            raise ValueError(f"{entries:,} members, of {len(_FIELDS)} needed")
        with zipfile.ZipFile(io.BytesIO(packed)) as archive, warnings.catch_warnings():
            warnings.simplefilter("error")
            members = archive.infolist()
            for member in members:
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError(f"{member.filename[:80]!r} is neither stored nor deflated")
            declared = sum(member.file_size for member in members)
            if declared > MAX_BYTES:
                raise ValueError(f"{declared:,} bytes unpacked, of {MAX_BYTES:,} allowed")
            return {member.filename.removesuffix(".npy"): _array(_member(archive, member)) for member in members}
    except Exception as error:  # damaged bytes can fail anywhere in the parsers of zip, zlib and npy
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ValueError(f"{file} is damaged ({reason}): {_MEND}") from error


def _member(archive, member):
    """Its bytes, no more than it declares: ZipFile.read unpacks everything before it cuts."""
    with archive.open(member) as stream:
        return stream.read(member.file_size)


def _array(data):
    stream = io.BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("an npy version other than 1.0")
    shape, fortran, dtype = npy.read_array_header_1_0(stream)
    left = len(data) - stream.tell()
    if dtype.kind not in "iufU" or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise ValueError(f"an array of {dtype} {shape}")
    if prod(shape) * dtype.itemsize != left:
        raise ValueError(f"{left:,} bytes for {shape} of {dtype}")
    if dtype.kind == "U" and np.frombuffer(data, dtype.byteorder + "u4", offset=stream.tell()).max(initial=0) > 127:
        raise ValueError("text that is not ASCII")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C").copy()


def _check(arrays, file):
    _require(arrays.keys() == _FIELDS.keys(), file, f"{', '.join(arrays)}, needed {', '.join(_FIELDS)}")
    for name, (kind, dimensions) in _FIELDS.items():
        array = arrays[name]
        fits = array.dtype.kind == kind and array.ndim == dimensions and (dimensions == 0 or array.size > 0)
        _require(fits, file, f"{name} of {array.dtype} {array.shape}")
        _require(kind != "f" or (np.isfinite(array).all() and array.min() >= 0), file, f"a {name} that is no size")
    cell, net, of_cell, box = (arrays[name] for name in ("cell", "net", "type", "box"))
    _require(len(cell) == len(net), file, f"{len(cell)} pins' cells and {len(net)} pins' nets")
    _require(len(of_cell) < len(cell), file, f"{len(of_cell)} cells with {len(cell)} pins")
    for what, indices, count in (("cell", cell, len(of_cell)), ("net", net, int(net.max()) + 1)):
        counted = indices.max() < count <= len(cell) and np.bincount(indices, minlength=count).all()
        _require(counted, file, f"pins that leave out a {what} of {count:,} or name another")
    _require(of_cell.max() < len(arrays["types"]), file, "a cell of a type without a name")
    _require(arrays["sizes"].shape == (len(arrays["types"]), 2), file, "types and sizes that do not go together")
    _require((arrays["sizes"] > 0).all(), file, "a cell type of no width or height")
    grid = arrays["horizontal"].shape
    _require(arrays["vertical"].shape == grid, file, "horizontal and vertical maps of two shapes")
    _require(box.shape == (len(of_cell), 4), file, f"boxes of shape {box.shape} for {len(of_cell)} cells")
    inside = (box[:, :2] <= box[:, 2:]).all() and (box[:, 2:].max(axis=0) < grid).all()
    _require(inside, file, "a box outside its die")
    _require(arrays["capacity"].shape == (2,) and arrays["share"] <= 1, file, "a capacity or share out of range")


def _require(condition, file, found):
    if not condition:
        raise ValueError(f"{file} holds {found}: {_MEND}")
