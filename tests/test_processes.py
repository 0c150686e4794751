"""A model and a graph that were used, in other processes: forked, spawned, behind a loader, one of several ranks."""

import json
import os
import socket
import subprocess
import sys

import pytest

START = """
import json, os, sys, time, torch, traceback
from pathlib import Path
import torch.multiprocessing as mp
from torch.utils.data import DataLoader, Dataset
from gsrgnn import CircuitGraph, GSRGNN, aggregate
from gsrgnn.circuits import load


class Sums(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, number):
        return aggregate(CircuitGraph.from_pins([0, 1, 2], [0, 0, 0], 3), torch.eye(3))


class Predictions(Dataset):
    def __init__(self, model, graph, x):
        self.model, self.graph, self.x = model, graph, x

    def __len__(self):
        return 4

    def __getitem__(self, number):
        with torch.no_grad():
            return self.model(self.x, self.graph)


def send(queue, *job):
    out, grad = step(*job)
    queue.put((out.tolist(), grad.tolist()))
    queue.close()
    queue.join_thread()


def step(model, graph, x):
    model.zero_grad()
    out = model(x, graph)
    out.square().mean().backward()
    return out.detach(), model.head.weight.grad.clone()


def one_rank(rank, job, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    model, graph, x, out, grad = job
    together = torch.nn.parallel.DistributedDataParallel(model)
    found = together(x * (1 + rank), graph)
    found.square().mean().backward()
    grads = [None, None]
    torch.distributed.all_gather_object(grads, model.head.weight.grad)
    assert torch.equal(*grads)
    ended = [Path(f"rank{number}.ended") for number in range(2)]
    ended[rank].touch()
    while not all(path.exists() for path in ended):
        time.sleep(0.05)
    os._exit(0)  # gloo's threads and Python's lock may wait for each other at an orderly end


if __name__ == "__main__":
    torch.manual_seed(0)
    if "behind torch alone" in sys.argv:
        torch.nn.functional.layer_norm(torch.randn(2000, 2000), (2000,))
        assert [out.shape for out in DataLoader(Sums(), num_workers=2)] == [(1, 3, 3)] * 4
        print("agrees")
        sys.exit()
    data = load("synthetic/500", label="rudy")
    graph = CircuitGraph.from_data(data)
    model = GSRGNN(data.num_features, 16, num_layers=3, k=4)
    job = model, graph, data.x
    out, grad = step(*job)
    torch.randn(600, 600) @ torch.randn(600, 600)

    def agree(found):
        torch.testing.assert_close(torch.tensor(found[0]), out, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(torch.tensor(found[1]), grad, rtol=1e-3, atol=1e-4)

    def in_a_process(method):
        context = mp.get_context(method)
        queue = context.Queue()
        process = context.Process(target=send, args=(queue, *job))
        process.start()
        agree(queue.get(timeout=240))
        process.join()
        assert process.exitcode == 0, process.exitcode

    for name, case in json.loads(sys.argv[2]).items():
        try:
            exec(case)
            again = step(*job)  # the sender's own arrays are where they were
            assert torch.equal(again[0], out) and torch.equal(again[1], grad)
            print(name, "agrees", sep=": ", flush=True)
        except Exception:
            print(name, *traceback.format_exc().splitlines(), sep=": ", flush=True)
"""
CASES = {
    "fork": "in_a_process('fork')",
    "spawn": "in_a_process('spawn')",
    "forkserver": "in_a_process('forkserver')",
    "a pool of forks": "[agree([part.tolist() for part in found]) "
    "for found in mp.get_context('fork').Pool(2).starmap(step, [job] * 2)]",
    "a loader": "[torch.testing.assert_close(p[0], out, rtol=1e-4, atol=1e-4) "
    "for p in DataLoader(Predictions(*job), num_workers=2)]",
    "ranks": "mp.spawn(one_rank, ((*job, out, grad), int(sys.argv[1])), nprocs=2)",
}


def run_job(folder, *arguments):
    script = folder / "job.py"
    script.write_text(START)
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, script, *arguments]
    return subprocess.run(command, env=environment, cwd=folder, timeout=600, capture_output=True, text=True)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """All cases, one after the other in a process that has imported everything once."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        unused_port = listening.getsockname()[1]
    return run_job(tmp_path_factory.mktemp("job"), str(unused_port), json.dumps(CASES))


@pytest.mark.parametrize("case", CASES)
def test_in_other_processes(ended, case):
    assert f"{case}: agrees\n" in ended.stdout, ended.stdout + ended.stderr[-3000:]


@pytest.mark.slow
def test_in_the_workers_of_a_loader_behind_torch_alone(tmp_path):
    alone = run_job(tmp_path, "behind torch alone")
    assert alone.stdout == "agrees\n", alone.stderr[-3000:]
