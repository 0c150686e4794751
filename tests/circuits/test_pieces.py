"""Pieces of a graph to draw."""

import networkx as nx
import numpy as np

from gsrgnn import CircuitGraph, circuits
from gsrgnn.circuits.pieces import neighbors_by_pins, piece

NETLIST = circuits.read("synthetic/200")
GRAPH = CircuitGraph.from_pins(NETLIST.cell, NETLIST.net, NETLIST.num_cells, norm="sum")
NEIGHBORS = neighbors_by_pins(NETLIST.cell, NETLIST.net)


def test_neighbors_by_pins_are_those_of_the_clique_graph():
    for node in range(NETLIST.num_cells):
        np.testing.assert_array_equal(NEIGHBORS(node), GRAPH.neighbors(node).numpy())


def test_a_cell_without_a_pin_has_no_neighbors():
    neighbors = neighbors_by_pins([0, 1, 3], [0, 0, 1])
    assert [neighbors(node).tolist() for node in range(5)] == [[1], [0], [], [], []]


def test_a_piece_is_connected_and_has_every_pair_once():
    pairs, nodes = piece(NEIGHBORS, 7, 50, np.random.default_rng(0))
    assert nodes[0] == 7
    assert len(set(nodes.tolist())) == 50
    drawn = nx.Graph(pairs.T.tolist())
    assert len(drawn) == 50
    assert nx.is_connected(drawn)
    assert drawn.number_of_edges() == pairs.shape[1]
    joined = sum(len(np.intersect1d(NEIGHBORS(node), nodes)) for node in nodes)
    assert 2 * pairs.shape[1] == joined


def test_a_piece_ends_with_its_component():
    pairs, nodes = piece(neighbors_by_pins([0, 1, 2, 3], [0, 0, 1, 1]), 0, 50, np.random.default_rng(0))
    assert nodes.tolist() == [0, 1]
    assert pairs.tolist() == [[0], [1]]
