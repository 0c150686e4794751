"""Placed netlists in files: what ships, layouts, and circuits made of one's own RTL are `.npz` files of one format.

For N cells, P pins, T cell types and a die of W x H gcells a file holds:

- cell, net: unsigned [P], one entry a pin; type: unsigned [N], rows of
- types: text [T], names in `library`'s manner; sizes: float64 [T, 2], widths and heights in gcells
- box: uint16 [N, 4], the gcells covered; horizontal, vertical: float32 [W, H], overflow over capacity
- capacity: float64 [2], wires a gcell has room for each way; share: float64, of cells with a label above 0
- about: text, a JSON object that says what the circuit is and how it was made; "name" is its name. What ships has
  none: `packaged` has its origins in one file.
"""

import io
import json
import os
import warnings
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from gsrgnn.circuits.congestion import Congestion
from gsrgnn.circuits.netlist import Netlist

MAX_BYTES = 64 * 2**20  # of a file's arrays together, decompressed
MEND = "make it again (`gsrgnn data build`, `gsrgnn data layouts`), or install gsrgnn again if it came with it"
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
_ABOUT = {"about": ("U", 0)}


def write(
    file: str | os.PathLike[str], netlist: Netlist, maps: Congestion, about: dict[str, Any] | None = None
) -> None:
    """Writes a netlist with sizes and its congestion, whole or not at all; the same content gives the same bytes.

    about: what `read` gives back; without it the file has none and is read by what knows its name.
    """
    file = Path(file)
    if netlist.size is None or maps.capacity is None or maps.share is None:
        raise ValueError(f"{netlist.name}: a file holds sizes of cells, capacity and share; one of them is not known")
    types, of_cell = np.unique(netlist.cell_type, return_inverse=True)
    kinds, of_cell = np.unique(np.column_stack([of_cell, netlist.size]), axis=0, return_inverse=True)
    arrays = {
        "cell": _narrow(netlist.cell),
        "net": _narrow(netlist.net),
        "type": _narrow(of_cell),
        "types": types[kinds[:, 0].astype(np.int64)],
        "sizes": kinds[:, 1:],
        "box": netlist.box.astype(np.uint16),
        "horizontal": maps.horizontal,
        "vertical": maps.vertical,
        "capacity": np.array(maps.capacity, dtype=float),
        "share": np.array(maps.share, dtype=float),
    }
    if about is not None:
        arrays["about"] = np.array(json.dumps({"name": netlist.name} | about))
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def read(file: str | os.PathLike[str]) -> tuple[Netlist, Congestion, dict[str, Any]]:
    """(Netlist, Congestion, about) of a file that `write` wrote with an `about`.

    ValueError names the file that is damaged or whose numbers make no netlist; OSError if it cannot be read.
    """
    arrays = unpack(packed(file), file)
    said = _about(arrays, file)
    return *circuit(arrays, said["name"], file), said


def about(file: str | os.PathLike[str]) -> dict[str, Any]:
    """What `write` was told of the circuit in `file`, and its "name". Errors as for `read`; its numbers may be any."""
    return _about(unpack(packed(file), file), file)


def _about(arrays, file):
    try:
        said = json.loads(str(arrays["about"]))
        name = said["name"]
        whole = isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable()
    except (KeyError, TypeError, ValueError, RecursionError):
        whole = False
    require(whole, file, "no word about what it is")
    return said


def packed(file: str | os.PathLike[str]) -> bytes:
    """The bytes of a file, `MAX_BYTES` at most."""
    require(os.stat(file).st_size <= MAX_BYTES, file, f"more than {MAX_BYTES:,} bytes")
    return Path(file).read_bytes()


def circuit(arrays: dict[str, np.ndarray], name: str, file: object) -> tuple[Netlist, Congestion]:
    """The arrays that `unpack` gives as (Netlist, Congestion), checked; `file` is what an error calls them."""
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
        raise ValueError(f"{file} is damaged ({reason}): {MEND}") from error


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
    require(arrays.keys() - _ABOUT == _FIELDS.keys(), file, f"{', '.join(arrays)}, needed {', '.join(_FIELDS)}")
    for name, array in arrays.items():
        kind, dimensions = (_FIELDS | _ABOUT)[name]
        fits = array.dtype.kind == kind and array.ndim == dimensions and (dimensions == 0 or array.size > 0)
        require(fits, file, f"{name} of {array.dtype} {array.shape}")
        require(kind != "f" or (np.isfinite(array).all() and array.min() >= 0), file, f"a {name} that is no size")
    cell, net, of_cell, box = (arrays[name] for name in ("cell", "net", "type", "box"))
    require(len(cell) == len(net), file, f"{len(cell)} pins' cells and {len(net)} pins' nets")
    require(len(of_cell) < len(cell), file, f"{len(of_cell)} cells with {len(cell)} pins")
    for what, indices, count in (("cell", cell, len(of_cell)), ("net", net, int(net.max()) + 1)):
        counted = indices.max() < count <= len(cell) and np.bincount(indices, minlength=count).all()
        require(counted, file, f"pins that leave out a {what} of {count:,} or name another")
    require(of_cell.max() < len(arrays["types"]), file, "a cell of a type without a name")
    require(arrays["sizes"].shape == (len(arrays["types"]), 2), file, "types and sizes that do not go together")
    require((arrays["sizes"] > 0).all(), file, "a cell type of no width or height")
    grid = arrays["horizontal"].shape
    require(arrays["vertical"].shape == grid, file, "horizontal and vertical maps of two shapes")
    require(box.shape == (len(of_cell), 4), file, f"boxes of shape {box.shape} for {len(of_cell)} cells")
    inside = (box[:, :2] <= box[:, 2:]).all() and (box[:, 2:].max(axis=0) < grid).all()
    require(inside, file, "a box outside its die")
    require(arrays["capacity"].shape == (2,) and arrays["share"] <= 1, file, "a capacity or share out of range")


def require(condition: object, file: object, found: str) -> None:
    """ValueError that `file` holds `found`, and how to mend it, unless the condition is true."""
    if not condition:
        raise ValueError(f"{file} holds {found}: {MEND}")


def _narrow(values):
    return values.astype(np.min_scalar_type(values.max()))
