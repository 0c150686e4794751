"""A circuit as a graph: cells joined through nets, every net a clique over its pins."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeAlias, TypeVar, get_args
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.utils._pytree import tree_leaves

from gsrgnn.arguments import TensorLike, as_array, flag, integers, shown, whole
from gsrgnn.eager import eager
from gsrgnn.kernels.adjacency import Adjacency, Incidence
from gsrgnn.memory import check_memory
from gsrgnn.pins import check_pairs, pins_of

if TYPE_CHECKING:
    from torch_geometric.data import Data

Norm: TypeAlias = Literal["sum", "mean", "sym"]
Via: TypeAlias = Literal["edges", "nets"]
Structure: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # of an `Adjacency`, its scales apart
Made = TypeVar("Made")

NORMS: tuple[Norm, ...] = get_args(Norm)
MOST = 2**31 - 1  # nodes, whose numbers the kernels read as int32
LARGEST = 1 / np.finfo(np.float32).tiny  # a row sum that a norm divides by in float32
DIRECT = 3  # pins of a net up to which its s (s - 1) pairs are no more than the 2 s entries of a sum over it
_numbers = itertools.count()
_graphs: WeakValueDictionary[int, CircuitGraph] = WeakValueDictionary()


class CircuitGraph:
    """The graph over which features are aggregated: ``A``, its normalisation and its transpose.

    From pins, ``A = B B^T - diag(rowsum(B * B)) + I`` with ``B [cells, nets]`` counting pins: two cells are joined
    once for each pair of their pins on a common net (so with multiplicity), a cell is not joined to itself through
    a net, and ``I`` is there when ``self_loops`` is. The clique matrix is built when it is first needed, for the
    route over the edges and for `num_pairs`; MemoryError if it may be more than the memory that is free.

    ``norm`` is ``"sum"`` (``A``), ``"mean"`` (``D^-1 A``) or ``"sym"`` (``D^-1/2 A D^-1/2``), ``D`` being the row
    sums of ``A``; a row whose sum is zero (below 1.2e-38, float32's smallest) stays zero.

    Make one with `from_pins`, `from_edge_index` or `from_data`.
    """

    def __init__(
        self,
        num_edges: int,
        degree: NDArray[np.float64],
        norm: Norm,
        pins: sparse.csr_array | None = None,
        matrix: sparse.csr_array | None = None,
    ) -> None:
        if norm not in NORMS:
            raise ValueError(f"norm {norm!r} is unknown; it is one of {', '.join(NORMS)}")
        self.num_nodes = len(degree)
        self.num_edges = num_edges
        self.norm = norm
        self.device = torch.device("cpu")
        self._degree = degree
        self._pins: sparse.csr_array = pins  # None where no pins are known
        self._symmetric = matrix is None
        self._prepared: dict[tuple[Any, ...], Any] = {}
        self.via: Via = "edges"
        if matrix is not None:
            self._matrix = matrix
        elif pins is not None and 2 * pins.nnz < num_edges:
            self.via = "nets"
        self._number()

    @classmethod
    def from_pins(
        cls,
        cell: TensorLike,
        net: TensorLike,
        num_cells: SupportsIndex,
        norm: Norm = "mean",
        self_loops: bool = True,
        max_net: SupportsIndex | None = None,
        multiplicity: bool = True,
    ) -> CircuitGraph:
        """The clique graph of a netlist; by default the paper's: every net, with multiplicity and self-loops.

        Args:
            cell, net: integer ``[P]``, the cell and the net of each pin: tensors, arrays, a table's columns or lists. A
                cell with two pins on a net stands there twice. Nets are any non-negative int64 numbers.
            num_cells: number of cells, which may exceed the highest one that has a pin.
            max_net: leave out the nets of more pins than this; None keeps all.
            multiplicity: False joins two cells once, however many pairs of pins they share. No sum over the nets
                equals that graph, so it has no route `through` them, and its clique matrix is built at once.

        Raises ValueError if the two are not 1-D, integer and of one length, or name a cell outside
        ``0 .. num_cells - 1``, or if an option is not one named here; MemoryError where ``num_cells``, or the clique
        matrix of a graph without multiplicity, is more than the memory that is free.
        """
        cell, net = integers("cell", cell), integers("net", net)
        num_cells = _count("num_cells", num_cells)
        self_loops, multiplicity = flag("self_loops", self_loops), flag("multiplicity", multiplicity)
        check_pairs(cell, net)
        _within("cell", cell, num_cells)
        nets, net = np.unique(net, return_inverse=True)
        if max_net is not None:
            most = whole(max_net)
            if most is None or most < 2:
                raise ValueError(f"max_net is {shown(max_net)}: it takes a whole number of pins, at least 2, or None")
            small = np.bincount(net, minlength=len(nets))[net] <= most
            cell, net = cell[small], net[small]
        cell, net = cell.astype(np.int32), net.astype(np.int32)
        pins = sparse.csr_array((np.ones(len(cell)), (cell, net)), shape=(num_cells, len(nets)))
        pins.sum_duplicates()
        pins = sparse.csr_array(pins[:, np.diff(pins.tocsc().indptr) > 1])
        degree = _joined(pins) + self_loops
        graph = cls(int(degree.sum()), degree, norm, pins=pins)
        return graph if multiplicity else graph._joined_once()

    @classmethod
    def from_edge_index(
        cls,
        edge_index: TensorLike,
        num_nodes: SupportsIndex,
        edge_weight: TensorLike | None = None,
        norm: Norm = "mean",
        self_loops: bool = False,
    ) -> CircuitGraph:
        """A graph from PyG's ``edge_index``: row 0 the sources, row 1 the targets, repeated edges kept.

        Args:
            edge_index: integer ``[2, E]``, or the pair of its rows.
            edge_weight: ``[E]``, finite, and not negative unless ``norm`` is ``"sum"``; ones if not given. The graph
                keeps the numbers and passes no gradient to them.
            self_loops: add one to every node, beside those that ``edge_index`` already has.

        Raises ValueError for other shapes, an index outside ``0 .. num_nodes - 1`` or such a weight.
        """
        num_nodes, self_loops = _count("num_nodes", num_nodes), flag("self_loops", self_loops)
        rows: Any = edge_index
        if not (isinstance(edge_index, (list, tuple)) and len(edge_index) == 2):
            rows = as_array("edge_index", edge_index, _EDGES)
            if rows.ndim != 2 or len(rows) != 2:
                raise ValueError(f"edge_index has shape {rows.shape}: it takes {_EDGES}")
        source, target = integers("edge_index[0]", rows[0]), integers("edge_index[1]", rows[1])
        if len(source) != len(target):
            raise ValueError(f"edge_index has {len(source)} sources and {len(target)} targets: it takes {_EDGES}")
        _within("edge_index[0]", source, num_nodes)
        _within("edge_index[1]", target, num_nodes)
        weight = np.ones(len(source)) if edge_weight is None else _weights(edge_weight)
        if weight.shape != source.shape:
            raise ValueError(f"edge_weight has shape {weight.shape} and edge_index names {len(source)} edges")
        if not np.isfinite(weight).all():
            raise ValueError("edge_weight holds a NaN or an infinity: remove those edges")
        if norm != "sum" and len(weight) and weight.min() < 0:
            raise ValueError(f"edge_weight holds {weight.min()}, which norm {norm!r} cannot divide by: use norm='sum'")
        if np.bincount(target, np.abs(weight)).max(initial=0) >= LARGEST:
            raise ValueError(f"edge_weight adds up to {LARGEST:.1e} or more at a node, beyond float32: scale it down")
        source, target = source.astype(np.int32), target.astype(np.int32)
        matrix = sparse.csr_array((weight, (target, source)), shape=(num_nodes, num_nodes))
        if self_loops:
            matrix = sparse.csr_array(matrix + sparse.eye_array(num_nodes, format="csr"))
        num_edges = len(source) + num_nodes * self_loops
        return cls(num_edges, matrix.sum(axis=1), norm, matrix=matrix)

    @classmethod
    def from_data(
        cls,
        data: Data,
        norm: Norm = "mean",
        self_loops: bool | None = None,
        max_net: SupportsIndex | None = None,
        multiplicity: bool = True,
    ) -> CircuitGraph:
        """The graph of a PyG ``Data``: from its pins (``cell``, ``net``) if it has them, else its ``edge_index``.

        Beside an ``edge_index`` its ``edge_weight`` is read; an ``edge_attr`` of several columns is not. Of a ``Batch``
        the cells must be numbered on from circuit to circuit, as those of `gsrgnn.circuits.load` are. The options are
        those of `from_pins`; ValueError for ``max_net`` or ``multiplicity`` where there are no pins, for what is no
        such Data, does not say its number of nodes, or has one ``edge_attr`` an edge and no ``edge_weight``.
        """
        from torch_geometric.data import Data

        if not isinstance(data, Data):
            raise ValueError(
                f"data is a {type(data).__name__}: it takes a PyG Data with one kind of node; "
                "give from_pins or from_edge_index its parts"
            )
        options = {"norm": norm} if self_loops is None else {"norm": norm, "self_loops": self_loops}
        if "cell" in data and "net" in data:
            return cls.from_pins(
                *pins_of(data), _num_nodes(data), max_net=max_net, multiplicity=multiplicity, **options
            )
        if data.edge_index is not None:
            if max_net is not None or not flag("multiplicity", multiplicity):
                raise ValueError(
                    "max_net and multiplicity choose among pins, and data has none (cell and net): "
                    "change its edge_index instead"
                )
            attributes = np.shape(data.edge_attr) if data.edge_weight is None else ()
            if len(attributes) == 1 or attributes[1:] == (1,):
                raise ValueError(
                    f"data has edge_attr {list(attributes)} and no edge_weight: if these are the weights, "
                    "set data.edge_weight = data.edge_attr.flatten(), else del data.edge_attr"
                )
            return cls.from_edge_index(data.edge_index, _num_nodes(data), data.edge_weight, **options)
        if "adj_t" in data:
            raise ValueError(
                "data has adj_t and no edge_index: set data.edge_index, data.edge_weight = "
                "torch_geometric.utils.to_edge_index(data.adj_t.t())"
            )
        raise ValueError("data has neither pins (cell and net) nor an edge_index: give it one of them")

    def _joined_once(self) -> CircuitGraph:
        """This graph with every joined pair of cells counted once; self-loops stay."""
        pairs = self._matrix
        pairs = sparse.csr_array((np.ones(pairs.nnz, np.float32), pairs.indices, pairs.indptr), shape=pairs.shape)
        degree = np.diff(pairs.indptr).astype(np.float64)
        return self._changed(num_edges=pairs.nnz, _degree=degree, _matrix=pairs, _pins=None, _prepared={}, via="edges")

    @property
    def degree(self) -> Tensor:
        """Row sums of ``A``, float64 ``[N]``: the edges that enter a node, with multiplicity and self-loops."""
        return torch.from_numpy(self._degree)

    @property
    def num_pairs(self) -> int:
        """Directed pairs of different nodes that are joined, each counted once: builds the clique matrix."""
        return int(self._matrix.nnz - np.count_nonzero(self._matrix.diagonal()))

    def neighbors(self, node: SupportsIndex) -> Tensor:
        """The nodes other than ``node`` from which row ``node`` of ``A`` takes, ascending, int64."""
        number = whole(node)
        if number is None:
            raise ValueError(f"node is {shown(node)}: it takes one node's number")
        _within("node", np.array([number]), self.num_nodes)
        if self._pins is None:
            row = _row(self._matrix, number)
        else:
            row = np.unique(self._cells_of[_row(self._pins, number)].indices)
        return torch.from_numpy(row[row != number].astype(np.int64))

    @cached_property
    def _cells_of(self):
        """``B^T`` in CSR: the cells of each net."""
        return sparse.csr_array(self._pins.T)

    @cached_property
    def _matrix(self):
        """``A`` in CSR: the cliques ``B B^T``, the self-loops on the diagonal in place of their own."""
        self._check_room()
        pins = sparse.hstack([self._pins, sparse.eye_array(self.num_nodes)], "csr", dtype=np.float32)
        matrix = sparse.csr_array(pins @ pins.T)
        matrix.sort_indices()
        matrix.setdiag(self._degree - _joined(self._pins))
        matrix.eliminate_zeros()
        return matrix

    def _check_room(self):
        """Raises MemoryError where ``A`` may not fit: a row has at most the other cells of its nets, and itself."""
        cells = np.bincount(self._pins.indices, minlength=self._pins.shape[1])
        others = sparse.csr_array(
            (cells[self._pins.indices] - 1, self._pins.indices, self._pins.indptr), shape=self._pins.shape
        ).sum(axis=1)
        joined = np.count_nonzero(others)
        entries = int(np.minimum(others, joined - 1).sum(where=others > 0)) + self.num_nodes
        largest = f"{self._net_size.max(initial=0):,.0f} pins"
        check_memory(
            16 * entries,
            f"the clique matrix, of up to {entries:,} entries,",
            f"leave out large nets with max_net (the largest has {largest}), or stay with via='nets' and "
            "multiplicity, which need no such matrix",
        )

    @cached_property
    def _scales(self):
        there = self._degree > np.finfo(np.float32).tiny
        inverse = np.divide(1, self._degree, out=np.zeros(self.num_nodes), where=there)
        ones = np.ones(self.num_nodes)
        return {"sum": (ones, ones), "mean": (inverse, ones), "sym": (np.sqrt(inverse),) * 2}[self.norm]

    def through(self, via: Via) -> CircuitGraph:
        """This graph with its aggregation made ``via`` its ``"edges"`` or its ``"nets"``: one operator, two routes.

        Through the nets each net sums its cells once and each cell sums its nets, ``B (B^T x)``: two entries a pin
        in place of one entry a pair of pins. Nets of two and three pins stay pairs, which are no more entries. The
        default is the nets where two entries a pin are fewer than the edges. Raises ValueError for
        ``"nets"`` on a graph that was not made from pins.
        """
        if via not in ("edges", "nets"):
            raise ValueError(f"via {via!r} is unknown; it is edges or nets")
        if via == "nets" and self._pins is None:
            raise ValueError(
                "this graph was made from an edge_index and knows no nets, or without multiplicity, "
                "which no sum over nets equals: use via='edges'"
            )
        return self if via == self.via else self._changed(via=via)

    @property
    def num_nets(self) -> int:
        """Nets that join two cells or more; 0 for a graph made from an edge_index."""
        return 0 if self._pins is None else self._pins.shape[1]

    @property
    def num_summed_nets(self) -> int:
        """Nets whose sum the nets route makes, those of more than three pins; 0 for a graph `through` its edges."""
        return int((self._net_size > DIRECT).sum()) if self.via == "nets" else 0

    @cached_property
    def _net_size(self):
        return self._pins.sum(axis=0)

    def operator(self, dtype: torch.dtype = torch.float32, transposed: bool = False) -> Adjacency | Incidence:
        """What the kernels read: `adjacency`, or `incidence` for a graph `through` its nets; on a CPU NumPy arrays."""
        kind = Incidence if self.via == "nets" else Adjacency
        if self.device.type == "cpu":
            return self._arrays(kind, _real(dtype), transposed)
        return self._operator(kind, dtype, transposed)

    def adjacency(self, dtype: torch.dtype = torch.float32, transposed: bool = False) -> Adjacency:
        """`Adjacency` of the normalised ``A``, or of its transpose, as tensors on the graph's device.

        Made once for each dtype; a symmetric graph shares the structure of the two.
        """
        return self._operator(Adjacency, dtype, transposed)

    def incidence(self, dtype: torch.dtype = torch.float32, transposed: bool = False) -> Incidence:
        """`Incidence` of the normalised ``A``, or of its transpose, as tensors on the graph's device."""
        return self._operator(Incidence, dtype, transposed)

    def _operator(self, kind, dtype, transposed):
        arrays = self._arrays(kind, _real(dtype), transposed)
        return self.once((kind, dtype, transposed), lambda: self._tensors(arrays))

    def _arrays(self, kind: type, real: np.dtype, transposed: bool) -> Any:
        make = self._make_incidence if kind is Incidence else self._make_adjacency
        return self.once(("arrays", kind, real, transposed), lambda: make(real, transposed))

    @eager
    def once(self, key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """``make()``, kept for later calls with this key for as long as the graph lives, by whatever route.

        It stays with this graph in this process: a copy, by whatever way it came about, makes its own. Tensors without
        numbers, as `torch` makes them under a fake mode, are not kept.
        """
        if key not in self._prepared:
            with torch.inference_mode(False):
                made = make()
            if any(isinstance(part, torch.Tensor) and type(part) is not torch.Tensor for part in tree_leaves(made)):
                return made
            self._prepared[key] = made
        return self._prepared[key]

    def _make_adjacency(self, real, transposed):
        if transposed and self._symmetric:
            indptr, indices, weight, *_ = self._arrays(Adjacency, real, False)
        else:
            indptr, indices, weight = _csr(self._matrix.T if transposed else self._matrix, real)
        return Adjacency(indptr, indices, weight, *self._scale_arrays(real, transposed))

    def _make_incidence(self, real, transposed):
        out_scale, in_scale = self._scale_arrays(real, transposed)
        ones = np.ones(self.through("nets").num_summed_nets, real)
        to_nets: Structure
        to_cells: Structure
        direct: Structure
        if transposed:
            to_nets, to_cells, direct = (part[:3] for part in self._arrays(Incidence, real, False))
        else:
            large, small = self._pins[:, self._net_size > DIRECT], self._pins[:, self._net_size <= DIRECT]
            excess = self._degree - (large @ large.sum(axis=0) + small @ small.sum(axis=0))
            to_nets, to_cells = _csr(large.T, real), _csr(large, real)
            direct = _csr(small @ small.T + sparse.diags_array(excess), real)
        return Incidence(
            Adjacency(*to_nets, ones, in_scale),
            Adjacency(*to_cells, out_scale, ones),
            Adjacency(*direct, out_scale, in_scale),
        )

    def _scale_arrays(self, real: np.dtype, transposed: bool) -> tuple[np.ndarray, np.ndarray]:
        row, column = reversed(self._scales) if transposed else self._scales
        return row.astype(real), column.astype(real)

    def _tensors(self, part):
        """Tensors of arrays, on the graph's device; one tensor for what is the same array."""
        if isinstance(part, np.ndarray):
            return self.once(("tensor", id(part)), lambda: torch.from_numpy(part).to(self.device))
        return type(part)(*map(self._tensors, part))

    def to(self, device: torch.device | str | int) -> CircuitGraph:
        """This graph with its tensors on ``device``; "cuda" is the current GPU, as for a tensor."""
        device = torch.empty(0, device=device).device
        if device == self.device:
            return self
        arrays = {key: made for key, made in self._prepared.items() if key[0] == "arrays"}
        return self._changed(device=device, _prepared=arrays)

    def _changed(self, **changes):
        changed = CircuitGraph.__new__(CircuitGraph)
        changed.__setstate__({**self.__dict__, **changes})
        return changed

    def __getstate__(self):
        """Without what can be made again: arrays that are sent to another process must not be those in use here."""
        made = {"_prepared", "_scales", "_net_size", "_cells_of"} | (set() if self._pins is None else {"_matrix"})
        return {name: value for name, value in self.__dict__.items() if name not in made}

    def __setstate__(self, state):
        self.__dict__ = {"_prepared": {}, **state}
        self._number()

    def _number(self):
        self.number = next(_numbers)
        _graphs[self.number] = self

    @staticmethod
    def numbered(number: int) -> CircuitGraph:
        """The graph of a ``number``, by which the operators that torch knows take one: torch has no type for it."""
        return _graphs[number]

    def __repr__(self):
        return f"CircuitGraph(num_nodes={self.num_nodes}, num_edges={self.num_edges}, norm={self.norm!r})"


def _real(dtype):
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"a graph's numbers are float32 or float64, not {dtype}")
    return np.dtype(str(dtype).removeprefix("torch."))


def _csr(matrix: sparse.csr_array, real: np.dtype) -> Structure:
    matrix = sparse.csr_array(matrix)
    matrix.sort_indices()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(real)


def _joined(pins):
    """Of each cell, the pairs of its pins with those of other cells."""
    return pins @ pins.sum(axis=0) - pins.multiply(pins).sum(axis=1)


_EDGES = "[2, num_edges], sources first; torch_geometric.utils.to_edge_index makes one of a sparse matrix"


def _num_nodes(data):
    """The number of nodes that a Data says it has: PyG would guess with a warning, without the last isolated ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return data.num_nodes
        except UserWarning:
            raise ValueError("data does not say how many nodes it has: set data.num_nodes") from None


def _row(matrix, row):
    return matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]


def _count(name: str, value: SupportsIndex) -> int:
    count = whole(value)
    if count is None or not 1 <= count <= MOST:
        raise ValueError(
            f"{name} is {shown(value)}: a graph has a whole number of nodes, at least 1"
            + ("" if count is None or count < 1 else f" and at most {MOST}")
        )
    check_memory(48 * count, f"a graph of {count:,} nodes", f"lower {name}")
    return count


def _weights(values):
    if getattr(values, "requires_grad", False):
        raise ValueError(
            "edge_weight requires a gradient, and a graph passes none to its weights: give edge_weight.detach()"
        )
    array = as_array("edge_weight", values, "one number for each edge")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"edge_weight has dtype {array.dtype}: it takes real numbers")
    return array.astype(np.float64)


def _within(name, array, num_nodes):
    if len(array) and (array.min() < 0 or array.max() >= num_nodes):
        wrong = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"{name} holds {wrong}, outside 0 .. {num_nodes - 1} for {num_nodes} nodes")
