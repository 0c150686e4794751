"""A circuit as a graph: cells joined through nets, every net a clique over its pins."""

import itertools
from functools import cached_property
from weakref import WeakValueDictionary

import numpy as np
import torch
from scipy import sparse

from gsrgnn.kernels.adjacency import Adjacency, Incidence
from gsrgnn.pins import pins_of

NORMS = ("sum", "mean", "sym")
DIRECT = 3  # pins of a net up to which its s (s - 1) pairs are no more than the 2 s entries of a sum over it
_numbers, _graphs = itertools.count(), WeakValueDictionary()


class CircuitGraph:
    """The graph over which features are aggregated: ``A``, its normalisation and its transpose.

    From pins, ``A = B B^T - diag(rowsum(B * B)) + I`` with ``B [cells, nets]`` counting pins: two cells are joined
    once for each pair of their pins on a common net (so with multiplicity), a cell is not joined to itself through
    a net, and ``I`` is there when ``self_loops`` is. The clique matrix is built when it is first needed.

    ``norm`` is ``"sum"`` (``A``), ``"mean"`` (``D^-1 A``) or ``"sym"`` (``D^-1/2 A D^-1/2``), ``D`` being the row
    sums of ``A``; a row whose sum is zero (below 1.2e-38, float32's smallest) stays zero.

    Make one with `from_pins`, `from_edge_index` or `from_data`.
    """

    def __init__(self, num_edges, degree, norm, pins=None, matrix=None):
        if norm not in NORMS:
            raise ValueError(f"norm {norm!r} is unknown; it is one of {', '.join(NORMS)}")
        self.num_nodes = len(degree)
        self.num_edges = num_edges
        self.norm = norm
        self.device = torch.device("cpu")
        self._degree = degree
        self._pins = pins
        self._symmetric = matrix is None
        self._operators = {}
        self.via = "edges"
        if matrix is not None:
            self._matrix = matrix
        elif 2 * pins.nnz < num_edges:
            self.via = "nets"
        self._number()

    @classmethod
    def from_pins(cls, cell, net, num_cells, norm="mean", self_loops=True, max_net=None, multiplicity=True):
        """The clique graph of a netlist; by default the paper's: every net, with multiplicity and self-loops.

        Args:
            cell, net: integer ``[P]``, the cell and the net of each pin. A cell with two pins on a net stands there
                twice. Nets are any non-negative numbers.
            num_cells: number of cells, which may exceed the highest one that has a pin.
            max_net: leave out the nets of more pins than this; None keeps all.
            multiplicity: False joins two cells once, however many pairs of pins they share. No sum over the nets
                equals that graph, so it has no route `through` them, and its clique matrix is built at once.

        Raises ValueError if the two are not 1-D, integer and of one length, or name a cell outside
        ``0 .. num_cells - 1``, or if ``max_net`` is below 2.
        """
        cell, net = _integers("cell", cell), _integers("net", net)
        num_cells = _count("num_cells", num_cells)
        if len(cell) != len(net):
            raise ValueError(f"cell has {len(cell)} entries and net has {len(net)}: give one of each for every pin")
        _within("cell", cell, num_cells)
        if len(net) and net.min() < 0:
            raise ValueError(f"net holds {net.min()}: nets are numbered from 0")
        nets, net = np.unique(net, return_inverse=True)
        if max_net is not None:
            if int(max_net) != max_net or max_net < 2:
                raise ValueError(f"max_net is {max_net}: it takes a whole number of pins, at least 2, or None")
            small = np.bincount(net, minlength=len(nets))[net] <= max_net
            cell, net = cell[small], net[small]
        pins = sparse.csr_array((np.ones(len(cell)), (cell, net)), shape=(num_cells, len(nets)))
        pins.sum_duplicates()
        pins = sparse.csr_array(pins[:, np.diff(pins.tocsc().indptr) > 1])
        size = pins.sum(axis=0)
        same_cell = pins.multiply(pins).sum(axis=1)
        degree = pins @ size - same_cell + bool(self_loops)
        graph = cls(int(degree.sum()), degree, norm, pins=pins)
        return graph if multiplicity else graph._joined_once()

    @classmethod
    def from_edge_index(cls, edge_index, num_nodes, edge_weight=None, norm="mean", self_loops=False):
        """A graph from PyG's ``edge_index``: row 0 the sources, row 1 the targets, repeated edges kept.

        Args:
            edge_index: integer ``[2, E]``.
            edge_weight: ``[E]``, finite, and not negative unless ``norm`` is ``"sum"``; ones if not given.
            self_loops: add one to every node, beside those that ``edge_index`` already has.

        Raises ValueError for other shapes, an index outside ``0 .. num_nodes - 1`` or such a weight.
        """
        num_nodes = _count("num_nodes", num_nodes)
        edges = torch.as_tensor(edge_index).cpu().numpy()
        if edges.ndim != 2 or edges.shape[0] != 2:
            raise ValueError(f"edge_index has shape {tuple(edges.shape)}: it takes [2, num_edges], sources first")
        source, target = _integers("edge_index[0]", edges[0]), _integers("edge_index[1]", edges[1])
        _within("edge_index[0]", source, num_nodes)
        _within("edge_index[1]", target, num_nodes)
        weight = np.ones(len(source)) if edge_weight is None else torch.as_tensor(edge_weight).cpu().double().numpy()
        if weight.shape != source.shape:
            raise ValueError(f"edge_weight has shape {weight.shape} and edge_index names {len(source)} edges")
        if not np.isfinite(weight).all():
            raise ValueError("edge_weight holds a NaN or an infinity: remove those edges")
        if norm != "sum" and len(weight) and weight.min() < 0:
            raise ValueError(f"edge_weight holds {weight.min()}, which norm {norm!r} cannot divide by: use norm='sum'")
        matrix = sparse.csr_array((weight, (target, source)), shape=(num_nodes, num_nodes))
        if self_loops:
            matrix = sparse.csr_array(matrix + sparse.eye_array(num_nodes, format="csr"))
        num_edges = len(source) + num_nodes * bool(self_loops)
        return cls(num_edges, matrix.sum(axis=1), norm, matrix=matrix)

    @classmethod
    def from_data(cls, data, norm="mean", self_loops=None, max_net=None, multiplicity=True):
        """The graph of a PyG ``Data``: from its pins (``cell``, ``net``) if it has them, else its ``edge_index``.

        The options are those of `from_pins`; ValueError for ``max_net`` or ``multiplicity`` where there are no pins.
        """
        options = {"norm": norm} if self_loops is None else {"norm": norm, "self_loops": self_loops}
        if "cell" in data and "net" in data:
            return cls.from_pins(*pins_of(data), data.num_nodes, max_net=max_net, multiplicity=multiplicity,
                                 **options)
        if data.edge_index is not None:
            if max_net is not None or not multiplicity:
                raise ValueError("max_net and multiplicity choose among pins, and data has none (cell and net): "
                                 "change its edge_index instead")
            return cls.from_edge_index(data.edge_index, data.num_nodes, data.edge_weight, **options)
        raise ValueError("data has neither pins (cell and net) nor an edge_index: give it one of them")

    def _joined_once(self):
        """This graph with every joined pair of cells counted once; self-loops stay."""
        pairs = self._matrix
        pairs = sparse.csr_array((np.ones(pairs.nnz), pairs.indices, pairs.indptr), shape=pairs.shape)
        return self._changed(num_edges=pairs.nnz, _degree=pairs.sum(axis=1), _matrix=pairs, _pins=None, via="edges")

    @property
    def degree(self):
        """Row sums of ``A``, float64 ``[N]``: the edges that enter a node, with multiplicity and self-loops."""
        return torch.from_numpy(self._degree)

    @property
    def num_pairs(self):
        """Directed pairs of different nodes that are joined, each counted once."""
        return int(self._matrix.nnz - np.count_nonzero(self._matrix.diagonal()))

    def neighbors(self, node):
        """The nodes other than ``node`` from which row ``node`` of ``A`` takes, ascending, int64."""
        _within("node", np.array([node]), self.num_nodes)
        row = self._matrix.indices[self._matrix.indptr[node]:self._matrix.indptr[node + 1]]
        return torch.from_numpy(row[row != node].astype(np.int64))

    @cached_property
    def _matrix(self):
        """``A`` in CSR. Row sums fix its diagonal: the self-loops, which the cliques' own diagonal must give way to."""
        pins = self._pins.astype(np.float32)
        cliques = sparse.csr_array(pins @ pins.T)
        excess = cliques.sum(axis=1, dtype=np.float64) - self._degree
        matrix = cliques - sparse.diags_array(excess.astype(np.float32))
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix

    @cached_property
    def _scales(self):
        there = self._degree > np.finfo(np.float32).tiny
        inverse = np.divide(1, self._degree, out=np.zeros(self.num_nodes), where=there)
        ones = np.ones(self.num_nodes)
        return {"sum": (ones, ones), "mean": (inverse, ones), "sym": (np.sqrt(inverse),) * 2}[self.norm]

    def through(self, via):
        """This graph with its aggregation made ``via`` its ``"edges"`` or its ``"nets"``: one operator, two routes.

        Through the nets each net sums its cells once and each cell sums its nets, ``B (B^T x)``: two entries a pin
        in place of one entry a pair of pins. Nets of two and three pins stay pairs, which are no more entries. The
        default is the nets where two entries a pin are fewer than the edges. Raises ValueError for
        ``"nets"`` on a graph that was not made from pins.
        """
        if via not in ("edges", "nets"):
            raise ValueError(f"via {via!r} is unknown; it is edges or nets")
        if via == "nets" and self._pins is None:
            raise ValueError("this graph was made from an edge_index and knows no nets, or without multiplicity, "
                             "which no sum over nets equals: use via='edges'")
        return self if via == self.via else self._changed(via=via)

    @property
    def num_nets(self):
        """Nets that join two cells or more; 0 for a graph made from an edge_index."""
        return 0 if self._pins is None else self._pins.shape[1]

    @property
    def num_summed_nets(self):
        """Nets whose sum the nets route makes, those of more than three pins; 0 for a graph `through` its edges."""
        return int((self._net_size > DIRECT).sum()) if self.via == "nets" else 0

    @cached_property
    def _net_size(self):
        return self._pins.sum(axis=0)

    def operator(self, dtype=torch.float32, transposed=False):
        """What the kernels read: `adjacency`, or `incidence` for a graph `through` its nets."""
        return (self.incidence if self.via == "nets" else self.adjacency)(dtype, transposed)

    def adjacency(self, dtype=torch.float32, transposed=False):
        """`Adjacency` of the normalised ``A``, or of its transpose, as tensors on the graph's device.

        Made once for each dtype; a symmetric graph shares the structure of the two.
        """
        return self._operator(Adjacency, dtype, transposed)

    def incidence(self, dtype=torch.float32, transposed=False):
        """`Incidence` of the normalised ``A``, or of its transpose, as tensors on the graph's device."""
        return self._operator(Incidence, dtype, transposed)

    def _operator(self, kind, dtype, transposed):
        make = self._make_incidence if kind is Incidence else self._make_adjacency
        return self.once((kind, dtype, transposed), lambda: make(dtype, transposed))

    def once(self, key, make):
        """``make()``, kept for later calls with this key for as long as the graph lives, by whatever route."""
        if key not in self._operators:
            self._operators[key] = make()
        return self._operators[key]

    def _make_adjacency(self, dtype, transposed):
        if transposed and self._symmetric:
            structure = self.adjacency(dtype)[:3]
        else:
            structure = self._csr(self._matrix.T if transposed else self._matrix, dtype)
        return Adjacency(*structure, *self._scale_tensors(dtype, transposed))

    def _make_incidence(self, dtype, transposed):
        out_scale, in_scale = self._scale_tensors(dtype, transposed)
        ones = self._tensor(np.ones(self.through("nets").num_summed_nets), dtype)
        if transposed:
            straight = self.incidence(dtype)
            to_nets, to_cells, direct = (part[:3] for part in straight)
        else:
            large, small = self._pins[:, self._net_size > DIRECT], self._pins[:, self._net_size <= DIRECT]
            excess = self._degree - (large @ large.sum(axis=0) + small @ small.sum(axis=0))
            to_nets, to_cells = self._csr(large.T, dtype), self._csr(large, dtype)
            direct = self._csr(small @ small.T + sparse.diags_array(excess), dtype)
        return Incidence(Adjacency(*to_nets, ones, in_scale), Adjacency(*to_cells, out_scale, ones),
                         Adjacency(*direct, out_scale, in_scale))

    def _scale_tensors(self, dtype, transposed):
        scales = reversed(self._scales) if transposed else self._scales
        return [self._tensor(scale, dtype) for scale in scales]

    def _csr(self, matrix, dtype):
        matrix = sparse.csr_array(matrix)
        matrix.sort_indices()
        return (self._tensor(matrix.indptr, torch.int64), self._tensor(matrix.indices, torch.int32),
                self._tensor(matrix.data, dtype))

    def _tensor(self, array, dtype):
        return torch.from_numpy(array).to(self.device, dtype)

    def to(self, device):
        """This graph with its tensors on ``device``."""
        device = torch.device(device)
        if device == self.device:
            return self
        return self._changed(device=device, _operators={})

    def _changed(self, **changes):
        changed = CircuitGraph.__new__(CircuitGraph)
        changed.__setstate__({**self.__dict__, **changes})
        return changed

    def __setstate__(self, state):
        self.__dict__ = state
        self._number()

    def _number(self):
        self.number = next(_numbers)
        _graphs[self.number] = self

    @staticmethod
    def numbered(number):
        """The graph of a ``number``, by which the operators that torch knows take one: torch has no type for it."""
        return _graphs[number]

    def __repr__(self):
        return f"CircuitGraph(num_nodes={self.num_nodes}, num_edges={self.num_edges}, norm={self.norm!r})"


def _count(name, value):
    if int(value) != value or value < 1:
        raise ValueError(f"{name} is {value}: a graph has a whole number of nodes, at least 1")
    return int(value)


def _integers(name, values):
    array = torch.as_tensor(values).cpu().numpy()
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}: it takes a 1-D array")
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} has dtype {array.dtype}: it takes integers")
    return array.astype(np.int64)


def _within(name, array, num_nodes):
    if len(array) and (array.min() < 0 or array.max() >= num_nodes):
        wrong = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"{name} holds {wrong}, outside 0 .. {num_nodes - 1} for {num_nodes} nodes")
