"""Circuits by name: CircuitNet's own files, and synthetic netlists of any size."""

import re
from difflib import get_close_matches

from gsrgnn.circuits import circuitnet, synthetic
from gsrgnn.circuits.data import to_data

_PAPER = "circuitnet/7157-zero-riscy-a-1-c2-u0.8-m1-p1-f0"
_FALLBACK = "synthetic/5000"


def load(name, root=None):
    """A circuit as `torch_geometric.data.Data`.

    name: "circuitnet/<placement>" (files under `root`, else the variable CIRCUITNET_ROOT) or
    "synthetic/<cells>".

    The data holds, for N cells, P pins and a die of W x H gcells:

    - x float32 [N, F], columns `feature_names`; nothing in it depends on where a cell lies
    - y float32 [N, 1], the label, made as `label_source` says and divided by `label_scale` (its largest is 1)
    - pos float32 [N, 2], centres in gcells
    - gcell int64 [N, 4], the gcells covered (left, bottom, right, top, inclusive); grid (W, H)
    - cell and net int64 [P], the pins
    - train_mask, val_mask, test_mask bool [N]; name

    ValueError lists the names there are when this is none of them, or names the file that is damaged;
    FileNotFoundError names what is missing. Both say how to mend it.
    """
    kind, _, rest = name.partition("/")
    if kind == "circuitnet" and circuitnet.is_name(rest):
        return to_data(circuitnet.read(rest, root))
    if kind == "synthetic" and re.fullmatch("[1-9][0-9]*", rest):
        if not synthetic.MIN_CELLS <= int(rest) <= synthetic.MAX_CELLS:
            limits = f"{synthetic.MIN_CELLS:,} to {synthetic.MAX_CELLS:,}"
            raise ValueError(f"{name!r} asks for {int(rest):,} cells: synthetic circuits have {limits}")
        return to_data(synthetic.generate(int(rest)))
    names = available(root)
    close = get_close_matches(name, names, n=3)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    raise ValueError(
        f"no circuit {name!r}: {meant}there are {', '.join(names[:20])}{', ...' if len(names) > 20 else ''} "
        f"(synthetic/<cells> for any number of cells; circuitnet/... needs {circuitnet.VARIABLE})"
    )


def available(root=None):
    """Names that load now: every CircuitNet placement found, and one synthetic circuit of the many sizes."""
    return [*(f"circuitnet/{name}" for name in circuitnet.placements(root)), _FALLBACK]


def default():
    """The circuit the book runs on: CircuitNet's 7157 where its files are found, else a synthetic one."""
    return _PAPER if _PAPER in available() else _FALLBACK
