"""The paper's 4-node examples as data, and how a matrix is shown and checked.

`matrix` wraps any two-dimensional array, `check` compares one with what the paper prints, `show` sets several
of them in a row with operators between::

    show(A, "·", matrix(X, "X", kept=indices), "=", check(A @ X, printed, terms=2))

In a notebook that is HTML (styled by ``book/_static/walkthrough.css``); elsewhere it is plain text.
"""

from gsrgnn.book.walkthrough.check import Deviation, check
from gsrgnn.book.walkthrough.display import VERDICTS, Matrix, matrix, show
from gsrgnn.book.walkthrough.examples import BACKWARD, EXAMPLE, FORWARD
from gsrgnn.book.walkthrough.printed import Printed

__all__ = ["BACKWARD", "EXAMPLE", "FORWARD", "VERDICTS", "Deviation", "Matrix", "Printed", "check", "matrix", "show"]
