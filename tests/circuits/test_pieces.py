"""Pieces of a graph to draw."""

import networkx as nx
import numpy as np

from gsrgnn import CircuitGraph, circuits
from gsrgnn.circuits.pieces import piece

NETLIST = circuits.read("synthetic/200")
GRAPH = CircuitGraph.from_pins(NETLIST.cell, NETLIST.net, NETLIST.num_cells, norm="sum")


def test_a_piece_is_connected_and_has_every_pair_once():
    pairs, nodes = piece(GRAPH.neighbors, 7, 50, np.random.default_rng(0))
    assert nodes[0] == 7
    assert len(set(nodes.tolist())) == 50
    drawn = nx.Graph(pairs.T.tolist())
    assert len(drawn) == 50
    assert nx.is_connected(drawn)
    assert drawn.number_of_edges() == pairs.shape[1]
    joined = sum(len(np.intersect1d(GRAPH.neighbors(node), nodes)) for node in nodes)
    assert 2 * pairs.shape[1] == joined


def test_a_piece_ends_with_its_component():
    pairs, nodes = piece(
        CircuitGraph.from_pins([0, 1, 2, 3], [0, 0, 1, 1], 4).neighbors, 0, 50, np.random.default_rng(0)
    )
    assert nodes.tolist() == [0, 1]
    assert pairs.tolist() == [[0], [1]]
