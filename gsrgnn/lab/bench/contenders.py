"""Who takes part: every model by every route through which it aggregates."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch_geometric import seed_everything

from gsrgnn import baselines
from gsrgnn.graph import CircuitGraph
from gsrgnn.models import GSRGNN

REFERENCE = "RevGNN edge_index"


@dataclass(frozen=True)
class Row:
    """A contender: a model and the route by which it aggregates.

    Attributes:
        name: as the table shows it.
        model: "GSRGNN" or the name of a class of `baselines`.
        route: "edge_index", "segment_csr", "csr", "mkl", or "edges" or "nets" for `aggregate`.
        options: further arguments of the model.
    """

    name: str
    model: str
    route: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is GSR-GNN."""
        return self.model == "GSRGNN"

    def make(self, in_channels: int, hidden_channels: int, num_layers: int) -> nn.Module:
        """The model, with the same parameters each time. Raises as its class does."""
        seed_everything(0)
        if self.ours:
            return GSRGNN(in_channels, hidden_channels, num_layers=num_layers, **self.options)
        options = dict(self.options)
        if options.pop("checkpoints", None) == "sqrt":
            options["segment"] = max(1, round(math.sqrt(num_layers)))
        aggregation = "kernels" if self.route in ("edges", "nets") else self.route
        return getattr(baselines, self.model)(
            in_channels, hidden_channels, num_layers=num_layers, aggregation=aggregation, **options
        )

    def graph(self, graphs: dict[str, CircuitGraph]) -> CircuitGraph:
        """Of `graphs`, by norm, the one this row's model takes, through its route."""
        graph = graphs["sym" if self.model == "GCN" else "mean"]
        return graph.through(self.route) if self.route in ("edges", "nets") else graph

    def message_bytes(self, graph: CircuitGraph, hidden: int) -> int:
        """Size of the messages, one an edge, that it makes in a layer; 0 where it makes none."""
        width = hidden // 2 if self.model == "RevGNN" else hidden
        return 4 * graph.num_edges * width if self.route in ("edge_index", "segment_csr") else 0


def rows(hidden: int, k: Iterable[int], only: str | None = None) -> list[Row]:
    """The contenders, in the table's order.

    Args:
        hidden: width of the stream; a k that is not below half of it has no row.
        k: the k of the GSR rows; the middle one of those that are left is also run with the dense residual and
            with values rounded to bfloat16.
        only: patterns, comma-separated; a row stays whose name contains one, or matches it where it has ``*`` or
            ``?``.

    Raises ValueError where no row stays.
    """
    ks = sorted(x for x in set(k) if x < hidden / 2)
    routes = ("edge_index", "segment_csr", "csr", "mkl", "edges", "nets")
    every = [Row(f"{model} {route}", model, route) for model in ("GCN", "GraphSAGE", "RevGNN") for route in routes]
    every.append(Row("RevGNN compiled csr", "CompiledRevGNN", "csr"))
    every += [Row(f"FusedRevGNN {route}", "FusedRevGNN", route) for route in ("csr", "edges", "nets")]
    every += [
        Row(f"CheckpointSAGE {name} {route}", "CheckpointSAGE", route, options)
        for name, options in (("each layer", {}), ("sqrt(L)", {"checkpoints": "sqrt"}))
        for route in ("csr", "nets")
    ]
    every += [Row(f"GSR k={x} {route}", "GSRGNN", route, {"k": x}) for x in ks for route in ("edges", "nets")]
    for x in ks[len(ks) // 2 :][:1]:
        every += [
            Row(f"GSR aggregate first k={x} {route}", "GSRGNN", route, {"k": x, "first": "aggregate"})
            for route in ("edges", "nets")
        ]
        every.append(Row(f"GSR dense k={x} nets", "GSRGNN", "nets", {"k": x, "residual": "dense"}))
        every.append(Row(f"GSR bfloat16 k={x} nets", "GSRGNN", "nets", {"k": x, "values": "bfloat16"}))
    if only is None:
        return every
    patterns = [text.strip() for text in only.split(",")]
    patterns = [text if set("*?") & set(text) else f"*{text}*" for text in patterns]
    kept = [row for row in every if any(fnmatchcase(row.name, pattern) for pattern in patterns)]
    if not kept:
        raise ValueError(f"no row matches {only!r}: there are {', '.join(row.name for row in every)}")
    return kept
