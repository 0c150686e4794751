"""A small training, and the same in ranks: processes of a server that has run nothing yet, whatever the tests have."""

import multiprocessing as mp
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from some_circuits import Read, circuit
from torch import distributed as dist
from torch_geometric import seed_everything

from gsrgnn import GSRGNN
from gsrgnn.training import train

SEEDS, OTHERS = [1, 2, 3, 4, 5], [6, 7]

context = mp.get_context("forkserver")
context.set_forkserver_preload(["torch.distributed", "torch_geometric", "gsrgnn.circuits", "gsrgnn.training"])


def run(seed=1, circuits=None, **options):
    seed_everything(seed)
    model = GSRGNN(4, 8, num_layers=2, k=2, dropout=0.3)
    others = [circuit(number) for number in OTHERS]
    options = {"validate": others, "circuits_a_step": 3, "epochs": 4, "learning_rate": 0.02} | options
    result = train(model, Read(SEEDS) if circuits is None else circuits, **options)
    return model.state_dict(), result


def plain(state, result):
    return {name: value.tolist() for name, value in state.items()}, result.history, result.best_epoch, result.test


def seeded(rank, seed=None, **options):
    return plain(*run(1 + rank if seed is None else seed, **options))


def differing(rank, **options):
    """Rank 1 has these options, rank 0 has not."""
    return plain(*(run(**options) if rank else run()))


def warned(rank, **options):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        state = plain(*run(**options))
    return [str(each.message) for each in found], state


def stop_after_two(row):
    if row["epoch"] == 2:
        raise KeyboardInterrupt


class Failing(Read):
    def __getitem__(self, number):
        if len(self.read) > 6:
            raise OSError("the disk is gone")
        return super().__getitem__(number)


def in_ranks(work: Callable, folder: Path, size: int = 2, **options: object) -> list:
    """What ``work(rank, **options)`` returns, or the error it raises as text, on each of ``size`` ranks."""
    queue = context.SimpleQueue()
    place = folder / f"meeting{len(os.listdir(folder))}"
    processes = [
        context.Process(target=_one, args=(queue, place, size, rank, work, options), daemon=True)
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    found = dict(queue.get() for _ in processes)
    for process in processes:
        process.kill()
        process.join()
    return [found[rank] for rank in range(size)]


def _one(queue, place, size, rank, work, options):
    try:
        dist.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=size)
        queue.put((rank, work(rank, **options)))
    except BaseException as error:
        queue.put((rank, f"{type(error).__name__}: {error}" if str(error) else traceback.format_exc()))
    finally:
        signal.pause()  # a rank that ends closes its connections, which the others may take for a failure
