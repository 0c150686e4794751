"""From a netlist to the `Data` that models are trained on."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Literal, NoReturn, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import cumsum

from gsrgnn.arguments import integers
from gsrgnn.circuits import congestion, table1
from gsrgnn.circuits.congestion import Combine, Congestion
from gsrgnn.circuits.features import FEATURE_NAMES, cell_features
from gsrgnn.circuits.netlist import Netlist
from gsrgnn.circuits.placement_features import PLACED_NAMES, placed_features
from gsrgnn.circuits.splits import masks_by_cell
from gsrgnn.pins import check_pairs, pins_of

Source: TypeAlias = Literal["circuitnet", "wires", "routed", "rudy"]
SOURCES: dict[Source, str] = {
    "circuitnet": "CircuitNet: global routing overflow ({combine})",
    "wires": "the wires of a DEF file",
    "routed": "simulated: global routing",
    "rudy": "simulated: RUDY",
}
Features: TypeAlias = Literal["netlist", "placed"]
FEATURES: dict[Features, tuple[list[str], Callable[[Netlist], NDArray[np.float32]]]] = {
    "netlist": (FEATURE_NAMES, cell_features),
    "placed": (PLACED_NAMES, placed_features),
}
Units: TypeAlias = Literal["largest", "capacity"]
UNITS: tuple[Units, ...] = ("largest", "capacity")
# What a circuit does not say of a label that knows nothing of it.
_UNSAID = {"circuitnet": {"capacity"}, "rudy": {"capacity", "combine", "share"}}


class Circuit(Data):
    """A PyG `Data` with pins, which stay its cells' own: in a `Batch`, and in the `subgraph` of some of its cells.

    `cell` and `net` are int64 [P], the cell (0 to `num_nodes` - 1) and the net (from 0) of each pin; `n_id` int64 [N]
    numbers the cells, so that whatever chooses or reorders them is noticed. `Circuit.from_data(data)` makes one of
    any `Data` with pins. Where there is something of each net, an int `num_nets` says how many there are. Circuits of
    different labels go into one `Batch`; their attributes are those that
    `gsrgnn.circuits.load` describes.

    ValueError for pins that are not integers, of two lengths, or of other cells than there are.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "cell" in self and "net" in self:
            if not self._store.can_infer_num_nodes:
                raise ValueError("a Circuit has pins and no number of cells: give it num_nodes (or x)")
            for key in ("cell", "net"):
                pins, checked = self[key], integers(key, self[key])
                self[key] = pins.long() if isinstance(pins, torch.Tensor) else torch.tensor(checked)
            check_pairs(self.cell, self.net)
            _check_cells(self.cell, self.num_nodes)
            if "n_id" not in self:
                self.n_id = torch.arange(self.num_nodes, device=self.cell.device)

    @classmethod
    def from_data(cls, data: Data) -> Circuit:
        """The Circuit of a `Data` with `cell`, `net` and `num_nodes` (or `x`); its tensors are shared, not copied."""
        if "cell" not in data or "net" not in data:
            raise ValueError("data has no pins (cell and net), which a Circuit is made of: keep it as it is")
        pins_of(data)
        return cls.from_dict(data.to_dict())

    @property
    def edge_index(self) -> Tensor | None:
        """int64 [2, E], or None; AttributeError where there are pins instead, so that what needs edges says so."""
        if "edge_index" in self._store or "cell" not in self._store:
            return self._store.get("edge_index")
        return self.__getattr__("edge_index")

    def __getattr__(self, key):
        if key == "edge_index":
            raise AttributeError("a Circuit has pins (cell and net) and no edge_index: ToEdgeIndex() makes one of them")
        return super().__getattr__(key)

    def __inc__(self, key, value, *args, **kwargs):
        if key in ("cell", "n_id"):
            return self.num_nodes
        if key == "net":
            return self.num_nets if "num_nets" in self else int(value.max()) + 1 if value.numel() else 0
        return super().__inc__(key, value, *args, **kwargs)

    def keys(self) -> list[str]:
        """Names of the attributes. Those that a label says nothing of are kept for `Batch`, and are not among them."""
        label = self._store.get("label")
        unsaid = _UNSAID.get(label, set()) if isinstance(label, str) else set()
        return list(set(super().keys()) - unsaid)

    def get(self, key: str, default: Any = None) -> Any:
        """The attribute `key` if it is among `keys`, else `default`."""
        return self._store[key] if key in self.keys() else default

    def subgraph(self, subset: Tensor | ArrayLike) -> Circuit:
        """The circuit of the cells `subset` (int64 [M], each once, or bool [N]) and their pins, nets as they were.

        A tensor with as many rows as there are pins, and not as many as cells, is taken to be of the pins.
        """
        subset = torch.as_tensor(subset)
        out = super().subgraph(subset)
        for key, value in self._store.items():
            if not torch.is_tensor(value) and key != "num_nodes":  # a list as long as there are cells is none of theirs
                out[key] = value
        if "cell" not in self or "net" not in self:
            return out
        kept = subset.nonzero().flatten() if subset.dtype == torch.bool else subset
        new = torch.full((self.num_nodes,), -1, dtype=torch.long, device=self.cell.device)
        new[kept] = torch.arange(len(kept), device=new.device)
        if int((new >= 0).sum()) < len(kept):
            raise ValueError("subset names a cell twice: name each once")
        cell = new[self.cell]
        if len(cell) != self.num_nodes:
            for key, value in self._store.items():
                if torch.is_tensor(value) and value.dim() and len(value) == len(cell):
                    out[key] = value[cell >= 0]
        out.cell, out.net = cell[cell >= 0], self.net[cell >= 0]
        out.n_id = torch.arange(len(kept), device=new.device)
        if "num_nodes" in self:
            out.num_nodes = len(kept)
        if "ptr" in self:  # of a Batch, which cannot be taken apart any more
            out.ptr = cumsum(torch.bincount(out.batch, minlength=len(self.ptr) - 1))
            for name in ("_slice_dict", "_inc_dict", "_num_nodes"):
                out._store.__dict__.pop(name, None)
        return out

    def edge_subgraph(self, subset: Tensor) -> Circuit:
        """As PyG's; ValueError while there are pins, which know nothing of the edges that go."""
        self._without_pins("edge_subgraph takes edges away and no pin")
        return super().edge_subgraph(subset)

    def to_heterogeneous(self, *args: Any, **kwargs: Any) -> Data:
        """As PyG's; ValueError while there are pins, which know nothing of types."""
        self._without_pins("to_heterogeneous reorders nodes and no pin")
        return super().to_heterogeneous(*args, **kwargs)

    def concat(self, data: Data) -> NoReturn:
        """Refused with ValueError: circuits go side by side in a `Batch`."""
        raise ValueError("concat renumbers neither edges nor pins: use Batch.from_data_list([one, other])")

    def _without_pins(self, why):
        if "cell" in self:
            raise ValueError(f"{why}: take ToEdgeIndex() without keep_pins, or del data.cell, data.net")


torch.serialization.add_safe_globals([Circuit])  # an `InMemoryDataset` of PyG's names its class where it is stored


def to_data(
    netlist: Netlist,
    label: Source | None = "routed",
    combine: Combine = "max",
    maps: Congestion | None = None,
    *,
    features: Features = "netlist",
    units: Units = "largest",
) -> Circuit:
    """`netlist` with features, label and split, as described at `gsrgnn.circuits.load`.

    label: a key of `SOURCES`, or None for data with neither y nor a word of a label. maps: the `Congestion` that a
    label "circuitnet", "wires" or "routed" is made of; without it the netlist is routed here.
    """
    if label is not None:
        check_choice("label", label, SOURCES)
    check_choices(label, combine, features, units)
    if label in ("circuitnet", "wires") and maps is None:
        whose = "CircuitNet's own maps" if label == "circuitnet" else "the maps of a router (gsrgnn.circuits.usage)"
        raise ValueError(f"label {label!r} is made of {whose}: give them, or take label='routed'")
    names, features_of = FEATURES[features]
    x = features_of(netlist)  # before the maps say how large the die is
    labelled: dict[str, Any] = {}
    if label is not None:
        netlist, labelled = _labelled(netlist, label, combine, maps, units)
    in_netlist, in_placement = netlist.named or (netlist.num_cells, netlist.num_cells)
    train, val, test = masks_by_cell(netlist.num_cells, table1.held_share(netlist.name))
    return Circuit(
        x=torch.from_numpy(x),
        pos=torch.from_numpy(netlist.centre.astype(np.float32)),
        cell=torch.from_numpy(netlist.cell),
        net=torch.from_numpy(netlist.net),
        gcell=torch.from_numpy(netlist.box),
        grid=netlist.grid,
        train_mask=train,
        val_mask=val,
        test_mask=test,
        name=netlist.name,
        features=features,
        feature_names=list(names),
        cells_in_netlist=in_netlist,
        cells_in_placement=in_placement,
        num_nodes=netlist.num_cells,
        **labelled,
    )


def _labelled(netlist, label, combine, maps, units):
    """The netlist on the maps' grid, and the label with what is said of it, by name."""
    capacity: tuple[float, ...] = ()
    if label == "rudy":
        values, combine = _rudy_label(netlist), ""
    else:
        maps = maps or congestion.routed(netlist)
        netlist = replace(netlist, grid=maps.horizontal.shape)
        values = congestion.cell_label(maps.horizontal, maps.vertical, netlist.box, combine)
        if maps.capacity is not None:
            capacity = tuple(float(side) for side in maps.capacity)
    values = values.reshape(netlist.num_cells, -1)
    scale = (float(values.max()) or 1.0) if units == "largest" else 1.0
    return netlist, {
        "y": torch.from_numpy((values / scale).astype(np.float32)),
        "label": label,
        "label_source": SOURCES[label].format(combine=combine),
        "label_scale": scale,
        "units": units,
        "combine": combine,
        "capacity": capacity,
        "share": float((values > 0).any(axis=1).mean()),
    }


def check_choices(label: str | None, combine: Combine, features: Features, units: Units) -> None:
    """ValueError unless `combine`, `features` and `units` are known, and a label of that source can be had so."""
    congestion.check_combine(combine)
    check_choice("features", features, FEATURES)
    check_choice("units", units, UNITS)
    if label == "rudy" and units == "capacity":
        raise ValueError("label 'rudy' knows no capacity: take units='largest', or label='routed'")
    if label == "rudy" and combine == "both":
        raise ValueError("label 'rudy' has no two directions for combine='both': take label='routed'")


def check_choice(what: str, given: object, known: Collection[str]) -> None:
    """ValueError that lists what is `known` unless `given` is one of it."""
    if not isinstance(given, str) or given not in known:
        raise ValueError(f"{what} {reprlib.repr(given)} is unknown: it is one of {', '.join(known)}")


def _rudy_label(netlist):
    """RUDY with every pin at its cell's centre: the mean demand over the gcells that a cell covers."""
    demand = congestion.rudy(netlist.net, netlist.centre.astype(np.int64)[netlist.cell], netlist.grid)
    return congestion.box_mean(demand, netlist.box).clip(min=0)


def _check_cells(cell, num_cells):
    if len(cell) and (cell.min() < 0 or cell.max() >= num_cells):
        raise ValueError(
            f"cell holds {int(cell.min())} to {int(cell.max())}: a Circuit of {num_cells} cells has 0 to "
            f"{num_cells - 1}"
        )
