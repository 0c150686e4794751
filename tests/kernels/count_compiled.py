"""Prints what the compiled kernels read and add, beside what `gsrgnn.lab.limits` says: a JSON object a kernel and k.

Run by `test_cuda.py` in a process of its own. ``sectors`` and ``wavefronts`` are pairs, counted and by the formula.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
import run_compiled

from gsrgnn.kernels import Adjacency
from gsrgnn.kernels.cuda import operators, plan
from gsrgnn.lab import limits

NODES, DEGREE, WIDTH = 40, 80, 192
EDGES = NODES * DEGREE
ONE_EACH = limits.Ceilings(hbm=1, l2=limits.SECTOR, shared=128, issue=1, l2_size=1e9, source="a unit a second")


def shown(name, k, bound):
    counted = run_compiled.counts
    sectors = sum(counted[f"{what} sectors"] for what in ("load", "store", "atomic"))
    print(
        json.dumps(
            {
                "kernel": name,
                "k": k,
                "sectors": [sectors, bound.l2],
                "wavefronts": [counted["shared wavefronts"], bound.shared],
                "instructions": [counted["instructions"], bound.issue],
            }
        )
    )
    counted.clear()


run_compiled.install()
torch.manual_seed(0)
graph = Adjacency(
    torch.arange(0, EDGES + 1, DEGREE),
    torch.randint(0, NODES, (EDGES,), dtype=torch.int32),
    torch.rand(EDGES),
    torch.ones(NODES),
    torch.ones(NODES),
)
plan.mark_symmetric(graph)
x, out = torch.randn(NODES, WIDTH), torch.empty(NODES, WIDTH)
for k in (8, 32, 64):
    values, indices = torch.empty(NODES, k), torch.empty(NODES, k, dtype=torch.uint8)
    operators.group_sparse(x, values, indices, torch.full((1,), operators.FINE, dtype=torch.int32))
    run_compiled.counts.clear()
    sizes = ONE_EACH, NODES, EDGES, WIDTH, k
    operators.aggregate(graph, values, indices, out)
    shown("aggregate", k, limits.aggregate(*sizes))
    operators.aggregate_backward(graph, x, indices, torch.empty(NODES, k))
    shown("aggregate_backward", k, limits.aggregate_backward(*sizes))
    operators.aggregate_backward_atomic(graph, x, indices, torch.empty(NODES, k))
    shown("aggregate_backward_atomic", k, limits.aggregate_backward_atomic(*sizes))
