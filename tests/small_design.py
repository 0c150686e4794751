"""A design of five instances in CircuitNet's format, written by the tests themselves."""

import numpy as np

NETLIST = "zero-riscy-b-1-c2"
PLACEMENT = f"9999-{NETLIST}-u0.7-m1-p1-f0"
NAME = f"circuitnet/{PLACEMENT}"


def object_array(rows):
    out = np.empty((len(rows), len(rows[0])), dtype=object)
    for out_row, row in zip(out, rows, strict=True):
        for i, value in enumerate(row):
            out_row[i] = value
    return out


def small_design():
    """Four cells and a macro with a bus on nets 0, 1 and 1; `gone` is not placed, `filler` not in the netlist."""
    return {
        "node_attr": object_array(
            [["a", "b", "gone", "c", "ram"], ["ND2_x1_0", "INV_x4_0", "INV_x1_0", "DFCNQ_x1_0", "SRAM"]]
        ),
        "net_attr": object_array([["n0", "n1", "n2"]]),
        "pin_attr": object_array(
            [["I", "ZN", "I", "Z", "D", "CK", "Q"], [0, 1, 1, 2, 1, 0, [0, 1, 1]], [0, 0, 1, 2, 3, 3, 4]]
        ),
        "placement": np.array(
            {"ram": [1, 2, 7, 9], "filler": [0, 0, 0, 0], "a": [3, 1, 4, 1], "b": [0, 5, 0, 5], "c": [9, 9, 9, 9]},
            dtype=object,
        ),
    }


def write_design(root, arrays, layout="demo"):
    base = root if layout == "demo" else root / "graph_features"
    placements = base / ("instance_placement_gcell" if layout == "demo" else "instance_placement")
    files = {"placement": placements / f"{PLACEMENT}.npy"}
    for kind in ("node_attr", "net_attr", "pin_attr"):
        files[kind] = base / "graph_information" / kind / f"{NETLIST}_{kind}.npy"
    for kind, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, arrays[kind], allow_pickle=True)
    return files


def map_files(root, folder="routability_features"):
    """Where the congestion maps lie below `root`, by direction."""
    overflow = root / folder / "congestion" / "congestion_global_routing" / "overflow_based"
    return {way: overflow / f"congestion_GR_{way}_overflow" / f"{PLACEMENT}.npy" for way in ("horizontal", "vertical")}


def write_maps(root, horizontal, vertical, folder="routability_features"):
    for file, values in zip(map_files(root, folder).values(), (horizontal, vertical), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, values, allow_pickle=True)
