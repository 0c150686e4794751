"""A graphics card that is not there: tensors that say ``cuda:0`` and are computed on the CPU, as strict as real ones.

Two modes stand between Python and torch: what a tensor is asked (`shown`), and what operators do with it (`placed`).
The tensors themselves stay the CPU's, so that autograd runs as ever. `memory` counts what lies on the card and refuses
what is beyond it, `cuda` stands in for `torch.cuda`, `capture` for CUDA graphs, `launch` for the driver, which is given
what `gsrgnn.kernels.cuda` gives to the real one.

As on a card mixing devices raises; so does the host where it reads without a copy (``numpy``, an address); in a capture
so does all that waits for the card. What no stand-in can show: the driver, the kernels' real order and speed, streams
that race, what ``torch.compile`` generates, autocast for CUDA, a backward pass in the card's own thread, the sanitizer.

`install` is for good, in this process and, by `environment`, in those that it starts.
"""

import os
from pathlib import Path

HERE = Path(__file__).parent
ASKED = "PRETEND_CARD"


def environment(**others: str) -> dict[str, str]:
    """Variables with which a new Python has the card, and so have the Pythons that it starts."""
    paths = [str(HERE / "site"), str(HERE.parent), str(HERE.parent / "kernels"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), ASKED: "1"} | others


def install() -> None:
    """Put the card into this process: into all threads that begin from now on, and into this one."""
    from pretend_card import capture, cuda, launch, shown

    capture.install()
    cuda.install()
    launch.install()
    shown.install()
