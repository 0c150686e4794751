"""Circuits and layouts as data sets of PyTorch Geometric, and as the edges that its own models take."""

import hashlib
import io
import os
import pickle
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from filelock import FileLock
from torch_geometric.data import Data, Dataset, InMemoryDataset
from torch_geometric.transforms import BaseTransform

from gsrgnn import circuits
from gsrgnn.circuits import Label, circuitnet, netlist_file
from gsrgnn.circuits.circuitnet import Folder
from gsrgnn.circuits.congestion import Combine
from gsrgnn.circuits.data import Circuit, Features, Units, check_choices, to_data
from gsrgnn.graph import CircuitGraph
from gsrgnn.memory import check_memory
from gsrgnn.provenance import code_hash

_DIGEST = hashlib.sha256().digest_size
_LAYOUT = {"design": str, "utilisation": float, "aspect": float, "macros": str, "seed": int}
_MAKE = "make them with `gsrgnn data layouts"


class CircuitDataset(InMemoryDataset):
    """One circuit, as `gsrgnn.circuits.load` gives it, kept ready under `root`/processed.

    name, label, combine, features, units: as for `load`. circuitnet_root: CircuitNet's folder; default is the variable
    CIRCUITNET_ROOT. transform, pre_transform, pre_filter, force_reload: as for every PyG data set.

    The file kept is named by the circuit and a hash of everything it was made from: options, this package's code for
    circuits, and the contents of CircuitNet's files. So what changes is made anew, except that a `pre_transform` or
    `pre_filter` is known by its name alone: use force_reload where the same name does something else. The file is
    written whole or not at all, by one process at a time, and read without running what it holds.

    Warnings, ValueError and FileNotFoundError as for `load`; ValueError if `pre_filter` refuses the circuit, or if
    `pre_transform` leaves something that is neither tensors, numbers, text nor lists, tuples or dicts of them.
    """

    def __init__(
        self,
        root: Folder,
        name: str,
        label: Label = "auto",
        combine: Combine = "max",
        transform: Callable[[Data], Data] | None = None,
        pre_transform: Callable[[Data], Data] | None = None,
        pre_filter: Callable[[Data], bool] | None = None,
        force_reload: bool = False,
        *,
        features: Features = "netlist",
        units: Units = "largest",
        circuitnet_root: Folder | None = None,
    ) -> None:
        circuits.check_options(name, label, combine, features, units)
        if not isinstance(root, (str, bytes, os.PathLike)):
            raise ValueError(f"root is {root!r:.200}: give the path of the folder to keep the circuit in")
        self.circuit, self.label, self.combine, self.circuitnet_root = name, label, combine, circuitnet_root
        self.features, self.units = features, units
        super().__init__(os.fsdecode(root), transform, pre_transform, pre_filter, force_reload=force_reload)
        path = Path(self.processed_paths[0])
        if path.is_file() and not force_reload:
            if label == "auto" and name.startswith("circuitnet/"):
                circuitnet.real_label(name.partition("/")[2], circuitnet_root)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.name}.lock")):
                if force_reload or not path.is_file():
                    self._make(path)
        self.data, self.slices = Circuit.from_dict(_read(path)), None

    @property
    def processed_file_names(self) -> list[str]:
        """The one file: the circuit's name and a hash of all that it is made from."""
        made_by = self.label, self.combine, self.features, self.units
        made_from = [self.circuit, *made_by, _named(self.pre_transform), _named(self.pre_filter)]
        made_from.append(code_hash(Path(circuits.__file__).parent))
        kind, _, rest = self.circuit.partition("/")
        if kind == "circuitnet" and circuitnet.is_name(rest):
            for file in circuitnet.files(rest, self.circuitnet_root):
                made_from.append(hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None)
        for file in circuits.sources(self.circuit, self.circuitnet_root):
            made_from.append(hashlib.sha256(file.read_bytes()).hexdigest())
        key = hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]
        return [f"{re.sub('[^A-Za-z0-9.-]', '-', self.circuit)[:100]}-{key}.pt"]

    def _make(self, path):
        data = circuits.load(
            self.circuit,
            self.circuitnet_root,
            features=self.features,
            label=self.label,
            combine=self.combine,
            units=self.units,
        )
        if self.pre_filter is not None and not self.pre_filter(data):
            raise ValueError(f"pre_filter leaves nothing: this data set holds the one circuit {self.circuit!r}")
        if self.pre_transform is not None:
            data = self.pre_transform(data)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
            temporary = Path(folder, path.name)
            _write(data.to_dict(), temporary)
            try:
                _read(temporary)
            except ValueError as error:
                raise ValueError(f"what pre_transform made of {self.circuit!r} cannot be kept: {error}") from error
            os.replace(temporary, path)

    def __repr__(self):
        return f"{type(self).__name__}({self.circuit!r}, label={self._data.label!r})"


class LayoutDataset(Dataset):
    """The layouts in a folder that `gsrgnn data layouts` made (`gsrgnn.circuits.layouts`), in the order of their names.

    folder: with one layout or more. label: "routed", the congestion in the files, or "rudy". combine, features: as for
    `gsrgnn.circuits.load`. transform: as for every PyG data set.

    An item is the `Circuit` that `load` would give, read when it is asked for, with `design`, `utilisation`, `aspect`,
    `macros` and `seed`. Its label is not divided by its largest: `label_scale` is 1, so that one unit holds for all
    layouts: `units` is "capacity", or for "rudy" "wire length" a gcell. `designs` are the names of the designs, sorted.

    ValueError if the folder has no layouts or naming a file that is none; FileNotFoundError if there is no folder.
    """

    def __init__(
        self,
        folder: Folder,
        label: Literal["routed", "rudy"] = "routed",
        combine: Combine = "max",
        transform: Callable[[Data], Data] | None = None,
        *,
        features: Features = "netlist",
    ) -> None:
        if label not in ("routed", "rudy"):
            raise ValueError(f"label {label!r} is unknown: layouts have routed or rudy")
        check_choices(label, combine, features, "largest")
        self.folder, self.label, self.combine, self.features = Path(os.fsdecode(folder)), label, combine, features
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no folder {self.folder}: {_MAKE} -o {self.folder}`")
        self.files = sorted(self.folder.glob("[!.]*.npz"))
        if not self.files:
            raise ValueError(f"{self.folder} has no layouts: {_MAKE} -o {self.folder}`")
        said = [netlist_file.about(file) for file in self.files]
        for file, words in zip(self.files, said, strict=True):
            if not all(isinstance(words.get(key), kind) for key, kind in _LAYOUT.items()):
                raise ValueError(f"{file} is no layout: {_MAKE}` in a folder of their own")
        self._design_of = [words["design"] for words in said]
        super().__init__(transform=transform)

    @property
    def designs(self) -> list[str]:
        return sorted({self._design_of[i] for i in self.indices()})

    def split(
        self, val: Sequence[str] = (), test: Sequence[str] = ()
    ) -> tuple["LayoutDataset", "LayoutDataset", "LayoutDataset"]:
        """Three data sets, of no common design: the designs not named, those of `val`, and those of `test`."""
        for name in (*val, *test):
            if name not in self.designs:
                raise ValueError(f"no layouts of a design {name!r}: there are {', '.join(self.designs)}")
        if both := set(val) & set(test):
            raise ValueError(f"val and test both name {', '.join(sorted(both))}: a design is in one part")
        parts = [set(self.designs) - {*val, *test}, set(val), set(test)]
        designs = [self._design_of[i] for i in self.indices()]
        train, validation, held = (
            self.index_select([i for i, name in enumerate(designs) if name in part]) for part in parts
        )
        return train, validation, held

    def len(self) -> int:
        return len(self.files)

    def get(self, idx: int) -> Circuit:
        netlist, maps, said = netlist_file.read(self.files[idx])
        if self.label == "routed":
            data = to_data(netlist, "routed", self.combine, maps, features=self.features, units="capacity")
        else:
            data = to_data(netlist, "rudy", self.combine, features=self.features)
            data.y, data.label_scale, data.units = data.y * data.label_scale, 1.0, "wire length"
        for key in _LAYOUT:
            data[key] = said[key]
        return data

    def __repr__(self):
        return f"{type(self).__name__}({len(self)} layouts, {len(self.designs)} designs)"


class ToEdgeIndex(BaseTransform):
    """Puts `edge_index` in the place of the pins, for models of PyG's own and its samplers.

    multiplicity: what becomes of two cells joined more than once. "edge_weight" (default) keeps each pair once, with
    the number of its edges in `edge_weight` float32 [E]; "repeat" repeats the edge; "once" forgets the number.
    self_loops: one for each cell; without, because PyG's models add their own. max_net: leave out the nets of more
    pins (None: none). keep_pins: keep `cell` and `net` too, which samplers and subgraphs would not renumber.

    `edge_index` is int64 [2, E], sources first, sorted by target and then by source, on the pins' device; edges that
    were there before go, with their edge_weight and edge_attr. ValueError for data without pins and as for
    `CircuitGraph.from_data`; MemoryError where the edges are more than the memory that is free.
    """

    def __init__(
        self,
        multiplicity: Literal["edge_weight", "repeat", "once"] = "edge_weight",
        self_loops: bool = False,
        max_net: int | None = None,
        keep_pins: bool = False,
    ) -> None:
        if multiplicity not in ("edge_weight", "repeat", "once"):
            raise ValueError(f"multiplicity {multiplicity!r} is unknown: it is edge_weight, repeat or once")
        for name, value in (("self_loops", self_loops), ("keep_pins", keep_pins)):
            if not isinstance(value, bool):
                raise ValueError(f"{name} is {value!r}: it takes True or False")
        self.multiplicity, self.self_loops, self.max_net = multiplicity, self_loops, max_net
        self.keep_pins = keep_pins

    def forward(self, data: Data) -> Data:
        if isinstance(data, Data) and not ("cell" in data and "net" in data):
            raise ValueError("data has no pins (cell and net), which ToEdgeIndex makes edges of")
        graph = CircuitGraph.from_data(
            data,
            norm="sum",
            self_loops=self.self_loops,
            max_net=self.max_net,
            multiplicity=self.multiplicity != "once",
        )
        repeated = graph.num_edges if self.multiplicity == "repeat" else 0
        advice = "leave out large nets with max_net, or use CircuitGraph, which aggregates via='nets' without edges"
        check_memory(24 * repeated, f"an edge_index of {repeated:,} edges", advice)
        matrix = graph.through("edges").adjacency()
        pairs = len(matrix.indices)
        check_memory(32 * pairs + 24 * repeated, f"an edge_index of {repeated or pairs:,} edges", advice)
        target = torch.repeat_interleave(torch.arange(graph.num_nodes), matrix.indptr.diff())
        edges = torch.stack([matrix.indices.long(), target])
        if self.multiplicity == "repeat":
            edges = edges.repeat_interleave(matrix.weight.long(), dim=1)
        device = getattr(data.cell, "device", "cpu")
        for old in ("edge_weight", "edge_attr"):
            if old in data:
                del data[old]
        if self.multiplicity == "edge_weight":
            data.edge_weight = matrix.weight.to(device)
        data.edge_index = edges.to(device)
        if not self.keep_pins:
            del data.cell, data.net
        return data

    def __repr__(self):
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({options})"


def _write(content, path):
    """`content` as torch.save writes it, and the SHA-256 of that: torch.load itself misses flipped bits."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue() + hashlib.sha256(buffer.getvalue()).digest())


def _read(path):
    """The dict that `_write` wrote; nothing but tensors and plain values is built from it."""
    whole = path.read_bytes()
    content, digest = whole[:-_DIGEST], whole[-_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError(f"{path} is not as it was written: use force_reload=True")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > len(content):
                raise pickle.UnpicklingError("it is packed, and torch.save packs nothing")
        return torch.load(io.BytesIO(content), weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0][:200]
        raise ValueError(f"{path} holds what is not read back ({reason}): use force_reload=True") from error


def _named(function):
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(function))
