"""How a training goes, told after every epoch: to a function, or as a bar where a person watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Row: TypeAlias = dict[str, float]
Progress: TypeAlias = Callable[[Row], object] | bool | None


@contextmanager
def told(progress: Progress, epochs: int, done: int) -> Iterator[Callable[[Row], object]]:
    """What is to be called with each row of the history, ``done`` of ``epochs`` being there already.

    ``progress`` is that function itself, or whether there is a bar with the time left; None leaves it to `watched`.
    """
    if callable(progress):
        yield progress
    elif progress or (progress is None and watched()):
        from tqdm.auto import tqdm

        with tqdm(total=epochs, initial=done, unit="epoch") as bar:

            def show(row):
                bar.set_postfix(loss=row["loss"], pearson=row["pearson"], refresh=False)
                bar.update()

            yield show
    else:
        yield lambda row: None


def watched() -> bool:
    """Whether a person sees a bar: stderr is a terminal, or this is a notebook whose front end would take input.

    What executes notebooks on its own (papermill, nbconvert, the book) takes none.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        return True
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", False))
