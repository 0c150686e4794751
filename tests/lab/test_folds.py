import pytest

from gsrgnn import circuits
from gsrgnn.lab.folds import Fold, family, folds, matching

SHIPPED = ["riscv/picorv32-small", "crypto/sha256", "bus/axi-crossbar", "riscv/picorv32", "dsp/fft", "riscv/ibex"]
CIRCUITNET = [
    "circuitnet/7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0",
    "circuitnet/2017-RISCY-b-1-c2-u0.7-m1-p6-f0",
    "circuitnet/2018-RISCY-a-3-c20-u0.85-m1-p6-f1",
    "circuitnet/5324-RISCY-FPU-a-3-c2-u0.85-m4-p8-f0",
]


def test_a_family_is_what_the_name_says_of_the_design():
    assert [family(name) for name in SHIPPED[:3]] == ["riscv", "crypto", "bus"]
    assert [family(name) for name in CIRCUITNET] == ["zero-riscy", "RISCY", "RISCY", "RISCY-FPU"]
    assert [family(name) for name in ("r2g/fir", "r2g/spi_top", "synthetic/300")] == ["fir", "spi_top", "300"]


def test_every_family_that_ships_is_held_out_once_and_is_nowhere_else_in_its_fold():
    found = folds(name for name in circuits.available() if name.partition("/")[0] in ("riscv", "crypto", "bus", "dsp"))
    assert {fold.held for fold in found} == {"riscv", "crypto", "bus", "dsp"}
    for fold in found:
        assert {family(name) for name in fold.test} == {fold.held}
        assert fold.held not in {family(name) for name in (*fold.train, *fold.validate)}
        assert not set(fold.train) & set(fold.validate)
        assert len(fold.train) > 1
        assert len(fold.validate) == 1


def test_the_first_circuit_of_the_smallest_family_left_validates():
    (fold,) = folds(SHIPPED, ["crypto"], test_only=["riscv/ibex"])
    assert fold == Fold(
        "crypto", ("dsp/fft", "riscv/picorv32", "riscv/picorv32-small"), ("bus/axi-crossbar",), ("crypto/sha256",)
    )
    (fold,) = folds(SHIPPED, ["riscv"], test_only=["riscv/ibex"])
    assert "riscv/ibex" in fold.test


def test_circuitnet_s_own_split_is_the_family_zero_riscy_held_out():
    (fold,) = folds(CIRCUITNET, ["zero-riscy"])
    assert fold.test == (CIRCUITNET[0],)
    assert fold.validate == (CIRCUITNET[3],)
    assert set(fold.train) == {*CIRCUITNET[1:3]}
    (fold,) = folds(CIRCUITNET[:2], ["zero-riscy"])
    assert (fold.train, fold.validate) == ((CIRCUITNET[1],), ())


def test_circuits_are_named_in_full_or_by_a_pattern():
    assert matching(["r2g/fir", "circuitnet/*", "circuitnet/7157*"], CIRCUITNET) == ["r2g/fir", *CIRCUITNET]
    with pytest.raises(ValueError, match=r"no circuit fits 'dsp/\*': there are circuitnet/7157"):
        matching(["dsp/*"], CIRCUITNET)


def test_what_cannot_be_held_out_is_refused():
    with pytest.raises(ValueError, match="no family arm among these circuits: there are riscv, crypto"):
        folds(SHIPPED, ["arm"])
    with pytest.raises(ValueError, match="give names of two families"):
        folds(["riscv/ibex", "riscv/picorv32"])
    with pytest.raises(ValueError, match="nothing is left to train on without crypto"):
        folds(["crypto/sha256", "riscv/ibex"], test_only=["riscv/ibex"])
