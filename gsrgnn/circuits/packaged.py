"""Circuits that come with the package: netlists of open RTL, placed, with simulated congestion.

`packaged_data/origins.json` says of each where it comes from, under which licence, and how it was made
(`gsrgnn.circuits.synthesis`, `placement`, `congestion`); `packaged_data/LICENSES.txt` holds the licences. A name is a
family and a design, "riscv/picorv32"; its file (`gsrgnn.circuits.netlist_file`) is named by the design alone.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from gsrgnn.circuits import netlist_file
from gsrgnn.circuits.congestion import Congestion
from gsrgnn.circuits.netlist import Netlist
from gsrgnn.circuits.netlist_file import MEND, require

FOLDER = Path(__file__).parent / "packaged_data"
ORIGINS = "origins.json"


def names() -> list[str]:
    """The circuits that ship: "riscv/picorv32" and so on, smallest first."""
    return list(origins())


def origins(folder: str | os.PathLike[str] = FOLDER) -> dict[str, dict[str, Any]]:
    """What `folder`'s origins.json says, a dict by circuit: its origin, licence, how it was made, its counts."""
    file = Path(folder) / ORIGINS
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}: {MEND}")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        records = {name: found[name] for name in sorted(found, key=lambda name: found[name]["cells"])}
        named = all(re.fullmatch(r"[a-z]+/[a-z0-9-]+", name) for name in records)
        whole = named and all(len(record["sha256"]) == 64 for record in records.values())
    except Exception as error:  # damaged bytes and missing keys fail in many ways
        raise ValueError(f"{file} is damaged ({type(error).__name__}: {error}): {MEND}") from error
    require(whole, file, "a circuit without a name or a checksum")
    return records


def path(name: str, folder: str | os.PathLike[str] = FOLDER) -> Path:
    """The file of the circuit `name` ("riscv/picorv32"). ValueError lists the names if it is none of them."""
    known = origins(folder)
    if name not in known:
        raise ValueError(f"no circuit {name!r} in {folder}: there are {', '.join(known)}")
    return Path(folder) / f"{name.partition('/')[2]}.npz"


def read(name: str, folder: str | os.PathLike[str] = FOLDER) -> tuple[Netlist, Congestion]:
    """The circuit `name` as (Netlist, Congestion). Files are checked before and after they are unpacked.

    ValueError if there is no such circuit, or naming the file that is not as origins.json has it or whose numbers
    make no netlist; FileNotFoundError if it is missing.
    """
    file = path(name, folder)
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}: {MEND}")
    packed = netlist_file.packed(file)
    expected = origins(folder)[name]["sha256"]
    require(hashlib.sha256(packed).hexdigest() == expected, file, f"other bytes than {ORIGINS} has the checksum of")
    return netlist_file.circuit(netlist_file.unpack(packed, file), name, file)
