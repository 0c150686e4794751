"""The kernel table: each CUDA kernel beside its `limits` and its peers, on one GPU in one run, as one record.

A record is a dict, written as JSON: `run` makes it, `table` shows it.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache, partial
from importlib.util import find_spec
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gsrgnn import circuits, kernels
from gsrgnn.baselines import csr_matrix
from gsrgnn.cbsr import operator
from gsrgnn.graph import CircuitGraph
from gsrgnn.kernels.gpu import gpu_missing
from gsrgnn.lab import limits
from gsrgnn.lab.bench.record import earlier
from gsrgnn.lab.files import check_writable, write_or_keep
from gsrgnn.lab.measure import describe
from gsrgnn.lab.records import checksum, load, write
from gsrgnn.lab.window import ENDLESS, Closed, Window
from gsrgnn.provenance import provenance

FORMAT = "gsrgnn bench kernels 1"
CIRCUITS = ("synthetic/7157-R", "synthetic/5324-F")  # stand-ins for the paper's graphs 10 and 1
KS = (4, 8, 16, 32, 64)
WIDTHS = (128, 192)
REPEATS = 20
WAIT = 2_000_000  # clocks, about a millisecond
PART = 20.0  # seconds that a width and a k may take with the kernels that they compile


def run(
    *,
    circuits_: Iterable[str] = CIRCUITS,
    widths: Iterable[int] = WIDTHS,
    ks: Iterable[int] = KS,
    repeats: int = REPEATS,
    output: Path | str | None = None,
    window: Window = ENDLESS,
    say: Callable[[str], None] = print,
) -> dict:
    """Time every kernel and its peers and write the record; returns it.

    Each is called ``repeats`` times after a warm-up, in turn with the others of its width and k, and timed with CUDA
    events; medians are reported. The data stays where it is from call to call, as it does in training: what fits the
    L2 cache is read from there, which the bounds allow for. The ceilings are measured first, in the same process.

    cuSPARSE is called through torch and computes the same ``A x`` as ours, at its best there: int32 indices, the
    norm's scales in the matrix's values, into an array made before. torch makes the descriptors and the workspace at
    every call, so the call is recorded as a CUDA graph once and replayed: what is timed is cuSPARSE's kernels alone.
    torch's algorithm, CSR_ALG2, is the one for row-major matrices; by cuSPARSE's manual its preprocessing, which torch
    leaves out, speeds up the other two and does nothing for this one. ``torch_scatter.segment_csr`` sums one message
    for each entry of the matrix, all of weight 1.

    Args:
        circuits_: names that `circuits.load` knows; aggregation is timed over their edges and, for ours, their nets.
        output: where the record is written; ``results/kernels-cuda.json`` if not given.
        window: as for `side_by_side.run`; a part is a circuit, a width and a k. The ceilings are those of the first
            call.
        say: called with a line for each thing done.

    Raises ValueError where no GPU can run the kernels.
    """
    if why := gpu_missing():
        raise ValueError(f"the kernel table needs a GPU: {why}")
    parameters = {"circuits": [*circuits_], "widths": [*widths], "ks": [*ks], "repeats": repeats}
    output = Path(output or "results/kernels-cuda.json")
    check_writable(output)
    if window.bounded and (whole := earlier(output, parameters, read)):
        say(f"complete already: {output}")
        return whole
    unfinished = output.with_suffix(".partial.json")
    record: dict[str, Any] = (earlier(unfinished, parameters, read) if window.bounded else None) or {
        "format": FORMAT,
        "complete": False,
        "parameters": parameters,
        "provenance": provenance(),
        "gpu": torch.cuda.get_device_name(),
        "ceilings": {name: value for name, value in asdict(measured_ceilings()).items() if name != "source"},
        "repeats": repeats,
        "rows": [],
    }
    ceilings = limits.Ceilings(**record["ceilings"], source=f"{record['gpu']}, measured")
    measured: list[str] = []
    if window.bounded:
        record.setdefault("calls", []).append({"date": provenance()["date"], "measured": measured})
    there, longest = {(row["circuit"], row["width"], row["k"]) for row in record["rows"]}, PART
    parts = product(parameters["circuits"], parameters["widths"], sorted(parameters["ks"]))
    try:
        with window.closing():
            for circuit, found in groupby((part for part in parts if part not in there), key=itemgetter(0)):
                graph = CircuitGraph.from_data(circuits.load(circuit)).to("cuda")
                for _, width, k in found:
                    if k >= width:
                        continue
                    window.need(longest, name := f"{circuit}, width {width}, k = {k}")
                    start = time.monotonic()
                    timed = list(_rows(graph, width, k, ceilings, repeats))
                    record["rows"] += [{"circuit": circuit, "width": width, "k": k, **row} for row in timed]
                    longest = max(longest, time.monotonic() - start)
                    measured.append(name)
                    if window.bounded:
                        write(record, unfinished, write_or_keep)
                    say(name)
        record["complete"] = True
    except Closed as closed:
        say(f"{closed}: the same command goes on")
    finally:
        write(record, output if record["complete"] else unfinished, write_or_keep)
    if window.bounded and record["complete"]:
        unfinished.unlink(missing_ok=True)
    return record


def read(path: Path | str) -> dict:
    """The record at ``path``. Raises ValueError, naming the file, where it is none of `run`'s or was changed since."""
    again = "run gsrgnn bench --device cuda again"
    try:
        record = load(path)
    except ValueError as error:
        raise ValueError(f"{error}: {again}") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f"{path} is no record of the format {FORMAT!r}: {again}")
    if record.get("checksum") != checksum(record):
        raise ValueError(f"{path} was changed after it was written (its checksum does not fit): {again}")
    return record


def table(record: dict) -> pd.DataFrame:
    """The record as a frame: circuit, width, k, kernel, ms, bound in ms, what binds, time over bound, note."""
    rows = [
        {
            "circuit": row["circuit"],
            "width": row["width"],
            "k": row["k"],
            "kernel": row["name"],
            "ms": 1e3 * row.get("seconds", np.nan),
            "bound ms": 1e3 * row.get("bound", np.nan),
            "by": row.get("by", ""),
            "over bound": row.get("seconds", np.nan) / row.get("bound", np.nan),
            "note": row.get("note", ""),
        }
        for row in record["rows"]
    ]
    return pd.DataFrame(rows, columns=["circuit", "width", "k", "kernel", "ms", "bound ms", "by", "over bound", "note"])


def _rows(graph, width, k, ceilings, repeats):
    """A dict a kernel or peer: name, seconds or note, and for ours bound and by."""
    n, index = graph.num_nodes, kernels.index_dtype(width).itemsize
    x, grad, out = torch.randn(3, n, width, device="cuda")
    calls, bounds = {}, {}
    ours = kernels.on("cuda")
    values, indices = x.new_empty(n, k), x.new_empty(n, k, dtype=torch.uint8 if index == 1 else torch.int16)
    bad = torch.full((1,), ours.FINE, dtype=torch.int32, device="cuda")
    dvalues, fixed = torch.empty_like(values), (x * 2**20).int()
    scale = kernels.Scale(*(x.new_full((size,), 2.0**20) for size in (n, width, width)))
    calls["top-k"] = partial(ours.group_sparse, x, values, indices, bad)
    calls["top-k, fixed point"] = partial(ours.group_sparse_fixed, fixed, scale, values, indices)
    bounds["top-k"] = bounds["top-k, fixed point"] = limits.top_k(ceilings, n, width, k, index)
    calls["torch.topk"] = partial(torch.topk, x, k, dim=1)
    ones, zeros = x.new_ones(width), x.new_zeros(width)
    sums = x.new_empty(3, ours.BLOCKS, width)
    calls["add_layer_norm"] = partial(ours.add_layer_norm, x, zeros, ones, zeros, 1e-5, scale, fixed, bad=bad)
    bounds["add_layer_norm"] = limits.add_layer_norm(ceilings, n, width)
    z = x.clone()
    calls["undo_layer_norm"] = partial(ours.undo_layer_norm, z, zeros, ones, zeros, 1e-5, scale, fixed, grad, *sums)
    bounds["undo_layer_norm"] = limits.undo_layer_norm(ceilings, n, width)
    for via in ("nets", "edges") if graph.num_nets else ("edges",):
        routed = graph.through(via)
        straight, transposed = operator(routed, torch.float32), operator(routed, torch.float32, transposed=True)
        nets = x.new_empty(graph.num_summed_nets, width)
        calls[f"aggregate, {via}"] = partial(ours.aggregate, straight, values, indices, out, nets)
        calls[f"aggregate_backward, {via}"] = partial(ours.aggregate_backward, transposed, grad, indices, dvalues, nets)
        calls[f"aggregate_dense, {via}"] = partial(ours.aggregate_dense, straight, x, out, nets)
    calls["aggregate_backward, edges, atomic"] = partial(
        ours.aggregate_backward_atomic, transposed, grad, indices, dvalues
    )
    edges = len(straight.indices)
    sizes = n, edges, width, k, index
    bounds |= {
        "aggregate, edges": limits.aggregate(ceilings, *sizes),
        "aggregate_backward, edges": limits.aggregate_backward(ceilings, *sizes),
        "aggregate_backward, edges, atomic": limits.aggregate_backward_atomic(ceilings, *sizes),
        "aggregate_dense, edges": limits.aggregate_dense(ceilings, n, edges, width),
    }
    half = partial(ours.aggregate, straight, out=out)
    calls["aggregate, edges, bfloat16"] = lambda: half(values=values.bfloat16(), indices=indices)
    matrix = csr_matrix(graph)
    for dtype in (torch.float32, torch.bfloat16):
        name = f"cuSPARSE {str(dtype).removeprefix('torch.')}"
        calls[name] = replayed(partial(into, out.to(dtype), matrix.to(dtype), x.to(dtype)))
    calls["dense mask and cuSPARSE"] = replayed(lambda: into(out, matrix, _masked(x, k)))
    if find_spec("torch_scatter"):
        from torch_scatter import segment_csr

        calls["torch_scatter.segment_csr"] = lambda: segment_csr(x[straight.indices.long()], straight.indptr)
    for name, seconds in _times(calls, repeats).items():
        if isinstance(seconds, str):
            yield {"name": name, "note": seconds}
            continue
        bound = bounds.get(name)
        yield {"name": name, "seconds": seconds} | ({"bound": bound.seconds, "by": bound.by} if bound else {})


def into(out: Tensor, matrix: Tensor, x: Tensor) -> Tensor:
    """``matrix @ x`` written into ``out``, and nothing else: ``torch.mm`` makes zeros first and copies them there."""
    return torch.addmm(out, matrix, x, beta=0, out=out)


def replayed(call: Callable[[], Any]) -> Callable[[], None]:
    """``call`` as one CUDA graph: recorded at the first call, of which it then is the replay."""

    @cache
    def recorded():
        call()  # makes cuSPARSE's handle, which cannot be made while a graph is recorded
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            call()
        return graph

    return lambda: recorded().replay()


def _masked(x, k):
    chosen = x.topk(k, dim=1).indices
    return torch.zeros_like(x).scatter_(1, chosen, x.gather(1, chosen))


def _times(calls, repeats):
    """Name -> median seconds of a call, in turn; or why there are none."""
    times, failed = {name: [] for name in calls}, {}
    for number in range(-2, repeats):
        for name, call in calls.items():
            if name in failed:
                continue
            try:
                seconds = _seconds(call)
            except Exception as error:  # whatever it is, the others go on
                failed[name] = describe(error)
                torch.cuda.empty_cache()
                continue
            if number >= 0:
                times[name].append(seconds)
    return {name: failed.get(name) or median(times[name]) for name in calls}


def _seconds(call):
    """Of a call on the GPU, by CUDA events. The GPU waits until all of it is launched: launching takes longer."""
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(WAIT)
    start.record()
    call()
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop) / 1e3


def measured_ceilings() -> limits.Ceilings:
    """`limits.Ceilings` of this GPU: of the memory by a copy of 2 GiB, less on a small card, of the rest by
    `kernels.cuda.probes`.
    """
    from gsrgnn.kernels.cuda import probes

    properties = torch.cuda.get_device_properties()
    blocks = properties.multi_processor_count * properties.max_threads_per_multi_processor // probes.THREADS
    source, target = torch.ones(2, min(2**29, torch.cuda.mem_get_info()[0] // 32), device="cuda")
    hbm = 2 * source.nbytes / _fastest(lambda: target.copy_(source))
    l2 = probes.l2_speed(properties.L2_cache_size // 4, blocks, _fastest)
    return limits.Ceilings(
        hbm,
        l2,
        probes.shared_speed(blocks, _fastest),
        probes.issue_rate(blocks, _fastest),
        properties.L2_cache_size,
        f"{properties.name}, measured",
    )


def _fastest(call, repeats=10):
    return min(_seconds(call) for _ in range(repeats + 2))
