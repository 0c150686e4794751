"""Warnings that point at the line which asked for a circuit, however deep in this package they come up."""

import sys
import warnings
from pathlib import Path

_HERE = str(Path(__file__).parent)


def warn_caller(message: str) -> None:
    """`warnings.warn` at the first frame outside `gsrgnn.circuits`: by Python's own rules once for each line."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith(_HERE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
