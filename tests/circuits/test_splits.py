import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

from gsrgnn import circuits
from gsrgnn.circuits.splits import by_cell, by_region, leave_one_out

MASKS = ("train_mask", "val_mask", "test_mask")


def spread(cells, grid=(24, 24), seed=0, **more):
    pos = np.random.default_rng(seed).uniform((0, 0), grid, size=(cells, 2))
    return Data(x=torch.zeros(cells, 1), pos=torch.from_numpy(pos), grid=grid, **more)


def parts(data):
    """[N], the part of each cell; every cell is in exactly one."""
    masks = torch.stack([data[name] for name in MASKS])
    assert masks.dtype == torch.bool
    assert (masks.sum(0) == 1).all()
    return masks.int().argmax(0).numpy()


def next_to_test(data):
    """The share of a test cell's neighbours, the cells within one gcell of it on either axis, that are test cells."""
    at, test = data.pos.numpy(), data.test_mask.numpy()
    near = (np.abs(at[test][:, None] - at[None]) <= 1).all(2)
    return (near & test).sum() / near.sum()


def test_the_papers_split_is_that_of_load_and_leaves_the_data_alone():
    data = circuits.load("synthetic/300", label="rudy")
    before = data.test_mask.clone()
    same, other = by_cell(data), by_cell(data, 0.2, seed=1)
    for name in MASKS:
        assert torch.equal(same[name], data[name])
    assert np.bincount(parts(other)).tolist() == [180, 60, 60]
    assert torch.equal(data.test_mask, before)
    assert type(other) is type(data)
    assert other.x is data.x


def test_the_share_is_table_1s_where_the_circuit_is_in_it():
    assert int(by_cell(spread(200, name="synthetic/639-R")).val_mask.sum()) == 30


@settings(deadline=None, max_examples=40)
@given(st.integers(60, 300), st.integers(3, 12), st.floats(0.05, 0.45), st.integers(0, 99))
def test_regions_are_whole_blocks_and_every_cell_is_in_one_part(cells, blocks, held, seed):
    data = spread(cells, (12, 17), seed)
    try:
        split = by_region(data, blocks, held, seed)
    except ValueError as error:
        assert "2 are needed" in str(error)  # noqa: PT017
        return
    part = parts(split)
    block = np.floor(data.pos.numpy()).astype(int) * blocks // (12, 17) @ (blocks, 1)
    assert all(len(set(part[block == one])) == 1 for one in set(block))
    assert (parts(by_region(data, blocks, held, seed)) == part).all()
    largest = np.bincount(block).max()
    for number in (1, 2):
        assert abs((part == number).sum() - held * cells) <= largest


def test_a_test_cells_neighbours_are_mostly_test_cells():
    data = spread(2000)
    assert next_to_test(by_cell(data)) < 0.2
    assert next_to_test(by_region(data, 4)) > 0.7


def test_lone_cells_at_the_edge_of_the_die_are_of_its_last_block():
    data = spread(400)
    data.pos[0] = torch.tensor([24.0, 24.0])
    data.pos[1] = torch.tensor([23.9, 23.9])
    part = parts(by_region(data, 12))
    assert part[0] == part[1]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (spread(99, (5, 30)), {}, "the die has 5 x 30 gcells, fewer than 6 blocks a side"),
        (spread(99), {"blocks": 1}, "the cells lie in 1 of the 1 blocks and 3 are needed"),
        (spread(99), {"held": 0.5}, "share held out is 0.5"),
        (spread(99), {"held": 0}, "share held out is 0"),
        (spread(99), {"held": "a"}, "share held out is 'a'"),
        (spread(99), {"seed": -1}, "seed is -1"),
        (spread(99), {"blocks": 0}, "blocks is 0"),
        (spread(3, (3, 3)), {"blocks": 3}, "and 2 are needed"),
        (Data(x=torch.zeros(9, 1)), {}, "no pos and grid"),
    ],
)
def test_regions_that_cannot_be(data, options, message):
    with pytest.raises(ValueError, match=message):
        by_region(data, **options)


@pytest.mark.filterwarnings("ignore:Unable to accurately infer 'num_nodes'")
@pytest.mark.parametrize(
    ("data", "share", "message"),
    [
        (spread(99), 0.7, "share held out is 0.7"),
        (spread(9), 0.1, "val_mask would have 1 of 9 cells"),
        (Data(), 0.1, "no number of cells"),
    ],
)
def test_a_split_by_cell_that_cannot_be(data, share, message):
    with pytest.raises(ValueError, match=message):
        by_cell(data, share)


def test_one_family_is_left_out_at_a_time():
    names = ["riscv/ibex", "dsp/fft", "riscv/picorv32"]
    assert leave_one_out(names) == {
        "riscv": (["dsp/fft"], ["riscv/ibex", "riscv/picorv32"]),
        "dsp": (["riscv/ibex", "riscv/picorv32"], ["dsp/fft"]),
    }
    assert leave_one_out(names, family=str)["dsp/fft"] == (["riscv/ibex", "riscv/picorv32"], ["dsp/fft"])
    with pytest.raises(ValueError, match="riscv: give names of two families"):
        leave_one_out(["riscv/ibex"])
