"""How alike two circuits are: counts, and how nets and cells' neighbourhoods are distributed."""

import numpy as np

from gsrgnn.circuits.netlist import Netlist

_QUANTILES = {"median": 0.5, "90%": 0.9, "99%": 0.99}


def summary(netlist: Netlist) -> dict[str, float]:
    """Counts and distributions of a `Netlist`: a flat dict of numbers.

    Pins with multiplicity, as in the clique graph; edges are directed and without self-loops, and a cell's clique
    degree is the number of its edges. Keys: cells, nets, pins, edges, "pins a cell", and mean, quantiles and
    largest of "pins a net" and "clique degree" ("pins a net, 99%", "clique degree, largest").
    """
    net_size = np.bincount(netlist.net)
    # a pair of pins of one cell on one net is no edge
    pairs = np.unique(netlist.cell * len(net_size) + netlist.net, return_counts=True)
    own = np.bincount(pairs[0] // len(net_size), pairs[1] ** 2, minlength=netlist.num_cells)
    degree = np.bincount(netlist.cell, net_size[netlist.net], minlength=netlist.num_cells) - own
    counts = {
        "cells": netlist.num_cells,
        "nets": len(net_size),
        "pins": len(netlist.cell),
        "edges": int(degree.sum()),
        "pins a cell": len(netlist.cell) / netlist.num_cells,
    }
    return counts | _spread("pins a net", net_size) | _spread("clique degree", degree)


def _spread(what, values):
    quantiles = {f"{what}, {name}": float(np.quantile(values, at)) for name, at in _QUANTILES.items()}
    return {f"{what}, mean": float(values.mean()), **quantiles, f"{what}, largest": int(values.max())}
