"""Training in several processes: as in one but for rounding, no rank left waiting, and a rank killed loses an epoch."""

import os
import re
import subprocess
import sys

import pandas as pd
import pytest
import torch
from some_circuits import circuit
from training_in_ranks import SEEDS, Failing, differing, in_ranks, plain, run, seeded, stop_after_two, warned

from gsrgnn import checkpoint
from gsrgnn.ranks import Ranks


def assert_close(found, want):
    state, history, best, _ = found
    wanted, wanted_history, wanted_best, _ = plain(*want)
    pd.testing.assert_frame_equal(history.drop(columns="seconds"), wanted_history.drop(columns="seconds"), rtol=1e-3)
    assert best == wanted_best
    for name, value in wanted.items():
        torch.testing.assert_close(torch.tensor(state[name]), torch.tensor(value), rtol=1e-3, atol=1e-4)


def test_two_ranks_do_what_one_does(tmp_path):
    """Each rank seeds as it likes, and one of them has no circuit in some step: 5 circuits are steps of 3 and of 2."""
    want = run()
    found = in_ranks(seeded, tmp_path)
    for each in found:
        assert_close(each, want)
    assert found[0][0] == found[1][0]


def test_a_checkpoint_goes_on_under_any_number_of_ranks(tmp_path):
    want, path = run(), tmp_path / "run"
    found = in_ranks(seeded, tmp_path, seed=1, checkpoint=path, progress=stop_after_two)
    assert "KeyboardInterrupt" in found[0]
    assert found[1] == "RuntimeError: rank 0 stopped: KeyboardInterrupt: "
    assert_close(plain(*run(seed=5, epochs=3, checkpoint=path)), run(epochs=3))
    for each in in_ranks(seeded, tmp_path, seed=6, checkpoint=path):
        assert_close(each, want)
    assert [name for name in os.listdir(tmp_path) if "meeting" not in name] == ["run"]


@pytest.mark.parametrize(
    ("options", "own", "others"),
    [
        ({"circuits": [1] * 5}, r"ValueError: circuits\[1\]: it is a int", "RuntimeError: rank 1 stopped: ValueError"),
        ({"circuits": Failing(SEEDS)}, "OSError: the disk is gone", "RuntimeError: rank 1 stopped: OSError: the disk"),
        ({"circuits": [circuit(1)] * 4}, "ValueError: circuits has {0: 5, 1: 4} circuits by rank", None),
        ({"validate": None, "circuits": ()}, "ValueError: circuits is empty", "RuntimeError: rank 1 stopped"),
    ],
)
def test_where_a_rank_fails_none_waits(options, own, others, tmp_path):
    first, second = in_ranks(differing, tmp_path, **options)
    assert re.match(own.replace("{", r"\{"), second), second
    assert re.match((others or own).replace("{", r"\{"), first), first


def test_too_many_ranks_are_warned_of(tmp_path):
    (said, state), (nothing, _) = in_ranks(warned, tmp_path, circuits_a_step=1, epochs=1)
    assert said == ["a step takes 1 of 5 circuits and there are 2 ranks: some wait; raise circuits_a_step"]
    assert nothing == []
    assert_close(state, run(circuits_a_step=1, epochs=1))


def test_circuits_go_to_the_rank_with_the_fewest_pins():
    sizes = [5, 40, 30, 20, 10]
    shares = [Ranks(rank, 2).share([4, 3, 2, 1], sizes) for rank in range(2)]
    assert shares == [[1, 4], [2, 3]]
    assert Ranks(2, 3).share([0, 1], sizes) == []


PROGRAM = """
import os, signal, sys, time, torch, torch.distributed as dist
sys.path.insert(0, sys.argv[1])
from some_circuits import Read, circuit
from gsrgnn import GSRGNN
from gsrgnn.training import train

started_again = os.environ["TORCHELASTIC_RESTART_COUNT"] != "0"
if started_again and os.environ["RANK"] == "1":
    time.sleep(3)  # the other rank meanwhile looks for this one, and must not find where it was before
dist.init_process_group("gloo")
torch.manual_seed(1)

def progress(row):
    print("epoch", row["epoch"], flush=True)

class Deadly(Read):
    def __getitem__(self, number):
        if len(self.read) > 9 and dist.get_rank() == 1 and not started_again:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(number)

model = GSRGNN(4, 8, num_layers=2, k=2, dropout=0.3)
others = [circuit(number) for number in (6, 7)]
train(model, Deadly([1, 2, 3, 4, 5]), validate=others, circuits_a_step=3, epochs=6, learning_rate=0.02,
      checkpoint=sys.argv[2], progress=progress)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_torchrun_restarts_a_rank_that_is_killed_from_the_last_epoch(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    options = ["--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *options, "program.py", os.path.dirname(__file__), "run"],
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OMP_NUM_THREADS": "1",
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    epochs = [int(line.removeprefix("epoch ")) for line in done.stdout.splitlines() if line.startswith("epoch ")]
    assert epochs == [1, 2, 3, 4, 5, 6], done.stdout
    assert len(checkpoint.read(tmp_path / "run")[1]["history"]) == 6
    assert_close(plain(*run(epochs=6, checkpoint=tmp_path / "run")), run(epochs=6))
